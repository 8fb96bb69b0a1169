"""The README says what the code does."""

from __future__ import annotations

import re
import sys

import pytest
from conftest import ROOT, TAPS

from shared import docs
from shared.settings import settings_of
from shared.streams import Stream
from shared.tap import Tap

README = (ROOT / "README.md").read_text("utf-8")


def test_the_readmes_tables_are_those_of_the_code() -> None:
    assert docs.rewritten(README) == README, "run `make docs`"


@pytest.mark.parametrize("package", TAPS)
def test_the_readme_has_both_tables_of_every_tap(package: str) -> None:
    assert f"<!-- {package} settings -->" in README
    assert f"<!-- {package} streams -->" in README
    assert f"`{package.replace('_', '-')}`" in README


def test_every_stream_and_setting_is_described(tap: Tap) -> None:
    assert all(stream.description for stream in tap.streams if not stream.hidden)
    assert all(setting.description for setting in settings_of(tap))


def test_a_cell_cannot_break_its_table(tap: Tap) -> None:
    for table in (docs.settings_table(tap), docs.streams_table(tap)):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(widths) == 1


def test_deletions_follow_from_how_a_stream_is_read() -> None:
    assert docs.deletions(Stream(name="a")) == "missing from the next read"
    assert docs.deletions(Stream(name="a", replication_key="at")) == "not shown"
    assert docs.deletions(Stream(name="a", replication_key="at", full_table=True)) == "missing from the next read"
    assert docs.deletions(Stream(name="a", deletions="marked by `deleted`")) == "marked by `deleted`"


def test_rewriting_replaces_what_stands_between_the_markers() -> None:
    text = f"before\n<!-- {TAPS[0]} settings -->\n(stale)\n<!-- end -->\nafter\n"
    found = docs.rewritten(text)
    assert found.startswith("before\n")
    assert found.endswith("<!-- end -->\nafter\n")
    assert "(stale)" not in found
    assert docs.rewritten(found) == found


def test_the_pythons_said_are_those_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project) == list(docs.PYTHONS)
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in docs.PYTHONS
