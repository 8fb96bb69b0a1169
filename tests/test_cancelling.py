"""What runs at the API for a stopped run is ended, one after the other where its quota asks for that."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from shared.errors import ApiError, QuotaError
from shared.protocol.state import State
from shared.streams import Stream
from shared.sync import cancelling
from shared.sync.run import Run
from shared.sync.units import Reading

STATE = State({"bookmarks": {name: {"resume": {"units": {"": {"id": name}}}} for name in ("a", "b", "c")}})
CLIENT: Any = SimpleNamespace(speed=1e6, parting=lambda: None)
LOG = logging.getLogger("tap-test")


def runs(cancel: Any) -> list[Run]:
    streams = [*(Stream(name=name, cancel=cancel) for name in ("a", "b", "d")), Stream(name="c")]
    return [Run(Reading(stream=stream, settings={}, now="", incremental=True)) for stream in streams]


def test_each_is_ended_however_often_the_quota_says_not_yet(caplog: Any) -> None:
    asked: list[str] = []

    def cancel(client: Any, resume: Any) -> None:
        asked.append(resume["id"])
        if len(asked) < 4:
            raise QuotaError("too many")
        if resume["id"] == "a":
            raise ApiError("it has ended")

    cancelling.cancel(runs(cancel), STATE, CLIENT, LOG)
    assert asked == ["a", "a", "a", "a", "b"]
    assert "a: could not cancel what is running at the API: it has ended" in caplog.text


def test_there_is_no_time_to_wait_for_ever(caplog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "SECONDS", -1.0)

    def cancel(client: Any, resume: Any) -> None:
        raise QuotaError("too many.")

    cancelling.cancel(runs(cancel), STATE, CLIENT, LOG)
    assert "too many. Not cancelled: that and 1 more." in caplog.text
