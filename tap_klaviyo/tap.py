"""The Klaviyo tap: its settings, what they mean together, and the states it can go on from."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.errors import ConfigError
from shared.settings import START_DATE, Setting
from shared.streams import Settings, Stream
from shared.tap import Tap
from shared.timestamps import UTC

from . import __version__, events, reports
from .client import OAUTH, REVISION, check, connect
from .fieldsets import SCHEMAS, without_extra
from .own_metrics import own_streams
from .streams import STREAMS

if TYPE_CHECKING:
    from shared.sandbox import Sandbox

logger = logging.getLogger("tap-klaviyo")

CREDENTIALS = (
    Setting(
        name="api_key",
        description="Private API key (pk_…), with the read scopes of what is to be read; it wins over OAuth.",
        secret=True,
        aliases=("auth_token", "api_private_key", "private_key"),
        label="Private API key",
    ),
    Setting(name="client_id", description="Of the OAuth application."),
    Setting(name="client_secret", description="Of the OAuth application.", secret=True),
    Setting(
        name="refresh_token",
        description="Of OAuth; dies after 90 days of disuse. A new one is written back.",
        secret=True,
    ),
    Setting(name="access_token", description="Of OAuth; renewed before it expires.", secret=True),
    Setting(name="expires_at", type="date-time", description="When access_token expires."),
    Setting(
        name="redirect_uri",
        description="Of the OAuth application. For --authorize on this machine: http://127.0.0.1 with a port.",
    ),
    Setting(name="code", description="An authorisation code, exchanged once for tokens.", secret=True),
    Setting(name="code_verifier", description="The PKCE verifier that belongs to code.", secret=True),
)

SETTINGS = (
    *CREDENTIALS,
    replace(
        START_DATE,
        required=True,
        description="Where events and profiles begin: RFC 3339, a date, or MM/DD/YYYY; UTC without a zone. Other "
        "streams are read whole at first.",
    ),
    Setting(
        name="api_revision",
        description="Klaviyo's revision, 2025-01-15 to 2026-07-15; 2026-01-15 or later reads events five times faster.",
        default=REVISION,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        aliases=("revision",),
    ),
    Setting(
        name="concurrency",
        type="integer",
        description="Requests under way at the same time; 1 is strictly one after the other.",
        default=16,
        minimum=1,
        maximum=64,
    ),
    Setting(
        name="rate_limit_share",
        type="number",
        description="How much of each quota to use; the account's other integrations draw on it too.",
        default=0.9,
        minimum=0.01,
        maximum=1,
    ),
    Setting(
        name="page_size",
        type="integer",
        description="Rows a request; never more than the endpoint allows. Default: as many as that.",
        minimum=1,
    ),
    Setting(
        name="max_retries",
        type="integer",
        description="Tries of a request that fails.",
        default=8,
        minimum=1,
    ),
    Setting(
        name="lookback_hours",
        type="number",
        description="Read so much again behind the bookmarks. Default: 168 for events, which come late, else 1.",
        minimum=0,
    ),
    Setting(
        name="event_window_days",
        type="number",
        description="The first width of the time windows in which events are read; it adapts.",
        default=30,
        minimum=0.01,
    ),
    Setting(
        name="metric_streams",
        type="array",
        description='Metrics (names or ids, or "all") to read as streams of their own, besides the contract\'s.',
    ),
    Setting(
        name="text_message_stream_names",
        type="boolean",
        description="Call the streams of text messages as singer-io's tap does since 1.2: sent_text_message, not "
        "sent_sms. Bookmarks carry over either way.",
        default=False,
    ),
    Setting(
        name="undated_profiles",
        type="boolean",
        description="Profiles that have no date of change too: a first run then walks through all, 1 request per 100.",
        default=False,
    ),
    Setting(
        name="include_future_events",
        type="boolean",
        description="Read events dated later than now as well, in each run, without moving a bookmark.",
        default=False,
    ),
    Setting(
        name="campaign_channels",
        type="array",
        description="Only campaigns of these channels. Default: all.",
        options=("email", "sms", "mobile_push"),
    ),
    Setting(
        name="campaigns_incremental",
        type="boolean",
        description="campaigns: only those updated since the last run. Default: all of them, as the contract says.",
        default=False,
    ),
    Setting(
        name="predictive_analytics",
        type="boolean",
        description="profiles: ask for predictions too, at a fifth of the rate.",
        default=False,
    ),
    Setting(
        name="list_profile_count",
        type="boolean",
        description="lists: ask for the number of profiles in each, 15 lists a minute.",
        default=False,
    ),
    Setting(
        name="template_definition",
        type="boolean",
        description="templates: ask for the definition too.",
        default=False,
    ),
    Setting(
        name="reports",
        type="array",
        description="Reports to read: objects with `type` (such as campaign_values_report), and optional name, "
        "statistics, group_by, interval, timeframe or lookback_days, conversion_metric_id. Default: one of each "
        "selected kind.",
        schema={"items": {"type": "object", "required": ["type"]}},
    ),
    Setting(
        name="report_lookback_days",
        type="integer",
        description="Days before today that a report covers, unless it says itself; attribution moves for 5 days.",
        default=7,
        minimum=1,
        maximum=365,
    ),
    Setting(
        name="conversion_metric_id",
        description="The metric that reports count as conversions. Default: what the account maps to revenue, or else "
        "the metric Placed Order.",
    ),
    Setting(
        name="conversion_integration",
        description="The integration (such as shopify) whose metric Placed Order counts, where several have one.",
    ),
    Setting(name="seed_keys", type="boolean", description="The same as key_mode: contract.", default=False),
)

_REVISIONS = (
    "2024-10-15", "2025-01-15", "2025-04-15", "2025-07-15", "2025-10-15", "2026-01-15", "2026-04-15", REVISION,
)  # fmt: skip
OLDEST_REVISION = "2025-01-15"
REBUILT_REVISION = "2026-10-15"
"""The first one with another shape of campaigns."""
_EXCHANGE = ("client_id", "client_secret", "redirect_uri", "code")


def validate(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, checked together; ConfigError where they contradict each other."""
    key = settings.get("api_key")
    is_oauth = settings.get("access_token") or all(
        settings.get(name) for name in ("client_id", "client_secret", "refresh_token")
    )
    if not (key or is_oauth or all(settings.get(name) for name in _EXCHANGE)):
        raise ConfigError(
            f"api_key is missing; or client_id, client_secret and refresh_token (or {', '.join(_EXCHANGE)}) for OAuth."
        )
    if key and not str(key).startswith("pk_"):
        logger.warning("api_key does not look like a private key, which begins with pk_")
    reports.check(settings)
    check_revision(str(settings["api_revision"]), today=datetime.now(UTC).date())
    changes: dict[str, Any] = {"key_mode": "contract"} if settings.get("seed_keys") else {}
    return {**settings, **changes}


