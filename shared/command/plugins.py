"""A tap's description as Meltano's hub keeps them: what `plugins/extractors/tap-*.yml` hold. A test compares them.

python -m shared.command.plugins plugins/extractors/tap-x.yml ...     writes them; the name of the file says which tap

A file `tap-x--<variant>.lock` is the same for a Meltano project.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ..settings import COMMON, Setting
from ..tap import Tap, settings_of
from .about import CAPABILITIES
from .addresses import SOURCE, page_of

VARIANT = "marketing-taps"
# Meltano 4.4 cannot pass on what it calls a decimal; numbers may be text here.
_KINDS = {"number": "string", "date-time": "date_iso8601"}
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def definition(tap: Tap) -> dict[str, Any]:
    """The tap's definition, members in the hub's order."""
    return {
        "name": tap.name,
        "namespace": tap.name.replace("-", "_"),
        "label": tap.title,
        "description": f"Singer tap for {tap.title}.",
        "variant": VARIANT,
        "pip_url": "marketing-taps",
        "executable": tap.name,
        "capabilities": list(CAPABILITIES),
        "settings_group_validation": credentials(tap),
        "settings": [_setting(setting) for setting in settings_of(tap)],
        "select": [f"{stream.name}.*" for stream in tap.streams if stream.selected and not stream.hidden],
    }


def for_the_hub(tap: Tap) -> dict[str, Any]:
    """The definition, and what the hub's pages show beside it."""
    steps = f"`{tap.name} --test` says what the credential may read, `{tap.name} --about` explains every setting."
    return {
        **definition(tap),
        "repo": SOURCE,
        "docs": page_of(tap.name),
        "domain_url": tap.website or None,
        "maintenance_status": "beta",
        "quality": "unknown",  # the hub's own word, until it has rated a tap
        "keywords": ["marketing", "email"],
        "next_steps": f"{tap.describe_key} {steps}".strip(),
    }


def credentials(tap: Tap) -> list[list[str]]:
    """Which settings make a working config: the required ones, with each kind of credential."""
    settings = {setting.name: setting for setting in settings_of(tap)}
    required = [name for name, setting in settings.items() if setting.required]
    flow = tap.authorize
    if flow is None:
        return [required]
    tokens = (flow.refresh_token, flow.access_token)
    common = {setting.name for setting in COMMON}
    of_flow = {flow.client_secret, *tokens, "code", "code_verifier"}
    keys = [name for name, setting in settings.items() if setting.secret and name not in {*of_flow, *common}]
    if flow.refresh_token in settings:
        granted = [flow.client_id, flow.client_secret, flow.refresh_token]
    else:
        granted = [flow.access_token]
    return [[*required, *keys], [*required, *granted]]


def _setting(setting: Setting) -> dict[str, Any]:
    is_choice = bool(setting.options) and setting.type != "array"
    found: dict[str, Any] = {
        "name": setting.name,
        "label": setting.label or setting.name.replace("_", " ").capitalize(),
        "kind": "options" if is_choice else _KINDS.get(setting.type, setting.type),
        "description": setting.description,
    }
    if setting.secret:
        found["sensitive"] = True
    if setting.default is not None:
        found["value"] = f"{setting.default:g}" if setting.type == "number" else setting.default
    if is_choice:
        found["options"] = [{"label": str(option), "value": option} for option in setting.options]
    return found


# YAML, as much of it as this takes


def yaml(value: Mapping[str, Any]) -> str:
    """An object as YAML in blocks, its strings plain where they can be."""
    return "\n".join(_members(value, "")) + "\n"


def _members(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, item in value.items():
        if item and isinstance(item, (list, tuple)):
            yield f"{indent}{name}:"
            yield from _items(item, indent)
        elif item and isinstance(item, Mapping):
            yield f"{indent}{name}:"
            yield from _members(item, f"{indent}  ")
        else:
            yield f"{indent}{name}: {_scalar(item)}"


def _items(value: Sequence[Any], indent: str) -> Iterator[str]:
    for item in value:
        if isinstance(item, Mapping):
            first, *rest = _members(item, f"{indent}  ")
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest
        elif isinstance(item, (list, tuple)):
            yield f"{indent}- [{', '.join(map(_scalar, item))}]"
        else:
            yield f"{indent}- {_scalar(item)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def written(path: Path) -> str:
    """What the file at `path` should hold."""
    name, _, _ = path.stem.partition("--")
    tap: Tap = import_module(f"{name.replace('-', '_')}.tap").TAP
    if path.suffix == ".lock":
        return json.dumps({"plugin_type": "extractors", **definition(tap)}, indent=2, ensure_ascii=False) + "\n"
    return f"# Made by `make docs` from {name}'s own declaration.\n{yaml(for_the_hub(tap))}"


def main(paths: Sequence[str]) -> None:
    """Write the files at `paths`."""
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written(path), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
