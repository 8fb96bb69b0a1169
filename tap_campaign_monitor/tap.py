"""The Campaign Monitor tap: its settings, what they mean together, and the states it can go on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.errors import ConfigError
from shared.settings import START_DATE, Setting
from shared.tap import Tap
from shared.timestamps import instant, shift

from . import __version__
from .client import OAUTH, check, connect
from .defaults import BRIEF
from .streams import STREAMS

if TYPE_CHECKING:
    from shared.sandbox import Sandbox
    from shared.streams import Settings

AGENT = f"tap-campaign-monitor/{__version__}"

SETTINGS = (
    Setting(
        name="client_id",
        type="array",
        description="Only these clients, by their API client IDs (not the OAuth application's). Default: all. A key of "
        "one client needs its ID.",
        aliases=("api_client_id",),
        label="API client ID",
    ),
    Setting(
        name="api_key",
        description="API key of the account or of one client.",
        secret=True,
        aliases=("username",),
        label="API key",
    ),
    Setting(
        name="refresh_token",
        description="OAuth refresh token; what the API gives in its place is saved in the config file.",
        secret=True,
        label="Refresh token",
    ),
    Setting(name="access_token", description="OAuth access token, good for 14 days.", secret=True),
    Setting(name="expires_at", description="When access_token expires; kept by the tap."),
    Setting(
        name="oauth_client_id",
        description="Of the OAuth application, for --authorize or together with code.",
        aliases=("application_client_id",),
        label="Application client ID",
    ),
    Setting(
        name="oauth_client_secret",
        description="Of the OAuth application.",
        secret=True,
        aliases=("application_client_secret",),
        label="Application client secret",
    ),
    Setting(
        name="redirect_uri", description="Of the OAuth application. For --authorize: http://127.0.0.1 with a port."
    ),
    Setting(
        name="code",
        description="An authorisation code, exchanged once for tokens, which are saved in its place.",
        secret=True,
    ),
    Setting(
        name="persist_tokens",
        type="boolean",
        description="Save tokens that the API renews in the config file.",
        default=True,
    ),
    replace(
        START_DATE,
        local=True,
        description=(
            "Where reports, subscribers and recipients begin: RFC 3339, a date, or MM/DD/YYYY; each client's own time "
            "without a zone. Subscribers whose state has not changed since are left out: leave it empty to have them "
            "all."
        ),
    ),
    Setting(
        name="end_date",
        type="date-time",
        local=True,
        description="Go into no campaigns that were sent at or after this instant. Default: all.",
    ),
    Setting(
        name="list_ids",
        type="array",
        description="Go into these lists only, and into their segments. Default: all.",
    ),
    Setting(
        name="campaign_tags",
        type="array",
        description="Only campaigns with all these tags. Default: all.",
    ),
    Setting(name="base_url", description="Another address of the API: https, or a loopback address."),
    Setting(name="user_agent", description="Appended to the tap's own name and version in the User-Agent header."),
    Setting(
        name="request_timeout",
        type="number",
        description="Seconds to wait for an answer to go on; reports on large campaigns are slow.",
        default=120,
        minimum=1,
        unset=(0,),
    ),
    Setting(
        name="max_retry_seconds",
        type="integer",
        description="Give a request up that has failed, or was put off by the API, for so long.",
        default=900,
        minimum=1,
    ),
    Setting(
        name="concurrency",
        type="integer",
        description="Requests under way at the same time, at most: fewer when the API complains or answers ever more "
        "slowly, more again when it is calm. 1 is strictly one after the other.",
        default=16,
        minimum=1,
        maximum=32,
    ),
    Setting(
        name="page_size",
        type="integer",
        description="Rows a request.",
        default=1000,
        minimum=20,  # pages overlap by a row or two, and the API refuses fewer than 10 rows
        maximum=1000,
        clamp=True,
    ),
    Setting(
        name="lookback_minutes",
        type="integer",
        description="Read so much again behind every bookmark, for what arrives late.",
        default=1440,
        minimum=1,
    ),
    Setting(
        name="subscriber_full_refresh_days",
        type="integer",
        description="Read a list's subscribers whole when that was last done so many days ago: edits of names, custom "
        "fields and consent do not move Date. 0: in every run; null: never.",
        default=7,
        minimum=0,
        null=True,
    ),
    Setting(
        name="skip_unchanged",
        type="boolean",
        description="Leave out reports of campaigns whose counters have not moved, and recipients that are complete.",
        default=True,
    ),
    Setting(
        name="force_read_days",
        type="integer",
        description="Read a report after so many days even if its counter has not moved.",
        default=30,
        minimum=0,
    ),
    Setting(
        name="campaign_window_days",
        type="integer",
        description="Of campaigns sent longer ago than this only the summary is read. Default: go into all.",
        minimum=0,
    ),
    Setting(
        name="summary_interval_days",
        type="integer",
        description="Summaries of campaigns sent more than 60 days ago are read again after a day, then two, and so on "
        "while nothing moves, up to so many. 0: in every run.",
        default=7,
        minimum=0,
    ),
    Setting(
        name="list_interval_days",
        type="integer",
        description="Details, statistics, custom fields and webhooks of lists are read again after so many days, where "
        "a client has more than ten lists. 0: in every run.",
        default=1,
        minimum=0,
    ),
    Setting(
        name="recipients_settle_days",
        type="integer",
        description="Recipients are read in every run until all are there and a campaign was sent so many days ago, "
        "and never again.",
        default=3,
        minimum=0,
    ),
    Setting(
        name="timezone",
        description="IANA name of the clients' time zone. Default: what each client's details say.",
    ),
    Setting(
        name="transactional_lookback_days",
        type="integer",
        description="Transactional messages sent so many days before the newest are read again: opens, clicks and "
        "status change.",
        default=7,
        minimum=0,
    ),
    Setting(
        name="custom_fields_as_object",
        type="boolean",
        description="Subscribers: custom fields once more as an object by name (CustomFieldsObject).",
        default=False,
    ),
)

EASTERNMOST_HOURS, WESTERNMOST_HOURS = 14, 12
"""How far zones are ahead of UTC, and behind it."""
_EXCHANGE = ("oauth_client_id", "oauth_client_secret", "redirect_uri", "code")


def validate(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings worked out; ConfigError where one cannot work."""
    tokens = settings.get("refresh_token") or settings.get("access_token")
    if not (settings.get("api_key") or tokens or all(settings.get(name) for name in _EXCHANGE)):
        raise ConfigError(f"api_key or refresh_token is missing (or {', '.join(_EXCHANGE)} to get one).")
    if settings.get("api_key") and tokens:
        raise ConfigError("api_key and refresh_token are two credentials: leave one out.")
    if name := settings.get("timezone"):
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise ConfigError(f"timezone: {name!r} is no IANA zone, such as America/New_York.") from None
    agent = settings.get("user_agent")
    return {
        **settings,
        **_dates(settings),
        **{
            name: list(dict.fromkeys(str(each).strip().lower() for each in settings.get(name) or ()))
            for name in ("client_id", "list_ids")
        },
        "zones_are_asked": not settings.get("timezone"),
        "user_agent": f"{AGENT} ({agent})" if agent and agent != AGENT else AGENT,
    }


