"""Answers of the shapes that real accounts gave, read through the whole tap: what they fill, and nothing lost.

`tests/answers/<tap>/*.json` hold them: where the shape was seen (`source`, `date`, `revision`), with values that are
made up; the `stream` to read; the `answers` by request, those of the surroundings among them; and what must come out:
how many `records`, and every column that is `filled` in some record. A path that is asked for again, for a further
page, has no more rows; one that is not there answers as the tap's API does where nothing is (`NOTHING`).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any

import orjson
import pytest
from conftest import ROOT

from shared.api.answers import Response
from shared.api.request import Request
from shared.api.transport import Transport
from shared.command import cli
from shared.command.start import parse
from shared.evidence.__main__ import recorded
from shared.evidence.comparison import compare, expected
from shared.evidence.names import tap_of
from shared.testing.runs import given

FOLDER = ROOT / "tests" / "answers"
FILES = sorted(FOLDER.glob("tap-*/*.json"))
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "tap-mailchimp": {"api_key": "0123456789abcdef0123456789abcdef-us1", "base_url": "http://127.0.0.1:9"},
    "tap-customerio": {"api_key": "some-app-api-key", "base_url": "http://127.0.0.1:9"},
    "tap-klaviyo": {"api_key": "pk_0123456789abcdef", "base_url": "http://127.0.0.1:9"},
    "tap-iterable": {"api_key": "0123456789abcdef0123456789abcdef", "base_url": "http://127.0.0.1:9"},
    "tap-campaign-monitor": {"api_key": "some-account-key", "base_url": "http://127.0.0.1:9"},
}
NOTHING: Mapping[str, tuple[int, Any]] = {
    "tap-mailchimp": (404, {"title": "Resource Not Found", "status": 404, "detail": "It could not be found."}),
    "tap-customerio": (404, {"errors": [{"detail": "not found"}]}),
    "tap-klaviyo": (200, {"data": []}),
    "tap-iterable": (404, {"code": "NotFound", "msg": "not found"}),
    "tap-campaign-monitor": (404, {"Code": 404, "Message": "Not Found"}),
}


def emptied(body: Any) -> Any:
    """The page behind the last one."""
    if isinstance(body, list):
        return []
    if not isinstance(body, dict):
        return body
    return {name: [] if isinstance(each, list) else each for name, each in body.items() if not name.startswith("next")}


class Served:
    """Answers in place of a network."""

    def __init__(self, tap: str, answers: Mapping[str, Any]) -> None:
        self._tap = tap
        self._answers = answers
        self._nothing = NOTHING[tap]
        self._asked: dict[str, str] = {}
        self.missing: list[str] = []

    def ask(self, request: Request, url: str, into: IO[bytes] | None) -> Response:
        path, _, query = url.partition("//")[2].partition("/")[2].partition("?")
        asked = f"{request.method} /{path.rstrip('/')}"
        if asked not in self._answers:
            self.missing.append(asked)
        status, body = (200, self._answers[asked]) if asked in self._answers else self._nothing
        said = f"{query} {json.dumps(request.body)}"
        if self._tap == "tap-mailchimp":  # asks for the same pages in several ways
            is_further = bool(re.search(r"(^|&)offset=[1-9]", query))
        else:
            is_further = self._asked.setdefault(asked, said) != said
        if asked in self._answers and is_further:
            body = emptied(body)
        if isinstance(body, dict) and "lines" in body:
            content = b"\n".join(map(orjson.dumps, body["lines"]))
        else:
            content = body.encode() if isinstance(body, str) else orjson.dumps(body)
        if into is not None:
            into.write(content)
            content = b""
        return Response(status=status, content=content, url=url, headers={"Content-Type": "application/json"})


def filled(record: Any, at: str = "") -> Iterator[str]:
    """The dotted names of what a record holds; the items of an array have the same name."""
    if isinstance(record, dict):
        for name, value in record.items():
            yield from filled(value, f"{at}.{name}" if at else name)
    elif isinstance(record, list):
        for each in record:
            yield from filled(each, at)
    elif record is not None:
        yield at


def read(
    tap_name: str, case: Mapping[str, Any], folder: Path, patch: pytest.MonkeyPatch
) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, records of the stream, and stderr of a run of the tap."""
    served = Served(tap_name, case["answers"])
    patch.setattr(Transport, "ask", lambda self, request, url, headers, stream, into: served.ask(request, url, into))
    tap = tap_of(tap_name)
    config = {"start_date": "2010-01-01", **CONFIGS[tap_name], **case.get("config", {})}
    options = ["--select", case["stream"], "--no-progress", *given(folder, config=config)]
    command = cli.Command(tap, parse(tap.name, tap.title, tap.version, oauth=False, argv=options))
    out, errors = io.BytesIO(), io.StringIO()
    with io.TextIOWrapper(out, encoding="utf-8", write_through=True) as stdout:
        with redirect_stdout(stdout), redirect_stderr(errors):
            status = command.run()
        messages = [json.loads(line) for line in out.getvalue().splitlines()]
    records = [m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == case["stream"]]
    said = errors.getvalue()
    return status, records, f"{said}not there: {served.missing}" if status else said


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_answer_comes_out_whole(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = json.loads(path.read_text("utf-8"))
    status, records, said = read(path.parent.name, case, tmp_path, monkeypatch)
    assert status == 0, said
    assert len(records) == case["expect"]["records"], said
    assert sorted({name for record in records for name in filled(record)}) == case["expect"]["filled"]
    assert not [record["_extra"] for record in records if record.get("_extra")]
    assert "warning" not in said.lower()


def test_every_answer_says_where_its_shape_was_seen() -> None:
    for path in FILES:
        case = json.loads(path.read_text("utf-8"))
        assert case["source"] and case["date"], path
        assert case["expect"]["records"] or "none" in path.stem, path
        assert case["answers"], path


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_what_accounts_gave_is_expected(name: str) -> None:
    """`python -m shared.evidence --renew` makes these answers part of what accounts are compared with."""
    tap = tap_of(name)
    wanted = expected(tap)
    for path in (each for each in FILES if each.parent.name == name):
        told = recorded(tap, json.loads(path.read_text("utf-8")))
        found = [each for each in compare(told, wanted, tap) if each.kind != "never seen"]
        assert not found, (path.name, found)
