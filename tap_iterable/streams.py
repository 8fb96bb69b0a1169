"""What can be read from Iterable: the API's table of contents, and the few hooks it needs.

Facts are from the vendor's specification of 2026-03 unless said. What may surprise, over all of the table:

- Events and users are exports (see `exports`), one request of four a minute for each window of each of them.
- `campaigns`, `templates` and `journeys` give 20 rows, or 10, to those who do not page, and have no filter by change:
  all pages are read and the bookmark is applied here.
- Instants are epoch milliseconds, whatever the specification says of their type; exports write text.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.api.paginators import cursor, offset
from shared.api.request import Params, Request, Row
from shared.errors import GoneError
from shared.streams import Parent, Record, Rows, Settings, Step, Stream, Unit

from . import campaigns, catalogs, experiments, exports, members, metrics, profiles, templates
from .client import LIST_SIZE, PLAIN
from .event_streams import EVENTS
from .events import Export
from .pages import by_number, by_number_of_a_size, enveloped, half_the_size, numbered

if TYPE_CHECKING:
    from shared.api.answers import Response
    from shared.api.client import Client


def forgotten(client: Client, unit: Unit) -> Generator[Step, None, None]:
    """The hashes of forgotten users. A project has those of its kind; asked for the other it answers an error."""
    for path, name, kind in (
        ("/api/users/forgotten", "hashedEmails", "email"),
        ("/api/users/forgottenUserIds", "hashedUserIds", "userId"),
    ):
        try:
            answer = client.json(Request(path, quota="users"), stream=unit.stream)
        except GoneError:
            continue
        hashes = answer.get(name) or []
        yield Rows([{"hash": each, "kind": kind, "extractedAt": unit.now} for each in dict.fromkeys(hashes)])


def stamped(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Rows that have no time of their own, with the run's."""
    for row in rows:
        yield {**row, "extractedAt": unit.now}


def named_fields(body: Any) -> Sequence[Any]:
    """One row for each field of `getFields`."""
    fields = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(fields, dict):
        raise ValueError("the answer has no 'fields'")
    return [{"name": name, "type": kind} for name, kind in fields.items()]


def as_number(response: Response) -> Any:
    """The size of a list, which comes as text."""
    return [{"size": int(response.text)}]


