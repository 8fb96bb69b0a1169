"""BATCH messages and their files."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from shared.errors import ConfigError
from shared.protocol.batch import BatchFiles, batch_files
from shared.protocol.messages import Writer, bare_lines


def loaded(message: dict[str, Any]) -> list[Any]:
    """What a target reads from the files of a BATCH message."""
    assert message["encoding"]["format"] == "jsonl"
    rows = []
    for url in message["manifest"]:
        data = Path(unquote(urlsplit(url).path)).read_bytes()
        text = gzip.decompress(data) if message["encoding"]["compression"] == "gzip" else data
        rows += [json.loads(line) for line in text.splitlines()]
    return rows


def test_records_go_into_files_that_are_named_once_they_are_whole(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = Writer(out, batches=BatchFiles(tmp_path / "new folder", rows=3))
    for start in range(0, 8, 2):
        rows = [{"id": start}, {"id": start + 1}]
        writer.records("lists", bare_lines("lists", rows), len(rows))
    writer.records("lists", b"", 0)
    writer.records("members", bare_lines("members", [{"id": "ü"}]), 1)
    writer.state({"bookmarks": {}})
    writer.state({"bookmarks": {"lists": {}}})
    messages = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [message["type"] for message in messages] == ["BATCH", "BATCH", "BATCH", "STATE", "STATE"]
    assert [len(loaded(message)) for message in messages[:3]] == [4, 4, 1]
    assert [row["id"] for message in messages[:2] for row in loaded(message)] == list(range(8))
    assert loaded(messages[2]) == [{"id": "ü"}]
    assert {message["stream"] for message in messages[:2]} == {"lists"}


@pytest.mark.parametrize(
    "given",
    [
        {"root": "ROOT", "compression": "none", "prefix": "a-"},
        {"root": "file://ROOT", "format": "jsonl"},
        {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": "file://ROOT", "prefix": "a-"},
            "batch_size": 5,
        },
    ],
)
def test_the_setting_is_ours_or_the_sdks(given: dict[str, Any], tmp_path: Path) -> None:
    files = batch_files({"batch": json.loads(json.dumps(given).replace("ROOT", str(tmp_path)))})
    assert files is not None
    files.add("lists", b'{"id":1}\n', 1)
    (message,) = files.close()
    assert loaded(message) == [{"id": 1}]
    assert message["manifest"][0].startswith(f"file://{tmp_path}/")


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"root": "s3://bucket"}, "root is a folder of this machine"),
        ({"format": "jsonl"}, "root is a folder of this machine"),
        ({"root": "/a", "format": "parquet"}, "the format is jsonl"),
        ({"root": "/a", "compression": "zip"}, "gzip or none"),
    ],
)
def test_what_cannot_be_is_an_error(batch: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        batch_files({"batch": batch})
    with pytest.raises(ConfigError, match="exclude each other"):
        batch_files({"batch": {"root": "/a"}, "activate_version": True})


def test_without_the_setting_there_are_no_files() -> None:
    assert batch_files({"batch": None}) is None
