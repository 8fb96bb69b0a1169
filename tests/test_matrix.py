"""The fault matrix: a sample of it here, all of it with `make contract`."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.testing.faults import EVERY, KINDS, PLACES
from shared.testing.matrix import Trial, findings, sampled, trials
from shared.testing.taps import TAPS, tap_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "trial" in metafunc.fixturenames:
        option = metafunc.config.getoption
        chosen = trials if option("matrix") or option("stream") else sampled
        wanted = [each for package in TAPS for each in chosen(package) if option("stream") in ("", each[1])]
        metafunc.parametrize("trial", wanted, ids="-".join)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


def test_a_fault_stays_where_it_happened(trial: Trial, folder: Path) -> None:
    assert "".join(findings(trial, folder)) == ""


def test_the_matrix_has_every_kind_at_every_place_for_each_tap() -> None:
    for package in TAPS:
        found = list(trials(package))
        assert {kind for _, _, kind, _ in found} >= set(KINDS) - {"unavailable", "saved place", "null", "circle"}
        assert {place for *_, place in found} == {*PLACES, EVERY}
        assert {name for _, name, _, _ in found} == {
            stream.name for stream in tap_of(package).streams if not (stream.hidden or stream.pages_of)
        }


def test_the_sample_has_every_kind() -> None:
    assert {kind for package in TAPS for _, _, kind, _ in sampled(package)} == set(KINDS)
