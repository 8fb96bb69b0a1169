from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import datetime, timezone
from typing import Any

import pytest
import singer
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SchemaError
from shared.protocol import catalog, messages
from shared.protocol.selection import Selection
from shared.streams import Stream

WHEN = datetime(2026, 11, 1, 12, 30, 0, 123456, tzinfo=timezone.utc)
NOW = "2026-11-01T12:30:00.123456Z"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def selection(**row: Any) -> Selection:
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "at": {"type": "string"}}}
    (chosen,) = catalog.choose(None, [Stream(name="lists", **row)], {"lists": schema}, settings={})
    return chosen


@settings(deadline=None)
@given(
    st.text(min_size=1, max_size=10),
    st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), max_size=4),
    st.none() | st.integers(0, 2**53),
)
def test_record_lines_say_what_singer_says(stream: str, rows: list[dict[str, Any]], version: int | None) -> None:
    lines = messages.record_lines(stream, rows, time_extracted=NOW, version=version)
    expected = [
        singer.format_message(singer.RecordMessage(stream, row, version=version, time_extracted=WHEN)) for row in rows
    ]
    assert [json.loads(line) for line in lines.splitlines()] == [json.loads(line) for line in expected]
    assert lines == b"" or lines.endswith(b"\n")
    assert lines.count(b"\n") == len(rows)


def test_members_come_in_singers_order() -> None:
    line = messages.record_lines("lists", [{"id": 1}], time_extracted=NOW, version=7)
    message = singer.RecordMessage("lists", {"id": 1}, version=7, time_extracted=WHEN)
    assert list(json.loads(line)) == list(message.asdict())


def test_what_orjson_refuses_is_written_all_the_same() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    rows = [{"a": 2**70}, {"a": deep}, {"a": 1}]
    lines = messages.record_lines("lists", rows, time_extracted=NOW)
    assert [json.loads(line)["record"] for line in lines.splitlines()] == rows


def test_what_is_no_json_names_its_stream() -> None:
    with pytest.raises(SchemaError, match=r"^lists: "):
        messages.record_lines("lists", [{"a": object()}], time_extracted=NOW)


def test_messages_have_singers_shape() -> None:
    out = io.BytesIO()
    writer = messages.Writer(out)
    chosen = selection(replication_key="at")
    writer.schema(chosen)
    writer.activate_version("lists", 3)
    assert writer.state({"bookmarks": {"lists": {"at": NOW}}}) == len(out.getvalue().splitlines(keepends=True)[-1])
    parsed = [singer.parse_message(line.decode()) for line in out.getvalue().splitlines()]
    assert parsed == [
        singer.SchemaMessage("lists", chosen.written, ["id"], ["at"]),
        singer.ActivateVersionMessage("lists", 3),
        singer.StateMessage({"bookmarks": {"lists": {"at": NOW}}}),
    ]


def test_a_full_table_stream_has_no_bookmark_properties() -> None:
    out = io.BytesIO()
    writer = messages.Writer(out)
    writer.schema(selection())
    writer.schema(selection(replication_key="at", full_table=True))
    writer.flush()
    assert all("bookmark_properties" not in json.loads(line) for line in out.getvalue().splitlines())


def test_bytes_are_gathered_until_they_are_many() -> None:
    out = io.BytesIO()
    writer = messages.Writer(out)
    writer.write(b"a\n")
    assert out.getvalue() == b""
    writer.write(b"b" * messages.FULL + b"\n")
    assert out.getvalue() == b"a\n" + b"b" * messages.FULL + b"\n"


def test_a_second_at_most_passes_before_lines_come_out() -> None:
    out, now = io.BytesIO(), [0.0]
    writer = messages.Writer(out, clock=lambda: now[0])
    writer.write(b"a\n")
    now[0] = 0.9
    writer.tick()
    assert out.getvalue() == b""
    now[0] = 1.0
    writer.tick()
    assert out.getvalue() == b"a\n"


def test_a_state_takes_all_before_it_along() -> None:
    out = io.BytesIO()
    writer = messages.Writer(out)
    writer.write(b"a\n")
    writer.state({})
    assert out.getvalue() == b'a\n{"type":"STATE","value":{}}\n'


def test_a_reader_that_left_is_told_once_and_not_written_to_again() -> None:
    class Closed(io.BytesIO):
        def write(self, _: Any) -> int:
            raise BrokenPipeError

    writer = messages.Writer(Closed())
    writer.write(b"a\n")
    with pytest.raises(BrokenPipeError):
        writer.flush()
    writer.flush()


def test_the_catalog_is_json_for_people() -> None:
    out = io.BytesIO()
    messages.Writer(out).catalog({"streams": []})
    assert out.getvalue() == b'{\n  "streams": []\n}\n'


def test_importing_singer_leaves_logging_as_it_was() -> None:
    code = (
        "import logging; root = logging.getLogger(); handler = logging.NullHandler(); root.addHandler(handler);"
        "root.setLevel(logging.ERROR); from shared.protocol import messages; import sys;"
        "assert 'singer' not in sys.modules;"
        "messages.singer().metadata; assert root.handlers == [handler] and root.level == logging.ERROR"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_write_that_ends_early_is_taken_up_again() -> None:
    class Raw(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:7]))

    out = Raw()
    writer = messages.Writer(out)
    writer.write(b"0123456789" * 10 + b"\n")
    writer.flush()
    assert out.getvalue() == b"0123456789" * 10 + b"\n"
