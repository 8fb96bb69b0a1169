"""Every tap's whole sandbox, awkward values included, loads into public targets and is there unchanged."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.testing.runs import Result, problems, run_tap, upserted
from shared.testing.taps import TAPS

from .loading import TARGETS, Place, Target, changes, program
from .postgres import Postgres, running

VERSIONED = next(target for target in TARGETS if target.versions)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


def run(package: str, *arguments: str, **config: Any) -> Result:
    """A run against the tap's sandbox."""
    with tempfile.TemporaryDirectory() as folder:
        result = run_tap(package, *arguments, config=config, folder=Path(folder))
    assert result.status == 0, result.stderr[-2000:]
    return result


@cache
def output(package: str, *, flat: bool = False) -> Result:
    """All streams of a tap's sandbox."""
    return run(package, "--sandbox", "speed=100", "--select", "*", flatten=flat)


def place_for(target: Target, name: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    """An empty place for a load."""
    if not target.needs_postgres:
        return Place(folder, name)
    server: Postgres = request.getfixturevalue("postgres")
    place = Place(folder, name, server, re.sub(r"\W+", "_", f"{name}_{target.name}_{folder.name}")[:63].lower())
    server.create(place.database)
    return place


@pytest.mark.parametrize("package", TAPS)
@pytest.mark.parametrize(
    "target",
    [pytest.param(each, id=each.name, marks=pytest.mark.quick if each.quick else ()) for each in TARGETS],
)
def test_a_full_run_loads_without_change(
    target: Target, package: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result = output(package, flat=target.flat)
    place = place_for(target, package.removeprefix("tap_"), tmp_path, request)
    target.load(result.stdout, place)
    assert changes(result, target, place) == []


@pytest.mark.parametrize("package", TAPS)
def test_singer_check_tap_passes_it(package: str) -> None:
    # The tool stumbles over an object that is null and could hold a date-time; flat records have none.
    result = output(package, flat=True)
    assert problems(result) == []
    done = subprocess.run(
        [program("singer-tools", "singer-check-tap")], input=result.stdout, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_what_was_deleted_disappears_after_a_full_pass_with_versions(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = place_for(VERSIONED, "versions", tmp_path, request)
    first = run("tap_mailchimp", "--sandbox", "speed=100", activate_version=True)
    VERSIONED.load(first.stdout, place)
    # The clocks of two sandboxes begin at the same instant, but for the day; versions are instants.
    second = run("tap_mailchimp", "--sandbox", "speed=100,day=1", activate_version=True)
    VERSIONED.load(second.stdout, place)
    whole = {message["stream"] for message in second.messages if message["type"] == "ACTIVATE_VERSION"}
    gone = 0
    for stream in sorted(whole):
        keys = second.keys(stream)
        wanted = set(upserted(second.records(stream), keys))
        have = set(upserted(VERSIONED.rows(place, stream), keys)) if wanted else wanted
        assert have == wanted, stream
        gone += len(set(upserted(first.records(stream), keys)) - wanted)
    assert gone, "nothing was deleted in that day, so this shows nothing"


@pytest.mark.parametrize("config", [{}, {"flatten": True}], ids=["nested", "flat"])
def test_batch_files_load_as_records_do(
    config: Mapping[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    target = next(target for target in TARGETS if target.batches)
    place = place_for(target, "batches", tmp_path, request)
    files = tmp_path / "files"
    plain = run("tap_klaviyo", "--sandbox", "speed=100", **config)
    batched = run("tap_klaviyo", "--sandbox", "speed=100", batch={"root": f"file://{files}"}, **config)
    types = {orjson.loads(line)["type"] for line in batched.lines}
    assert types == {"SCHEMA", "BATCH", "STATE"}
    target.load(batched.stdout, place)
    assert changes(plain, target, place) == []


def test_masked_and_flat_records_load(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place = place_for(VERSIONED, "masked", tmp_path, request)
    config = {
        "mask": {"*.email_address": "sha256", "list_members.id": "sha256", "list_members.merge_fields.*": "drop"},
        "mask_salt": "pepper",
        "flatten": True,
    }
    result = run(
        "tap_mailchimp", "--sandbox", "speed=100", "--select", "list_members", "--select", "unsubscribes", **config
    )
    assert problems(result) == []
    assert b"@" not in b"".join(orjson.dumps(record["email_address"]) for record in result.records("list_members"))
    VERSIONED.load(result.stdout, place)
    assert changes(result, VERSIONED, place) == []
