"""The Iterable tap: its settings, what they mean together, and the states it can go on from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import ConfigError
from shared.settings import START_DATE, Setting
from shared.streams import Settings
from shared.tap import Tap

from . import __version__
from .client import HOSTS, check, connect
from .project import Project
from .streams import STREAMS, forecast

if TYPE_CHECKING:
    from shared.sandbox import Sandbox

logger = logging.getLogger("tap-iterable")

SETTINGS = (
    Setting(
        name="api_key",
        description="A server-side API key; a read-only key reaches no export, no members of lists and no catalogs.",
        required=True,
        secret=True,
        pattern=r"^\S+$",
        label="API key",
    ),
    replace(START_DATE, required=True),
    Setting(
        name="region",
        description="The project's data centre, US or EU, in either case.",
        default="US",
        label="Data centre",
    ),
    Setting(
        name="api_window_in_days",
        type="number",
        description="The first window of an export; later ones grow and shrink by how it went. May be a fraction.",
        default=30,
        minimum=0.0001,
        aliases=("window_in_days",),
    ),
    Setting(
        name="max_window_in_days",
        type="number",
        description="The widest window of an export.",
        default=366,
        minimum=0.0001,
    ),
    Setting(
        name="lookback_minutes",
        type="integer",
        description="Read so much again behind the bookmark of an export, and write all of it again, for events that "
        "arrive late. Default: for events a week, of which only what was indexed since is written, where windows are "
        "wider than that and the target merges by key; else an hour, as for users.",
        minimum=0,
        aliases=("lookback_window",),
    ),
    Setting(
        name="export_mode",
        description="Exports by direct answers (stream), through jobs (job), or auto: jobs for a backfill, and for "
        "what is too much for an answer. All give the same records.",
        default="auto",
        options=("auto", "stream", "job"),
    ),
    Setting(
        name="job_threshold_days",
        type="integer",
        description="export_mode auto: more days than this to read are a backfill.",
        default=90,
        minimum=0,
    ),
    Setting(
        name="job_timeout_s",
        type="integer",
        description="Seconds after which an export job has failed.",
        default=21_600,
        minimum=1,
    ),
    Setting(
        name="export_concurrency",
        type="integer",
        description="Direct exports under way at the same time.",
        default=4,
        minimum=1,
        maximum=4,
    ),
    Setting(
        name="export_requests_per_minute",
        type="number",
        description="Direct exports a minute; lower it when other programs export from the project.",
        default=4,
        minimum=0.01,
    ),
    Setting(
        name="list_requests_per_minute",
        type="number",
        description="Requests for members, and for sizes, of lists a minute.",
        default=5,
        minimum=0.01,
    ),
    Setting(
        name="metrics_requests_per_minute",
        type="number",
        description="Requests for metrics of campaigns a minute.",
        default=10,
        minimum=0.01,
    ),
    Setting(
        name="page_size",
        type="integer",
        description="Rows a request, where there are pages.",
        default=1000,
        minimum=10,
        maximum=1000,
        clamp=True,
    ),
    Setting(
        name="project_type",
        description="By what the project tells users apart; auto: hybrid where they have an itblUserId, else email.",
        default="auto",
        options=("auto", "email", "userid", "hybrid"),
    ),
    Setting(
        name="event_key",
        description="The key of events: `event_id`, which tells all of them apart; `append`: none, for targets that "
        "append; `documented`: the email, with which a target keeps one event a person.",
        default="event_id",
        options=("event_id", "append", "documented"),
    ),
    Setting(
        name="list_users_source",
        description="Members of lists: from each list (api), or, of all lists but dynamic ones, from an export of all "
        "users (users_export), which is quicker where lists are many. In userID projects project_type has to say so.",
        default="api",
        options=("api", "users_export"),
    ),
    Setting(
        name="list_users_timeout_s",
        type="integer",
        description="Seconds to wait for the members of a list to go on; large lists take long to begin.",
        default=1800,
        minimum=1,
    ),
    Setting(
        name="metadata_key",
        description="The key of metadata: table and key, or the documented one, key alone, which repeats.",
        default="table_key",
        options=("table_key", "documented"),
    ),
    Setting(
        name="users_layout",
        description="The project's own fields of users: a column each, or all in the object `dataFields`.",
        default="flat",
        options=("flat", "data_fields"),
    ),
    Setting(
        name="list_ids",
        type="array",
        description="Only the members, and the sizes, of the lists with these ids. Default: all.",
        schema={"items": {"type": ["integer", "string"]}},
    ),
    Setting(
        name="list_types",
        type="array",
        description="Only those of lists of these types: Standard (or Static), Dynamic, Suppression, Internal. "
        "Default: all.",
    ),
    Setting(
        name="metrics_window",
        description="campaign_metrics: one record for the whole life of a campaign, or one for each day or week in "
        "which anything was counted, which takes a request for each of them.",
        default="lifetime",
        options=("lifetime", "day", "week"),
    ),
    Setting(
        name="metrics_lookback_days",
        type="integer",
        description="campaign_metrics: campaigns that ended, and were last edited, longer ago are not read again; days "
        "and weeks longer ago neither.",
        default=30,
        minimum=0,
    ),
    Setting(
        name="include_archived_journeys",
        type="boolean",
        description="Read archived journeys too.",
        default=True,
    ),
    Setting(
        name="concurrency",
        type="integer",
        description="Requests under way at the same time; each quota has its own limit besides.",
        default=16,
        minimum=1,
        maximum=64,
    ),
)


def validate(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the region in capitals, lists by their words, and the address worked out."""
    region = str(settings["region"]).strip().upper()
    if region not in HOSTS:
        raise ConfigError(f"region is {settings['region']!r}, and has to be US or EU: where the project lives.")
    changes: dict[str, Any] = {"region": region, "project": Project(kind=settings["project_type"])}
    if base := settings.get("base_url"):
        changes["base_url"] = base.removesuffix("/api")  # older connectors want it with that
    for name in ("list_ids", "list_types"):
        changes[name] = [word.strip() for each in settings.get(name) or () for word in str(each).split(",")] or None
    if wrong := [each for each in changes["list_ids"] or () if not each.isdecimal()]:
        raise ConfigError(f"list_ids are numbers, as the API and the web page of a list show them, not {wrong[0]!r}.")
    if settings["event_key"] == "documented":
        logger.warning("event_key is `documented`: a target that merges by email keeps one event for each person.")
    return {**settings, **changes}


