"""The README and the pages of the taps say what the code does."""

from __future__ import annotations

import re
import sys

import pytest
from conftest import ROOT, TAPS, tap_of

from shared.command import about as docs
from shared.streams import Parent, Stream
from shared.tap import Tap, settings_of

README = (ROOT / "README.md").read_text("utf-8")


def page(package: str) -> str:
    return (ROOT / "docs" / f"{package.replace('_', '-')}.md").read_text("utf-8")


@pytest.mark.parametrize("package", TAPS)
def test_the_tables_are_those_of_the_code(package: str) -> None:
    text = page(package)
    assert docs.rewritten(text) == text, "run `make docs`"
    for kind in ("settings", "streams", "tables"):
        assert f"<!-- {package} {kind} -->" in text


@pytest.mark.parametrize("package", TAPS)
def test_the_readme_points_to_every_tap(package: str) -> None:
    assert f"(docs/{package.replace('_', '-')}.md)" in README


def test_every_file_that_a_page_points_to_exists() -> None:
    for name, text in {"README.md": README, **{f"docs/{package}": page(package) for package in TAPS}}.items():
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)\)", text):
            assert ((ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize("package", TAPS)
def test_the_diagram_has_every_table_with_its_keys(package: str) -> None:
    lines = docs.diagram(tap_of(package)).splitlines()
    for stream in tap_of(package).streams:
        if not stream.hidden:
            (line,) = [line for line in lines if re.match(rf"  {re.escape(stream.name)}( {{|$)", line)]
            assert line.count(" PK") == len(stream.key_properties)


def test_the_text_explains_every_setting_and_stream(tap: Tap) -> None:
    text = docs.about(tap, "text")
    plain = " ".join(text.split())
    settings, _, text = text.partition("\nStreams;")
    for setting in settings_of(tap):
        (line,) = re.findall(rf"^  {re.escape(setting.name)}  \((.*)\)$", settings, re.MULTILINE)
        assert ("secret" in line) == setting.secret
        assert ("required" in line) == setting.required
        assert ("default " in line) == (setting.default is not None)
        assert " ".join(setting.description.split()) in plain
    for stream in tap.streams:
        if not stream.hidden:
            mark = r"\*" if stream.selected else " "
            assert re.search(rf"^{mark} {re.escape(stream.name)}  \(", text, re.MULTILINE)
            assert " ".join(stream.description.split()) in plain


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


def test_the_tables_say_what_a_refusal_costs() -> None:
    below = Parent(stream="lists", keys={"list_id": "id"})
    assert docs.when_refused(Stream(name="a")) == "the stream"
    assert docs.when_refused(Stream(name="a", optional=True)) == "the stream; no failure"
    assert docs.when_refused(Stream(name="a", parent=below)) == "one parent's rows"
    assert docs.when_refused(Stream(name="a", partitions={"x": {}})) == "one part"


def test_the_tables_say_what_a_fault_leads_to(tap: Tap) -> None:
    text = docs.streams_table(tap)
    for words in ("A refusal", "A feature that the plan lacks", "A row without its key"):
        assert text.count(words) == 1
