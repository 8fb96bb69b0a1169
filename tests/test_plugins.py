"""Meltano's definitions are those of the code. That Meltano takes them is shown by the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, TAPS
from jsonschema import Draft4Validator

from shared.command.plugins import definition, for_the_hub, written, yaml
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


# What Meltano's hub demands of an extractor (its schemas, 2026-11), as far as these definitions use it.
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}
HUB = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "namespace", "variant", "label", "quality", "maintenance_status", "repo"],
    "properties": {
        **dict.fromkeys(("name", "namespace", "variant", "label", "description", "pip_url", "executable"), _TEXT),
        **dict.fromkeys(("repo", "docs", "next_steps"), _TEXT),
        "domain_url": {"type": ["string", "null"], "pattern": "^https://"},
        "maintenance_status": {"enum": ["active", "beta", "development", "inactive", "unknown"]},
        "quality": {"enum": ["gold", "silver", "bronze", "unknown"]},
        "keywords": _TEXTS,
        "select": {"type": "array", "items": {"type": "string", "pattern": r"^[^.]+\.\*$"}},
        "capabilities": {
            "type": "array",
            "items": {
                "enum": [
                    "properties", "catalog", "discover", "state", "about", "stream-maps", "schema-flattening",
                    "activate-version", "batch", "test", "log-based", "structured-logging",
                ]
            },
        },
        "settings_group_validation": {"type": "array", "items": _TEXTS},
        "settings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    **dict.fromkeys(("name", "label", "description"), _TEXT),
                    "sensitive": {"type": "boolean"},  # newer than the schema, which Meltano reads all the same
                    "value": {},
                    "kind": {
                        "enum": [
                            "oauth", "hidden", "password", "date_iso8601", "file", "email", "integer", "options",
                            "object", "array", "boolean", "string",
                        ]
                    },
                    "options": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"label": _TEXT, "value": _TEXT}},
                    },
                },
            },
        },
    },
}  # fmt: skip


def test_the_hub_takes_the_definitions(tap: Tap) -> None:
    assert [error.message for error in Draft4Validator(HUB).iter_errors(for_the_hub(tap))] == []
    assert for_the_hub(tap)["domain_url"]
    broken = {**for_the_hub(tap), "quality": "best"}
    assert not Draft4Validator(HUB).is_valid(broken)


def test_yaml_is_quoted_where_it_has_to_be() -> None:
    text = yaml({"a": [{"b": "x: y", "c": ["on", "é"]}, [1, "z"]], "d": {"e": None, "f": True, "g": "plain"}, "h": []})
    assert text == ('a:\n- b: "x: y"\n  c:\n  - "on"\n  - "é"\n- [1, z]\nd:\n  e: null\n  f: true\n  g: plain\nh: []\n')
