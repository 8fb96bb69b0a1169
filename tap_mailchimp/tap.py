"""The Mailchimp tap: its settings, what they mean together, and the states it can go on from."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.errors import ConfigError
from shared.settings import START_DATE, Setting
from shared.streams import Settings
from shared.tap import Tap

from . import __version__
from .client import OAUTH, check, connect
from .streams import STREAMS

if TYPE_CHECKING:
    from shared.sandbox import Sandbox

logger = logging.getLogger("tap-mailchimp")

CREDENTIALS = (
    Setting(
        name="access_token",
        description="OAuth token; it wins over an API key.",
        secret=True,
        aliases=("credentials.access_token",),
        label="Access token",
    ),
    Setting(
        name="api_key",
        description="API key, such as 0123456789abcdef0123456789abcdef-us6.",
        secret=True,
        aliases=("credentials.apikey", "credentials.api_key"),
        label="API key",
    ),
    Setting(
        name="dc",
        description="Data centre, such as us6; needed only where neither the API key nor a request can tell.",
        aliases=("server", "data_center"),
        label="Data centre",
    ),
    Setting(
        name="base_url",
        description="Another address of the API: https, or a loopback address. Default: the data centre's.",
        aliases=("api_endpoint",),
        label="Base URL",
    ),
    Setting(name="client_id", description="Of the OAuth application, for --authorize or together with code."),
    Setting(name="client_secret", description="Of the OAuth application.", secret=True),
    Setting(
        name="redirect_uri",
        description="Of the OAuth application. For --authorize on this machine: http://127.0.0.1 with a port.",
    ),
    Setting(
        name="code",
        description="An authorisation code, exchanged once for access_token, which is saved in its place.",
        secret=True,
    ),
)

SETTINGS = (
    *CREDENTIALS,
    replace(
        START_DATE,
        required=True,
        description=(
            "Where list_members, reports_email_activity, list_activity, member_tags, audience_contacts and "
            "file_manager_files begin: RFC 3339, a date, or MM/DD/YYYY; UTC without a zone. Other streams are read "
            "whole."
        ),
    ),
    Setting(
        name="request_timeout",
        type="number",
        description="Seconds to wait for an answer to go on; Mailchimp itself gives up after 120.",
        default=150,
        minimum=1,
        unset=(0,),
    ),
    Setting(
        name="concurrency",
        type="integer",
        description="Requests under way at the same time; Mailchimp allows a user 10, over all applications.",
        default=8,
        minimum=1,
        maximum=10,
        aliases=("max_connections",),
    ),
    Setting(
        name="page_size",
        type="integer",
        description="Rows a request.",
        default=1000,
        minimum=2,  # pages overlap by one row, so that none is missed when rows before them go
        maximum=1000,
        clamp=True,
    ),
    Setting(
        name="list_ids",
        type="array",
        description="Only these audiences, in all streams that hang under lists: a list, or ids with commas between "
        "them. Default: all.",
    ),
    Setting(
        name="include_archived",
        type="boolean",
        description="Read archived members too, in a second sweep over each list.",
        default=True,
    ),
    Setting(
        name="full_refresh_members_days",
        type="integer",
        description="Read list_members whole when that was last done so many days ago: opens and clicks move their "
        "stats without moving last_changed. So too streams of single members that the catalog makes INCREMENTAL. "
        "Default: never.",
        minimum=0,
    ),
    Setting(
        name="typed_merge_fields",
        type="boolean",
        description="Give each merge field a typed place of its own in merge_fields of list_members and "
        "list_segment_members (with flatten, a column), for a request per list at the start; false: an object of any "
        "content.",
        default=True,
    ),
    Setting(
        name="campaign_status",
        type="array",
        description="Only campaigns in these statuses. Default: all.",
        options=("save", "paused", "schedule", "sending", "sent", "canceled", "canceling", "archived"),
    ),
    Setting(
        name="segment_types",
        type="array",
        description="Only segments of these types, and their members; tags are static ones. Default: all.",
        options=("saved", "static", "fuzzy"),
    ),
    Setting(
        name="template_types",
        type="array",
        description="Only templates of these types; base and gallery are Mailchimp's own, some hundreds.",
        default=["user"],
        options=("user", "base", "gallery"),
    ),
    Setting(
        name="email_activity_date_window",
        type="integer",
        description="reports_email_activity: only campaigns sent within so many days; 0: all.",
        default=0,
        minimum=0,
    ),
    Setting(
        name="email_activity_lookback_seconds",
        type="integer",
        description="reports_email_activity: read so much again behind the bookmark of a campaign, for late events.",
        default=600,
        minimum=1,
    ),
    Setting(
        name="email_activity_settle_days",
        type="integer",
        description="Visit a campaign in every run for so many days after it was sent: soft bounces move no counter "
        "that could be trusted.",
        default=5,
        minimum=0,
    ),
    Setting(
        name="email_activity_mode",
        description="reports_email_activity: direct requests, Mailchimp's batches, or auto: direct, and a batch for a "
        "campaign whose pages take too long.",
        default="direct",
        options=("direct", "batch", "auto"),
    ),
    Setting(
        name="report_automation_emails",
        type="boolean",
        description="Read the streams under reports for the e-mails of classic automations as well.",
        default=False,
    ),
    Setting(
        name="incremental_reports",
        type="boolean",
        description="Skip campaigns whose counters have not moved, in the streams under reports that are read whole. "
        "false: read all in every run, as --full-refresh does once.",
        default=True,
    ),
    Setting(
        name="seed_keys",
        type="boolean",
        description="The same as key_mode: contract.",
        default=False,
    ),
)

_API_KEY = re.compile(r"[0-9a-f]{32}(-[a-z]{2,4}\d+)?", re.ASCII)
_DATA_CENTRE = re.compile(r"[a-z]{2,4}\d{1,3}", re.ASCII)
_EXCHANGE = ("client_id", "client_secret", "redirect_uri", "code")


def validate(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the data centre and the address worked out; ConfigError where they contradict each other."""
    token, key = settings.get("access_token"), settings.get("api_key")
    if not (token or key or all(settings.get(name) for name in _EXCHANGE)):
        raise ConfigError(f"api_key or access_token is missing (or {', '.join(_EXCHANGE)} to get one).")
    if key and not token and not _API_KEY.fullmatch(key):
        logger.warning("api_key does not look like one (32 hexadecimal digits, a hyphen and the data centre)")
    changes: dict[str, Any] = {"dc": _data_centre(settings, str(token or key or ""))}
    if base := settings.get("base_url"):
        changes["base_url"] = base if urlsplit(base).path.strip("/") else f"{base.rstrip('/')}/3.0"
    elif not token and key and not changes["dc"]:
        raise ConfigError("dc is missing: the API key does not end in its data centre (such as -us6).")
    if settings.get("seed_keys"):
        changes["key_mode"] = "contract"
    if listed := settings.get("list_ids"):
        changes["list_ids"] = [name for each in listed for text in str(each).split(",") if (name := text.strip())]
    changes["template_types"] = settings.get("template_types") or ["user"]
    return {**settings, **changes}