def check_revision(revision: str, *, today: date) -> None:
    """Raises ConfigError for a revision that the tap cannot read; says when one is about to go."""
    try:
        released = date.fromisoformat(revision)
    except ValueError:
        raise ConfigError(f"api_revision {revision!r} is no date: the latest one known here is {REVISION}.") from None
    if revision < OLDEST_REVISION:
        raise ConfigError(f"api_revision {revision} is too old: this tap reads {OLDEST_REVISION} and later.")
    if revision >= REBUILT_REVISION:
        raise ConfigError(
            f"api_revision {revision} is too new: campaigns look different from {REBUILT_REVISION} on. Use {REVISION}."
        )
    months = (today.year - released.year) * 12 + today.month - released.month
    if months >= 24:
        logger.error("api_revision %s was retired two years after its release; use %s", revision, REVISION)
    elif months >= 12:
        logger.warning("api_revision %s is deprecated; use %s", revision, REVISION)


def adapt(tap: Tap, settings: Settings) -> Tap:
    """The tap with the stream names that the settings choose, and campaigns and columns read as they say."""

    def adapted(stream: Stream) -> Stream:
        if stream.sparse and settings.get("extra_fields", "column") != "column":
            stream = replace(stream, sparse=partial(without_extra, stream.sparse))
        if stream.name == "campaigns":
            return replace(stream, full_table=not settings.get("campaigns_incremental"))
        names = events.TEXT_MESSAGE_NAMES.get(stream.name)
        if names is None or not settings.get("text_message_stream_names"):
            return stream
        return replace(stream, name=names[0], aliases=(stream.name, *names[1:]))

    return replace(tap, streams=tuple(adapted(stream) for stream in tap.streams))


