"""The Customer.io tap: its settings, what they mean together, and the states it can go on from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import ConfigError
from shared.settings import START_DATE, Setting
from shared.streams import Parent, Settings, Stream
from shared.tap import Tap

from . import __version__
from .client import check, connect
from .defaults import LISTED_WHOLE
from .metrics import METRICS
from .streams import LEGACY, STREAMS
from .streams.children import HYDRATED_OBJECTS, LISTED_OBJECTS

if TYPE_CHECKING:
    from shared.sandbox import Sandbox

AGENT = f"tap-customerio/{__version__}"
_BEARER = re.compile(r"^bearer\s+", re.IGNORECASE)
_HOST = re.compile(r"[^\s/@:]+")
_INTEGERS = {"items": {"type": ["integer", "string"]}}

SETTINGS = (
    Setting(
        name="access_token",
        description="App API key of one workspace (Account Settings, API Credentials, App API keys).",
        required=True,
        secret=True,
        aliases=("app_api_key", "api_key"),
        label="App API key",
    ),
    Setting(
        name="region",
        description="Where the workspace is: us, eu, or auto, which asks the US first and the EU if the key is not "
        "taken there.",
        default="auto",
        pattern="^([uU][sS]|[eE][uU]|[aA][uU][tT][oO])$",
        label="Region",
    ),
    Setting(
        name="base_url",
        description="Another address of the API: https, or a loopback address. Default: the region's.",
        aliases=("api_url",),
        label="Base URL",
    ),
    replace(
        START_DATE,
        description=(
            "First bookmark of all incremental streams: RFC 3339, a date, or MM/DD/YYYY; UTC without a zone. Default: "
            "everything, messages from 2012 on."
        ),
    ),
    Setting(name="user_agent", description="Appended to the tap's own name and version in the User-Agent header."),
    Setting(
        name="requests_per_second",
        type="number",
        description="Requests begun in any one second by all workers; lower it when others use the workspace much.",
        default=10,
        minimum=0.01,
    ),
    Setting(
        name="concurrency",
        type="integer",
        description="Requests under way at the same time; 1 is strictly one after the other.",
        default=8,
        minimum=1,
        maximum=32,
    ),
    Setting(
        name="max_retries",
        type="integer",
        description="How often a request is repeated that failed (5xx, connection). Waiting for quota does not count.",
        default=8,
        minimum=0,
        maximum=50,
    ),
    Setting(
        name="lookback_minutes",
        type="integer",
        description="Incremental streams: what changed so long before the bookmark is written again.",
        default=60,
        minimum=0,
    ),
    Setting(
        name="messages_window_days",
        type="integer",
        description="messages: how much time one walk of pages covers; empty windows double the next one.",
        default=30,
        minimum=1,
        maximum=180,
    ),
    Setting(
        name="messages_lookback_days",
        type="integer",
        description="messages: deliveries so much older than the bookmark are read again, since their metrics fill in "
        "late: opens and clicks for 6 months, conversions for 90 days.",
        default=30,
        minimum=0,
        maximum=180,
    ),
    Setting(
        name="include_drafts",
        type="boolean",
        description="messages: read drafts too, in a second pass, with the column draft true.",
        default=False,
    ),
    Setting(
        name="get_tracked_responses",
        type="boolean",
        description="messages: ask for tracked_responses.",
        default=False,
    ),
    Setting(
        name="activities_lookback_hours",
        type="integer",
        description="activities: the walk ends at a page that is older than the bookmark by so much.",
        default=24,
        minimum=0,
        maximum=720,
    ),
    Setting(
        name="activities_types",
        type="array",
        description="activities: only these types, one walk each, side by side. Default: all, in one walk.",
    ),
    Setting(
        name="customers_key",
        description="The key of customers: id (cio_ and the cio_id where a person has none), or cio_id, which never "
        "changes.",
        default="id",
        options=("id", "cio_id"),
    ),
    Setting(
        name="customers_segment_ids",
        type="array",
        description="customers: only members of these segments. Default: all people.",
        schema=_INTEGERS,
    ),
    Setting(
        name="customers_source",
        description="customers: search, or export for more than a million people: one export of the workspace is made "
        "for each run, which its users see; without devices and timestamps.",
        default="search",
        options=("search", "export"),
    ),
    Setting(
        name="esp_suppression_domains",
        type="array",
        description="eps_suppression: read these sending domains, each by itself. Default: the account's own lists.",
    ),
    Setting(
        name="objects_filter_field",
        description="custom_objects: the attribute that every object has; those with it are found.",
        default="cio_object_id",
    ),
    Setting(
        name="hydrate_objects",
        type="boolean",
        description="custom_objects: read each object's attributes too, 1 request per object.",
        default=False,
    ),
    Setting(
        name="metrics_resolutions",
        type="array",
        description="Metrics by hours, days, weeks or months, or several of these side by side. Where Customer.io "
        "gives no dates it keeps 24 hours, 45 days, 12 weeks or 121 months.",
        default=["days"],
        options=("hours", "days", "weeks", "months"),
        aliases=("metrics_resolution",),
    ),
    Setting(
        name="metrics_channels",
        type="array",
        description="campaign_metrics and broadcast_metrics: each of these kinds of messages by itself (email, "
        "webhook, twilio, push, in_app, slack …; all for their sum); the column channel joins the key. Default: their "
        "sum.",
    ),
    Setting(
        name="metrics_unique_clicks",
        type="boolean",
        description="Metrics of links: the clicks of different people too, 1 more request each.",
        default=False,
    ),
    Setting(
        name="metrics_lookback_days",
        type="integer",
        description="Metrics: periods so much older than the bookmark are read again, since counts grow late.",
        default=30,
        minimum=0,
    ),
    Setting(
        name="redact_webhook_credentials",
        type="boolean",
        description="reporting_webhooks: leave user and password out of endpoints.",
        default=True,
    ),
    Setting(
        name="string_ids",
        type="boolean",
        description="Whole-number ids as text, as singer-io's tap has them.",
        default=False,
    ),
    Setting(
        name="legacy_stream_names",
        type="boolean",
        description="Names of singer-io's tap: info, subscription_center and objects for ip_addresses, topics, types.",
        default=False,
    ),
)


def validate(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings worked out; ConfigError where one cannot work."""
    token = _BEARER.sub("", str(settings.get("access_token") or "").strip())
    if token.startswith("sa_live_"):
        raise ConfigError(
            "access_token is a service-account token (sa_live_), which is for sending alone: make an App API key under "
            "Account Settings, API Credentials."
        )
    agent = settings.get("user_agent")
    domains = [str(domain).strip().lower() for domain in settings.get("esp_suppression_domains") or ()]
    for domain in domains:
        if not _HOST.fullmatch(domain):
            raise ConfigError(f"esp_suppression_domains: {domain!r} is no name of a sending domain.")
    segments = settings.get("customers_segment_ids") or ()
    if not all(str(each).isdigit() for each in segments):
        raise ConfigError("customers_segment_ids: ids of segments are whole numbers.")
    return {
        **settings,
        "access_token": token,
        "region": str(settings.get("region") or "auto").lower(),
        "user_agent": f"{AGENT} ({agent})" if agent and agent != AGENT else AGENT,
        "esp_suppression_domains": list(dict.fromkeys(domains)),
        "customers_segment_ids": [int(each) for each in segments],
    }