def read_state(state: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """A Meltano SDK tap's state as ours; singer-io's, and ours, as they are.

    The SDK keeps a value under `replication_key_value`, for some streams in `partitions`, of which the earliest counts.
    Where that tap moved its bookmark to the latest event seen, ours begins there all the same: it is only older.
    """
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, Mapping):
        return state
    keys = {stream.name: stream.replication_key for stream in STREAMS if stream.replication_key}
    changed: dict[str, Any] = {}
    for name, entry in bookmarks.items():
        key = keys.get(name)
        changed[name] = entry
        if key is None or not isinstance(entry, Mapping) or entry.get(key):
            continue
        parts = entry.get("partitions")
        values = [part.get("replication_key_value") for part in parts or () if isinstance(part, Mapping)]
        values.append(entry.get("replication_key_value"))
        found = [str(value) for value in values if value]
        if found:
            changed[name] = {key: min(found)}
    return {**state, "bookmarks": changed}


def _sandbox(options: Mapping[str, str]) -> Sandbox:
    from .sandbox import IterableSandbox

    return IterableSandbox(options)


TAP = Tap(
    name="tap-iterable",
    title="Iterable",
    version=__version__,
    schemas=Path(__file__).with_name("schemas"),
    settings=SETTINGS,
    connect=connect,
    check=check,
    streams=STREAMS,
    validate=validate,
    forecast=forecast,
    read_state=read_state,
    sandbox=_sandbox,
    website="https://iterable.com/",
    describe_key="A server-side API key is made in Iterable under Integrations, API keys.",
)
