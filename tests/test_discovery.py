"""What discovery does without network, with a refused credential, and what a test of the credential finds."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.api.answers import Response
from shared.api.paginators import cursor
from shared.api.request import Page, Request
from shared.command import discovery
from shared.errors import ApiError, AuthError, GoneError, RefusedError, Stopped, UnavailableError
from shared.streams import Parent, Step, Stream
from shared.tap import Tap


class FakeClient:
    """Answers from a table; what is not in it is empty."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.settings: dict[str, Any] = {}
        self.stop = threading.Event()
        self.asked: list[Request] = []

    def now(self) -> str:
        return "2026-11-01T12:00:00.000000Z"

    def hasty(self, seconds: float) -> FakeClient:
        return self

    def delay(self, quota: str) -> float:
        return 60.0 if quota == "scarce" else 0.0

    def send(self, request: Request, *, stream: str, read: Callable[[Response], Any]) -> Any:
        self.asked.append(request)
        answer = self.answers.get(request.path, [])
        if isinstance(answer, Exception):
            raise answer
        return read(Response(200, {}, json.dumps(answer).encode()))


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    for name in ("items", "parts"):
        (tmp_path / f"{name}.json").write_text('{"type": "object", "properties": {"id": {"type": ["null", "string"]}}}')
    return tmp_path


def tap_with(
    schemas: Path, *streams: Stream, check: Callable[[Any], None] = lambda client: None, **members: Any
) -> Tap:
    return Tap(
        name="tap-tiny",
        title="Tiny",
        version="1",
        schemas=schemas,
        settings=(),
        connect=lambda context: None,  # type: ignore[arg-type, return-value]
        check=check,
        streams=streams,
        **members,
    )


def widened(schema: dict[str, Any], client: Any) -> dict[str, Any]:
    return {**schema, "properties": {**schema["properties"], "own": {"type": ["null", "string"]}}}


def refused(schema: dict[str, Any], client: Any) -> dict[str, Any]:
    raise RefusedError("no")


def raises(error: Exception) -> Callable[[Any], None]:
    def check(client: Any) -> None:
        raise error

    return check


def test_without_a_client_the_catalog_is_what_every_account_has(schemas: Path) -> None:
    tap = tap_with(schemas, Stream(name="items", extend_schema=widened), Stream(name="secret", hidden=True))
    streams, found = discovery.discover(tap, None)
    assert streams == tap.streams
    assert set(found) == {"items"}
    assert set(found["items"]["properties"]) == {"id"}


def test_with_a_client_the_accounts_own_streams_and_fields_are_added(schemas: Path) -> None:
    own = Stream(name="own_stream", extend_schema=widened)
    tap = tap_with(schemas, Stream(name="items", extend_schema=widened), more_streams=lambda client: [own])
    streams, found = discovery.discover(tap, FakeClient({}))  # type: ignore[arg-type]
    assert own in streams
    assert set(found["items"]["properties"]) == {"id", "own"}
    assert set(found["own_stream"]["properties"]) == {"own"}


def test_a_refused_credential_ends_discovery(schemas: Path) -> None:
    tap = tap_with(schemas, Stream(name="items"), check=raises(AuthError("no")))
    with pytest.raises(AuthError):
        discovery.discover(tap, FakeClient({}))  # type: ignore[arg-type]