def adapt(tap: Tap, settings: Settings) -> Tap:
    """The tap with the names and keys that the settings choose."""
    if settings.get("hydrate_objects"):
        tap = replace(tap, streams=tuple(_hydrating(tap.streams)))
    changes: dict[str, dict[str, Any]] = {}
    if settings.get(
        "activate_version"
    ):  # the rows are there in any case, and only all of them tell which ones have gone
        changes |= {each.name: {"full_table": True} for each in tap.streams if each.deletions == LISTED_WHOLE}
    renamed = LEGACY if settings.get("legacy_stream_names") else {}
    changes |= {name: {**change, "aliases": (name,)} for name, change in renamed.items()}
    if settings.get("customers_key") == "cio_id":
        changes["customers"] = {"key_properties": ("cio_id",)}
    if settings.get("esp_suppression_domains"):
        changes["eps_suppression"] = {"next_page": None}  # theirs is another, which the hook knows
    if not changes:
        return tap
    names = {name: str(change.get("name", name)) for name, change in changes.items()}
    streams = (replace(each, **changes.get(each.name, {})) for each in tap.streams)
    return replace(tap, streams=tuple(_under(each, names) for each in streams))


def _hydrating(streams: Iterable[Stream]) -> Iterator[Stream]:
    """The streams with objects listed first and read then, one by one."""
    for each in streams:
        if each.name == HYDRATED_OBJECTS.name:
            yield LISTED_OBJECTS
            yield HYDRATED_OBJECTS
        else:
            yield _under(each, {HYDRATED_OBJECTS.name: LISTED_OBJECTS.name})


def _under(stream: Stream, names: Mapping[str, str]) -> Stream:
    """The stream under parents of their new names."""
    parents = tuple(replace(each, stream=names.get(each.stream, each.stream)) for each in stream.parents)
    parent: Parent | tuple[Parent, ...] = parents[0] if len(parents) == 1 else parents
    return replace(stream, parent=parent)


def read_state(state: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """The singer-io tap's state as ours: the same shape, but for entries of streams that are read whole there.

    Our own of 0.1.0 named the units of metrics by their parents alone, since there was one resolution.
    """
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, Mapping):
        return state
    kept = {name: entry for name, entry in bookmarks.items() if isinstance(entry, Mapping)}
    for stream in METRICS:
        units = kept.get(stream.name, {}).get("units")
        if isinstance(units, Mapping):
            kept[stream.name] = {**kept[stream.name], "units": _by_resolution(stream, units, settings)}
    return {**state, "bookmarks": kept}


def _by_resolution(stream: Stream, units: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The units, those of 0.1.0 under the names that they have now."""
    assert callable(stream.partitions)
    partition = next(iter(stream.partitions(settings)))
    parents = len(stream.parents[0].keys)
    return {key if key.count("/") >= parents else f"{key}/{partition}": value for key, value in units.items()}


def _sandbox(options: Mapping[str, str]) -> Sandbox:
    from .sandbox import CustomerioSandbox

    return CustomerioSandbox(options)


TAP = Tap(
    name="tap-customerio",
    title="Customer.io",
    version=__version__,
    schemas=Path(__file__).with_name("schemas"),
    settings=SETTINGS,
    connect=connect,
    check=check,
    streams=STREAMS,
    adapt=adapt,
    validate=validate,
    read_state=read_state,
    sandbox=_sandbox,
    website="https://customer.io/",
    describe_key=(
        "An App API key is made in Customer.io under Account Settings, API Credentials, App API keys; it belongs to "
        "one workspace."
    ),
)