def _data_centre(settings: Settings, credential: str) -> str | None:
    """From the credential's end, or else as set. A wrong one would name a host that is not Mailchimp's."""
    given = str(settings.get("dc") or "").strip().lower() or None
    suffix = credential.rpartition("-")[2].lower() if "-" in credential else ""
    own = suffix if _DATA_CENTRE.fullmatch(suffix) else None
    if given and not _DATA_CENTRE.fullmatch(given):
        raise ConfigError(f"dc is {given!r}, which is no data centre (such as us6).")
    if given and own and given != own:
        raise ConfigError(f"dc is {given}, but the credential belongs to {own}: leave dc out, or check the credential.")
    return own or given


def read_state(state: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """The singer-io tap's state as ours; ours as it is.

    That tap keeps the bookmark of list_members under its list, and a campaign's under the name of the stream. It never
    asked for archived members, so its bookmark says nothing of them: that sweep begins anew, only the default one goes
    on. Its batch under way and its place among chunks of campaigns are dropped: those campaigns are read again from
    their bookmarks, and a null there means that none was set.
    """
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, Mapping):
        return state
    changed = {name: entry for name, entry in bookmarks.items() if name not in _RUN_IDS}
    members: dict[str, Any] = {}
    lists = changed.get("lists")
    if isinstance(lists, Mapping):
        for list_id, entry in lists.items():
            if isinstance(entry, Mapping) and isinstance(found := entry.get("list_members"), Mapping):
                members |= {f"{list_id}/default": found["datetime"]} if found.get("datetime") else {}
        rest = {name: entry for name, entry in lists.items() if not _is_old_list(entry)}
        changed |= {"lists": rest}
        if not rest:
            del changed["lists"]
    _join(changed, "list_members", members)
    activity = changed.get("reports_email_activity")
    if isinstance(activity, Mapping):
        old = {name: value for name, value in activity.items() if name not in _OUR_MEMBERS and not _is_nested(value)}
        changed["reports_email_activity"] = {name: value for name, value in activity.items() if name not in old}
        _join(changed, "reports_email_activity", {name: value for name, value in old.items() if value})
        if not changed["reports_email_activity"]:
            del changed["reports_email_activity"]
    return {**state, "bookmarks": changed}


_RUN_IDS = ("reports_email_activity_last_run_id", "reports_email_activity_next_chunk")
_OUR_MEMBERS = ("timestamp", "mark", "refreshed")


def _is_nested(value: Any) -> bool:
    return isinstance(value, (Mapping, list))


def _is_old_list(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "list_members" in entry


def _join(bookmarks: dict[str, Any], stream: str, units: Mapping[str, Any]) -> None:
    """Put an older tap's `units` behind those of ours."""
    if units:
        entry = bookmarks.get(stream)
        entry = dict(entry) if isinstance(entry, Mapping) else {}
        entry["units"] = {**units, **(entry.get("units") or {})}
        bookmarks[stream] = entry


def _sandbox(options: Mapping[str, str]) -> Sandbox:
    from .sandbox import MailchimpSandbox

    return MailchimpSandbox(options)


TAP = Tap(
    name="tap-mailchimp",
    title="Mailchimp",
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
    website="https://mailchimp.com/",
    describe_key=(
        "An API key is made in Mailchimp under Account & billing, Extras, API keys; with client_id, client_secret and "
        "redirect_uri of an OAuth application in the config, --authorize gets an access_token."
    ),
)