def test_a_failing_network_gives_the_static_catalog_and_a_warning(
    schemas: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tap = tap_with(schemas, Stream(name="items", extend_schema=widened), check=raises(ApiError("no route")))
    _, found = discovery.discover(tap, FakeClient({}))  # type: ignore[arg-type]
    assert set(found["items"]["properties"]) == {"id"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "no route" in caplog.text


def test_discovery_does_not_wait_long_for_a_network_that_is_not_there(
    schemas: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(discovery, "OFFLINE_SECONDS", 0.05)

    def check(client: Any) -> None:
        client.stop.wait(30)
        raise Stopped

    _, found = discovery.discover(tap_with(schemas, Stream(name="items"), check=check), FakeClient({}))  # type: ignore[arg-type]
    assert set(found) == {"items"}
    assert "no answer within" in caplog.text


def test_a_stop_by_the_user_is_not_taken_for_a_missing_network(schemas: Path) -> None:
    tap = tap_with(schemas, Stream(name="items"), check=raises(Stopped()))
    with pytest.raises(Stopped):
        discovery.discover(tap, FakeClient({}))  # type: ignore[arg-type]


def test_one_streams_refusal_leaves_it_its_common_fields(schemas: Path, caplog: pytest.LogCaptureFixture) -> None:
    tap = tap_with(schemas, Stream(name="items", extend_schema=refused), Stream(name="parts", extend_schema=widened))
    _, found = discovery.discover(tap, FakeClient({}))  # type: ignore[arg-type]
    assert set(found["items"]["properties"]) == {"id"}
    assert set(found["parts"]["properties"]) == {"id", "own"}
    assert caplog.text.count("WARNING") == 1


def test_a_sync_asks_only_for_the_streams_wanted(schemas: Path) -> None:
    tap = tap_with(schemas, Stream(name="items", extend_schema=widened), Stream(name="parts", extend_schema=widened))
    _, found, _ = discovery.of_account(tap, FakeClient({}), is_wanted="parts".__eq__)  # type: ignore[arg-type]
    assert set(found["items"]["properties"]) == {"id"}
    assert set(found["parts"]["properties"]) == {"id", "own"}


# --test

IN_ITEM = Parent(stream="items", keys={"item_id": "id"})


def findings(client: FakeClient, *streams: Stream) -> dict[str, str]:
    tap = tap_with(Path(), *streams)
    names = [stream.name for stream in streams if not stream.hidden]
    return {f.stream: f.word for f in discovery.test(tap, client, streams, names)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ([{"id": "a"}], "readable"),
        ([], "empty"),
        (RefusedError("no"), "forbidden"),
        (UnavailableError("not in this plan"), "unavailable"),
        (GoneError("no such path"), "failed"),
        (ApiError("odd"), "failed"),
    ],
)
def test_an_endpoint_is_called_what_it_answers(answer: Any, word: str) -> None:
    assert findings(FakeClient({"/items": answer}), Stream(name="items", path="/items")) == {"items": word}


def test_an_optional_feature_is_not_called_forbidden() -> None:
    stream = Stream(name="items", path="/items", optional=True)
    assert findings(FakeClient({"/items": RefusedError("no")}), stream) == {"items": "unavailable"}


def test_a_child_is_asked_for_its_first_parent_that_qualifies() -> None:
    client = FakeClient({"/items": [{"id": "a"}, {"id": "b c"}], "/items/b%20c/parts": [{"id": "p"}]})
    parent = Parent(stream="items", keys={"item_id": "id"}, where=lambda unit: unit.parent["item_id"] != "a")
    items = Stream(name="items", path="/items", hidden=True)
    assert findings(client, items, Stream(name="parts", path="/items/{item_id}/parts", parent=parent)) == {
        "parts": "readable"
    }
    assert [request.path for request in client.asked] == ["/items", "/items/b%20c/parts"]


def test_a_child_is_asked_for_its_first_a_middle_and_its_last_parent() -> None:
    items = Stream(name="items", path="/items")
    parts = Stream(name="parts", path="/items/{item_id}/parts", parent=IN_ITEM)
    answers = {"/items": [{"id": n} for n in range(9)], **{f"/items/{n}/parts": [] for n in range(9)}}
    client = FakeClient({**answers, "/items/4/parts": RefusedError("no")})
    tap = tap_with(Path(), items, parts)
    (_, found) = discovery.test(tap, client, [items, parts], ["items", "parts"])  # type: ignore[arg-type]
    assert (found.word, found.detail) == ("forbidden", "item_id 4: no")
    assert [request.path for request in client.asked[1:]] == [f"/items/{n}/parts" for n in (0, 4, 8)]
    assert findings(FakeClient(answers), items, parts) == {"items": "readable", "parts": "readable"}


def test_a_page_without_rows_that_leads_on_is_readable() -> None:
    def found(page: Page) -> Sequence[Request]:
        return [Request("/details", {"id": each}) for each in page.at("ids")]

    search = Stream(name="a", path="/search", records="rows", next_page=found)
    assert findings(FakeClient({"/search": {"rows": [], "ids": [7]}}), search) == {"a": "readable"}
    assert findings(FakeClient({"/search": {"rows": [], "ids": []}}), search) == {"a": "empty"}


def test_a_partition_in_the_path_is_no_hindrance() -> None:
    def nothing(client: Any, unit: Any) -> Generator[Step, None, None]:
        yield from ()

    parts: dict[str, Any] = {"partitions": {"x": {}}, "next_page": cursor("next", param="start")}
    stream = Stream(name="a", path="/lists/{partition}", fetch=nothing, **parts)
    assert findings(FakeClient({"/lists/x": [{"id": 1}]}), stream) == {"a": "readable"}


def test_grandchildren_of_several_parents_are_tried() -> None:
    items = Stream(name="items", path="/items", hidden=True)
    parts = Stream(name="parts", path="/items/{item_id}/parts", parent=IN_ITEM)
    bolts = Stream(name="bolts", path="/parts/{part_id}/bolts", parent=Parent(stream="parts", keys={"part_id": "id"}))
    answers: dict[str, Any] = {"/items": [{"id": 1}, {"id": 2}], "/items/1/parts": [{"id": 3}]}
    answers |= {"/items/2/parts": [{"id": 4}], "/parts/4/bolts": RefusedError("no")}
    assert findings(FakeClient(answers), items, parts, bolts)["bolts"] == "forbidden"


def test_a_dear_stream_is_told_of_by_its_probe() -> None:
    stream = Stream(name="a", path="/export", quota="scarce", probe="/jobs")
    client = FakeClient({"/jobs": {"jobs": []}})
    assert findings(client, stream) == {"a": "readable"}
    assert [request.path for request in client.asked] == ["/jobs"]
    assert findings(FakeClient({"/jobs": RefusedError("no")}), stream) == {"a": "forbidden"}


@pytest.mark.parametrize("error", [RefusedError("no"), ApiError("500"), TypeError("odd")])
def test_what_only_the_account_knows_may_fail_and_the_rest_goes_on(
    schemas: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    items = Stream(name="items", extend_schema=lambda _, __: raises(error)(None))  # type: ignore[arg-type, return-value]
    tap = tap_with(schemas, items, more_streams=raises(error))
    streams, found, failed = discovery.of_account(tap, FakeClient({}))  # type: ignore[arg-type]
    assert [stream.name for stream in streams] == ["items"]
    assert set(found["items"]["properties"]) == {"id"}
    assert list(failed) == ([] if isinstance(error, RefusedError) else ["items"])
    assert caplog.text.count("WARNING") == 2


def test_a_child_without_parents_is_not_asked() -> None:
    items = Stream(name="items", path="/items")
    parts = Stream(name="parts", path="/items/{item_id}/parts", parent=IN_ITEM)
    assert findings(FakeClient({}), items, parts) == {"items": "empty", "parts": "not asked"}


def test_parents_are_asked_once_for_all_their_children() -> None:
    client = FakeClient({"/items": [{"id": "a"}]})
    children = [Stream(name=f"parts{n}", path=f"/items/{{item_id}}/{n}", parent=IN_ITEM) for n in range(3)]
    findings(client, Stream(name="items", path="/items"), *children)
    assert len(client.asked) == 4


def test_scarce_quotas_and_jobs_are_not_spent_on_a_test() -> None:
    def fetch(client: Any, unit: Any) -> Any:
        raise AssertionError("a job was begun")
        yield

    client = FakeClient({"/c": [{"id": 1}]})
    plain = Stream(name="c", path="/c", fetch=fetch, next_page=cursor("next", param="next"))
    assert findings(client, Stream(name="a", path="/a", quota="scarce"), Stream(name="b", fetch=fetch), plain) == {
        "a": "not asked",
        "b": "not asked",
        "c": "readable",
    }
    assert [request.path for request in client.asked] == ["/c"]


def test_the_smallest_page_is_asked_for() -> None:
    def shrink(request: Request) -> Request | None:
        count = request.params["count"]
        return request.with_params({"count": count // 2}) if count > 100 else None

    client = FakeClient({})
    findings(client, Stream(name="items", path="/items", params={"count": 1000}, shrink=shrink))
    assert client.asked[0].params == {"count": 62}


def test_a_refused_credential_ends_the_test() -> None:
    with pytest.raises(AuthError):
        findings(FakeClient({"/items": AuthError("no")}), Stream(name="items", path="/items"))