def _dates(settings: Mapping[str, Any]) -> dict[str, str]:
    """Dates without a zone mean another instant for each client: they are kept aside, the widest put in their place."""
    found: dict[str, str] = {}
    for name, hours in (("start_date", -EASTERNMOST_HOURS), ("end_date", WESTERNMOST_HOURS)):
        text = settings.get(name)
        if text and not text.endswith("Z"):
            found |= {f"{name}_local": text, name: shift(f"{text}Z", hours * 3600)}
    return found


def read_state(state: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """The singer-io tap's state as ours; ours as it is.

    That tap has an entry for each parent and stream, whose value is UTC. It then sent it as if it were local, so west
    of UTC rows are missing behind each bookmark: a day before it is read again. A page number of a fork is dropped.
    """
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, Mapping):
        return state
    ours: dict[str, Any] = {name: entry for name, entry in bookmarks.items() if "." not in name}
    names = {stream.name for stream in STREAMS if stream.replication_key == "Date"}
    for place, entry in bookmarks.items():
        parent, dot, name = place.rpartition(".")
        if not dot or name not in names or not isinstance(entry, Mapping) or entry.get("field") != "Date":
            continue
        if value := instant(entry.get("last_record")):
            kept = dict(ours.get(name) or {})
            kept["units"] = {parent[:BRIEF]: shift(value, -86_400), **(kept.get("units") or {})}
            ours[name] = kept
    return {**state, "bookmarks": ours}


def _sandbox(options: Mapping[str, str]) -> Sandbox:
    from .sandbox import CampaignMonitorSandbox

    return CampaignMonitorSandbox(options)


TAP = Tap(
    name="tap-campaign-monitor",
    title="Campaign Monitor",
    version=__version__,
    schemas=Path(__file__).with_name("schemas"),
    settings=SETTINGS,
    connect=connect,
    check=check,
    streams=STREAMS,
    validate=validate,
    read_state=read_state,
    authorize=OAUTH,
    sandbox=_sandbox,
    website="https://www.campaignmonitor.com/",
    describe_key=(
        "An API key is shown in Campaign Monitor under Account settings, API keys; with oauth_client_id, "
        "oauth_client_secret and redirect_uri of an OAuth application in the config, --authorize gets a refresh_token."
    ),
)
