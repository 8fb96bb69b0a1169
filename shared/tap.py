"""What a tap is: its name, its settings, how to reach its API, its table of streams. A description, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .settings import COMMON, PERSIST_TOKENS, Setting, schema_of
from .streams import Settings, Stream, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from .api.client import Client, Context
    from .api.oauth import Flow
    from .sandbox import Sandbox


@dataclass(frozen=True, kw_only=True)
class Tap:
    """One tap, complete.

    name            the command's name, "tap-mailchimp"
    title           the platform's name for people
    version         the distribution's version
    schemas         the folder of `<stream>.json` files
    settings        its own settings; those of every tap are added by `settings_of`
    connect         Context (settings, report, stop, save) -> Client, with no request made
    check           (client): one cheap request that proves the credential, and whatever only the account can tell of
                    the settings; made before each sync, whose clock it sets; raises AuthError, ConfigError. Gives what
                    the API calls the account, where it told that: a state is one account's
    streams         the table
    adapt           (tap, settings) -> the tap as these settings want it: other names, other keys of its streams
    more_streams    (client) -> streams only this account has; asked at discovery and before a sync
    validate        settings -> settings: checks and derivations across settings; raises ConfigError
    forecast        the units of the streams without parents -> a line for the log on what the run will take, or None
    read_state      an older tap's state -> ours (same shape as ours when it was ours already)
    authorize       the OAuth flow behind --authorize, None where there is none
    sandbox         (options) -> the tap's API in miniature
    describe_key    sentence on how to get a credential, printed when none is given
    website         the platform's own site
    """

    name: str
    title: str
    version: str
    schemas: Path
    settings: tuple[Setting, ...]
    connect: Callable[[Context], Client]
    check: Callable[[Client], str | None]
    streams: tuple[Stream, ...]
    adapt: Callable[[Tap, Settings], Tap] | None = None
    more_streams: Callable[[Client], Iterable[Stream]] | None = None
    validate: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    forecast: Callable[[Sequence[Unit]], str | None] | None = None
    read_state: Callable[[Mapping[str, Any], Settings], Mapping[str, Any]] | None = None
    authorize: Flow | None = None
    sandbox: Callable[[Mapping[str, str]], Sandbox] | None = None
    describe_key: str = ""
    website: str = ""


def settings_of(tap: Tap) -> tuple[Setting, ...]:
    """The tap's own settings, then those of every tap that it does not declare itself."""
    own = {setting.name for setting in tap.settings}
    common = (*COMMON, PERSIST_TOKENS) if tap.authorize is not None else COMMON
    agent = f"{tap.name}/{tap.version}"
    return tuple(
        replace(setting, default=agent) if setting.name == "user_agent" and setting.default is None else setting
        for setting in (*tap.settings, *(setting for setting in common if setting.name not in own))
    )


def json_schema(tap: Tap) -> dict[str, Any]:
    """All settings of the tap as JSON Schema."""
    return schema_of(settings_of(tap))