# States of older taps

_METRIC_ID = re.compile(r"[A-Za-z0-9]{6}")
_NAMES = {
    **{stream.name: stream.name for stream in STREAMS},
    **{alias: stream.name for stream in STREAMS for alias in stream.aliases},
    "listperson": "list_profiles",
}
_KEYS = {stream.name: stream.replication_key for stream in STREAMS}
_EVENT_STREAMS = tuple(events.ALIASES)


def read_state(state: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """The states of singer-io's and MeltanoLabs' taps as ours; ours as it is.

    singer-io's tap keeps a bookmark `since` by metric id (before 1.1.4 by stream name, before that bare and without
    `bookmarks` around it). Which stream a metric feeds is not known here, so every event stream gets the bookmarks by
    id: the others have no such unit. A bookmark by name counts for all metrics of the stream ("*").
    """
    bookmarks = state.get("bookmarks")
    if bookmarks is None and state and all(isinstance(value, str) for value in state.values()):
        bookmarks, state = state, {}
    if not isinstance(bookmarks, Mapping):
        return state
    ours: dict[str, Any] = {}
    units: dict[str, str] = {}
    for name, entry in bookmarks.items():
        stream, since = _NAMES.get(name), _since(entry)
        if since is None:
            ours[stream or name] = {**entry, **_joined(ours, stream)} if isinstance(entry, Mapping) else entry
        elif stream in _EVENT_STREAMS:
            _add_units(ours, str(stream), {"*": since})
        elif stream is not None and (key := _KEYS[stream]):
            ours[stream] = {key: since}
        elif _METRIC_ID.fullmatch(name):
            units[name] = since
    for stream in _EVENT_STREAMS if units else ():
        _add_units(ours, stream, units)
    return {**state, "bookmarks": ours}


def _since(entry: Any) -> str | None:
    """An older tap's bookmark, None where it is none."""
    if isinstance(entry, str) and entry:
        return entry
    if isinstance(entry, Mapping):
        for name in ("since", "replication_key_value"):
            if isinstance(value := entry.get(name), str) and value:
                return value
    return None


def _joined(ours: Mapping[str, Any], stream: str | None) -> dict[str, Any]:
    held = ours.get(stream or "")
    return {"units": held["units"]} if isinstance(held, Mapping) and "units" in held else {}


def _add_units(ours: dict[str, Any], stream: str, units: Mapping[str, str]) -> None:
    """Put an older tap's `units` behind those of ours."""
    entry = dict(ours.get(stream) or {})
    entry["units"] = {**units, **(entry.get("units") or {})}
    ours[stream] = entry


def _sandbox(options: Mapping[str, str]) -> Sandbox:
    from .sandbox import KlaviyoSandbox

    return KlaviyoSandbox(options)


TAP = Tap(
    name="tap-klaviyo",
    title="Klaviyo",
    version=__version__,
    schemas=SCHEMAS,
    settings=SETTINGS,
    connect=connect,
    check=check,
    streams=STREAMS,
    adapt=adapt,
    more_streams=own_streams,
    validate=validate,
    read_state=read_state,
    authorize=OAUTH,
    sandbox=_sandbox,
    website="https://www.klaviyo.com/",
    describe_key=(
        "A private key is made in Klaviyo under Settings, API keys; with client_id, client_secret and redirect_uri of "
        "an OAuth application in the config, --authorize gets the tokens."
    ),
)