def without_secrets(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """Webhooks as the specification describes them, without what else may stand in them."""
    names = ("id", "endpoint", "enabled", "authType", "blastSendEnabled", "triggeredSendEnabled")
    for row in rows:
        yield {name: row.get(name) for name in (*names, "channelIds", "messageTypeIds")}


def journey_states(settings: Settings) -> dict[str, Params]:
    """The default answer hides archived journeys."""
    return {"": {}, **({"archived": {"state": "Archived"}} if settings["include_archived_journeys"] else {})}


def metadata_key(settings: Settings) -> tuple[str, ...] | None:
    """The key of metadata that `metadata_key` names."""
    return ("key",) if settings["metadata_key"] == "documented" else None


# The table

in_experiments = partial(Parent, stream="experiment_ids", keys={"experimentId": "id"})
in_lists = partial(Parent, stream="lists", keys={"listId": "id"}, carry=("listType",))


def detail(name: str, medium: str, kind: str, description: str) -> Stream:
    """The contents of the templates of one medium."""

    def is_of_medium(unit: Unit) -> bool:
        return unit.parent.get("messageMedium") == medium

    return Stream(
        name=name,
        description=description,
        path=f"/api/templates/{kind}/get",
        params=lambda unit: {"templateId": unit.parent["templateId"]},
        parent=Parent(
            stream="templates", keys={"templateId": "templateId"}, carry=("messageMedium",), where=is_of_medium
        ),
        key_properties=("templateId",),
        at_once=8,
        selected=False,
        cost="1 request per template",
    )


STREAMS = (
    Stream(
        name="channels",
        description="Channels",
        path="/api/channels",
        records="channels",
        seed=True,
    ),
    Stream(
        name="message_types",
        description="Message types, with their frequency caps",
        path="/api/messageTypes",
        records="messageTypes",
        seed=True,
    ),
    Stream(name="lists", description="Lists", path="/api/lists", records="lists", seed=True),
    Stream(
        name="campaigns",
        description="Campaigns in every state",
        path="/api/campaigns",
        records="campaigns",
        params=numbered(1000, sort="id"),
        replication_key="updatedAt",
        is_new=campaigns.is_new,
        gate=campaigns.remembered,
        next_page=by_number,
        seed=True,
        deletions="archived campaigns say so",
    ),
    Stream(
        name="templates",
        description="Templates, with type and medium as far as the API tells",
        path="/api/templates",
        fetch=templates.listed,
        key_properties=("templateId",),
        replication_key="updatedAt",
        seed=True,
        cost="9 requests per 1000 templates",
    ),
    Stream(
        name="metadata_tables",
        description="Tables of custom metadata",
        path="/api/metadata",
        records="results",
        transform=stamped,
        quota=PLAIN,
        key_properties=("name",),
        selected=False,
    ),
    Stream(
        name="metadata_keys",
        path="/api/metadata/{table}",
        records="results",
        parent=Parent(stream="metadata_tables", keys={"table": "name"}),
        next_page=cursor("nextMarker", param="nextMarker"),
        quota=PLAIN,
        key_properties=("table", "key"),
        hidden=True,
    ),
    Stream(
        name="metadata",
        description="Custom metadata, one record a key",
        path="/api/metadata/{table}/{key}",
        parent=Parent(stream="metadata_keys", keys={"table": "table", "key": "key"}),
        quota=PLAIN,
        key_properties=("table", "key"),
        contract_key=("key",),
        choose_key=metadata_key,
        seed=True,
        cost="1 request per key",
    ),
    Stream(
        name="list_users",
        description="Which users are in which list",
        path="/api/lists/getUsers",
        parent=(
            in_lists(where=members.is_asked),
            in_lists(where=members.is_on_profiles, batch=members.MOST_LISTS),
        ),
        fetch=members.fetch,
        cancel=exports.cancel,
        at_once=2,
        key_properties=("email", "listId"),
        choose_key=profiles.member_key,
        extend_schema=profiles.extend_members,
        checks=members.unmatched,
        seed=True,
        cost="1 of 5 requests a minute per list",
    ),
    Stream(
        name="campaign_metrics",
        description="Metrics of campaigns, over their whole life or by day or week",
        path="/api/campaigns/metrics",
        parent=Parent(
            stream="campaigns",
            keys={"id": "id"},
            carry=("campaignState", "createdAt", "updatedAt", "endedAt"),
            where=metrics.is_sent,
            batch=metrics.CAMPAIGNS_A_REQUEST,
            inject=False,
        ),
        fetch=metrics.of_campaigns,
        choose_key=metrics.key,
        gate=metrics.settled,
        gate_full_table=True,
        selected=False,
        cost="1 of 10 requests a minute per 100 campaigns, and window",
    ),
    Stream(
        name="experiment_metrics",
        description="Metrics of email experiments, one record a variation",
        path="/api/experiments/metrics",
        params={"startDateTime": "1970-01-01 00:00:00"},
        decode=metrics.rows,
        quota=PLAIN,
        key_properties=("experimentId", "templateId"),
        selected=False,
    ),
    Stream(
        name="experiment_ids",
        path="/api/experiments",
        records="experiments",
        params=lambda unit: {"limit": int(unit.settings["page_size"]), "offset": 0},
        next_page=offset("limit", "offset"),
        total="totalCount",
        quota=PLAIN,
        hidden=True,
    ),
    Stream(
        name="experiments",
        description="Experiments, with their settings and variants",
        path="/api/experiments/{id}",
        parent=Parent(stream="experiment_ids", keys={"id": "id"}, carry=("name", "author")),
        transform=experiments.described,
        quota=PLAIN,
        selected=False,
        cost="1 request per experiment",
    ),
    Stream(
        name="experiment_variants",
        description="Variants of experiments, with their contents",
        path="/api/experiments/{experimentId}/variants",
        records="variants",
        parent=in_experiments(),
        key_properties=("experimentId", "variantId"),
        quota=PLAIN,
        selected=False,
        cost="1 request per experiment",
    ),
    Stream(
        name="experiment_totals",
        description="What each variant of an experiment came to so far",
        path="/api/experiments/{experimentId}/totals",
        records=experiments.totals,
        parent=in_experiments(carry=("status",), where=experiments.has_begun),
        key_properties=("experimentId", "variantId"),
        quota=PLAIN,
        selected=False,
        cost="1 request per experiment",
    ),
    Stream(
        name="experiment_trends",
        description="The same over time, one record a point of a metric",
        path="/api/experiments/{experimentId}/trends",
        records=experiments.trends,
        parent=in_experiments(carry=("status",), where=experiments.has_begun),
        key_properties=("experimentId", "variantId", "metric", "time"),
        quota=PLAIN,
        selected=False,
        cost="1 request per experiment",
    ),
    detail("email_templates", "Email", "email", "Contents of email templates"),
    detail("push_templates", "Push", "push", "Contents of push templates"),
    detail("sms_templates", "SMS", "sms", "Contents of SMS templates"),
    detail("in_app_templates", "InApp", "inapp", "Contents of in-app templates"),
    Stream(
        name="embedded_templates",
        description="Contents of embedded templates",
        path="/api/templates/embedded/get",
        fetch=templates.embedded,
        parent=Parent(
            stream="templates",
            keys={"templateId": "templateId"},
            carry=("messageMedium",),
            where=lambda unit: unit.parent.get("messageMedium") is None,
        ),
        key_properties=("templateId",),
        at_once=8,
        selected=False,
        cost="1 request per template of a medium that no filter tells",
    ),
    Stream(
        name="journeys",
        description="Journeys, archived ones included",
        path="/api/journeys",
        records="journeys",
        params=numbered(50, sort="id"),
        partitions=journey_states,
        replication_key="updatedAt",
        next_page=by_number,
        quota=PLAIN,
        selected=False,
    ),
    Stream(
        name="catalogs",
        description="Catalogs, with the types of their fields",
        path="/api/catalogs",
        fetch=catalogs.described,
        key_properties=("name",),
        selected=False,
        cost="1 request per catalog",
    ),
    Stream(
        name="catalog_items",
        description="Items of catalogs",
        path="/api/catalogs/{catalogName}/items",
        records=enveloped("catalogItemsWithProperties"),
        params=numbered(1000),
        parent=Parent(stream="catalogs", keys={"catalogName": "name"}),
        key_properties=("catalogName", "itemId"),
        identity=("itemId",),
        next_page=by_number_of_a_size,
        shrink=half_the_size,
        at_once=8,
        selected=False,
        cost="1 request per 1000 items",
    ),
    Stream(
        name="snippets", description="Snippets", path="/api/snippets", records="snippets", quota=PLAIN, selected=False
    ),
    Stream(
        name="webhooks",
        description="Webhooks, without their secrets",
        path="/api/webhooks",
        records="webhooks",
        transform=without_secrets,
        quota=PLAIN,
        selected=False,
    ),
    Stream(
        name="user_fields",
        description="The fields of users, and their index types",
        path="/api/users/getFields",
        records=named_fields,
        quota="users",
        key_properties=("name",),
        selected=False,
    ),
    Stream(
        name="forgotten_users",
        description="Hashes of users that were forgotten",
        path="/api/users/forgotten",
        fetch=forgotten,
        key_properties=("hash", "kind"),
        selected=False,
    ),
    Stream(
        name="list_sizes",
        description="Sizes of lists",
        path="/api/lists/{listId}/size",
        parent=in_lists(where=members.is_wanted),
        decode=as_number,
        transform=stamped,
        quota=LIST_SIZE,
        at_once=2,
        key_properties=("listId",),
        selected=False,
        cost="1 of 5 requests a minute per list",
    ),
    Stream(
        name="export_jobs",
        description="Recent export jobs of the project",
        path="/api/export/jobs",
        records="jobs",
        selected=False,
    ),
    # The exports come last: what is cheap need not wait for them.
    Stream(
        name="users",
        description="Users, with the project's own fields",
        path="/api/export/data.json",
        fetch=profiles.fetch(Export(data_type="user", is_event=False)),
        cancel=exports.cancel,
        transform=profiles.records,
        extend_schema=profiles.extend,
        probe="/api/export/jobs",
        window=exports.WINDOW,
        lookback=profiles.lookback_seconds,
        key_properties=("email",),
        choose_key=profiles.key,
        replication_key="profileUpdatedAt",
        seed=True,
        cost="1 of 4 requests a minute for each window, at least one a run",
        deletions="deleted and forgotten users vanish without a trace",
    ),
    *EVENTS,
)


def forecast(units: Sequence[Unit]) -> str | None:
    """What the exports among the streams to read will take, and which users a first run does not see."""
    names = {"users", *(stream.name for stream in EVENTS)}
    said = exports.forecast(unit for unit in units if unit.stream in names)
    first = next((unit for unit in units if unit.stream == "users" and unit.since and not unit.bookmark), None)
    if said and first is not None and str(first.since) > members.FIRST_PROFILES:
        said += f" Of users, those updated since {str(first.since)[:10]} (start_date); an earlier one gives all."
    return said
