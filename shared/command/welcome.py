"""What a tap says that was started with nothing: how to try it, the lines of a config, where more is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tap import settings_of
from .addresses import page_of
from .plugins import credentials

if TYPE_CHECKING:
    from ..settings import Setting
    from ..tap import Tap

_EXAMPLES = {"start_date": "2026-01-01"}


def welcome(tap: Tap) -> str:
    """The text, whose first line says what is missing."""
    settings = {setting.name: setting for setting in settings_of(tap)}
    needed = [settings[name] for name in credentials(tap)[0]]
    needed.sort(key=lambda setting: setting.name in _EXAMPLES)
    lines = [f'"{setting.name}": "{_example(setting)}"' for setting in needed]
    name = tap.name
    return f"""\
{name}: no config is given, so {_listed([setting.name for setting in needed])} are missing.

To try it without an account:

    {name} --sandbox --preview

To read your account, write this into config.json:

    {{{f",{chr(10)}     ".join(lines)}}}

    {name} --config config.json --test         what the credential may read
    {name} --config config.json --preview      the first rows of each stream

{tap.describe_key} {name} --about explains every setting; with --env they come from the environment.
More: {page_of(name)}
"""


def _example(setting: Setting) -> str:
    return _EXAMPLES.get(setting.name, "…")


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
