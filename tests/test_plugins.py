"""Meltano's definitions are those of the code. That Meltano takes them is shown by the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, TAPS

from shared.command.plugins import definition, written, yaml
from shared.tap import Tap, settings_of

FILES = [
    *(ROOT / "plugins" / "extractors" / f"{package.replace('_', '-')}.yml" for package in TAPS),
    *(
        ROOT / "examples" / "meltano" / "plugins" / "extractors" / f"{package.replace('_', '-')}--marketing-taps.lock"
        for package in TAPS
    ),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_definitions_are_those_of_the_code(path: Path) -> None:
    assert path.read_text("utf-8") == written(path), "run `make docs`"


def test_every_group_of_settings_exists_and_holds_a_credential(tap: Tap) -> None:
    settings = {setting.name: setting for setting in settings_of(tap)}
    for group in definition(tap)["settings_group_validation"]:
        assert set(group) <= set(settings)
        assert any(settings[name].secret for name in group)


def test_secrets_are_sensitive_and_streams_selected_by_default_are_selected(tap: Tap) -> None:
    found = definition(tap)
    sensitive = {setting["name"] for setting in found["settings"] if setting.get("sensitive")}
    assert sensitive == {setting.name for setting in settings_of(tap) if setting.secret}
    assert found["select"] == [f"{each.name}.*" for each in tap.streams if each.selected and not each.hidden]


def test_yaml_is_quoted_where_it_has_to_be() -> None:
    text = yaml({"a": [{"b": "x: y", "c": ["on", "é"]}, [1, "z"]], "d": {"e": None, "f": True, "g": "plain"}, "h": []})
    assert text == ('a:\n- b: "x: y"\n  c:\n  - "on"\n  - "é"\n- [1, z]\nd:\n  e: null\n  f: true\n  g: plain\nh: []\n')
