"""What can be read from Iterable: the API's table of contents, and the few hooks it needs.

Facts are from the vendor's specification of 2026-03 unless said. What may surprise, over all of the table:

- Events and users are exports (see `exports`), one request of four a minute for each window of each of them.
- `campaigns`, `templates` and `journeys` give 20 rows, or 10, to those who do not page, and have no filter by change:
  all pages are read and the bookmark is applied here.
- Instants are epoch milliseconds, whatever the specification says of their type; exports write text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.api.paginators import cursor, overlapping, smaller_overlapping
from shared.api.request import Page, Params, Request, Row
from shared.errors import ApiError, AuthError, GoneError, QuotaError, RetryableError
from shared.streams import Anyway, LeftOut, Parent, Record, Rows, Settings, Step, Stream, Unit

from . import exports, members, metrics, profiles
from .client import LIST_SIZE, PLAIN
from .event_streams import EVENTS
from .events import Export

if TYPE_CHECKING:
    from shared.api.answers import Response
    from shared.api.client import Client

MEDIA = ("Email", "Push", "InApp", "SMS")
"""Those that templates can be filtered by; the rest (web push, embedded, WhatsApp, RCS) are in the plain list alone."""
TEMPLATE_TYPES = ("Base", "Blast", "Triggered", "Workflow")
PRINT_BYTES = 5
NOT_FINAL = ("Scheduled", "Starting", "Running", "Ready", "Recurring", "Recalling")

# Pages


def numbered(most: int, **params: Any) -> Callable[[Unit], Params]:
    """The first page, as large as may be."""

    def of(unit: Unit) -> Params:
        return {"page": 1, "pageSize": min(most, int(unit.settings["page_size"])), **params}

    return of


def has_more(body: Any) -> bool:
    """Whether there is a next page. Only the presence of its URL counts: the key goes to no host that a body names."""
    return bool(_inside(body).get("nextPageUrl"))


def _inside(body: Any) -> Mapping[str, Any]:
    """Catalogs answer in an envelope that the specification does not show."""
    inner = body.get("params") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else body if isinstance(body, dict) else {}


def enveloped(name: str) -> Callable[[Any], Sequence[Any]]:
    """The rows in an answer that may come in an envelope."""

    def rows(body: Any) -> Sequence[Any]:
        found = _inside(body).get(name)
        if not isinstance(found, list):
            raise ValueError(f"the answer has no {name!r}")
        return found

    return rows


by_number = overlapping(more=has_more)


def by_number_of_a_size(page: Page) -> Sequence[Request]:
    """The same where the largest page is not documented: an API that gives less than it was asked for, and has more, is
    asked again for what it gives. One that refuses is asked for half as much (`shrink`).
    """
    asked, given = int(page.request.params["pageSize"]), len(page.rows)
    if page.request.params["page"] == 1 and 0 < given < asked and has_more(page.body):
        return [page.request.with_params({"pageSize": given})]
    return by_number(page)


half_the_size = smaller_overlapping(smallest=10)

# Hooks


def is_campaign_new(record: Record, unit: Unit) -> bool:
    """Whether anything of a campaign differs from what it was: one that ends, or is given a label, may move no time.
    Without a memory of the last run's campaigns, by the times that they have, of which the end does not move
    `updatedAt`.
    """
    made = _print(record)
    unit.scratch.setdefault("prints", set()).add(made)
    if unit.since is None:
        return True
    if unit.mark is not None:
        if "known" not in unit.scratch:
            unit.scratch["known"] = unpacked(unit.mark)
        return made not in unit.scratch["known"]
    if record.get("campaignState") in NOT_FINAL:
        return True
    start = record.get("startAt")
    times = [record.get("updatedAt"), record.get("createdAt"), record.get("endedAt")]
    times.append(start if start and start <= unit.now else None)
    return max((time for time in times if time), default=unit.since) >= unit.since


def _print(record: Record) -> bytes:
    """Five bytes that stand for all of a record."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=PRINT_BYTES).digest()


def remembered(unit: Unit) -> Anyway:
    """Campaigns are read whole in every run; what they were is kept, to tell which of them changed."""
    return Anyway(lambda built: base64.b64encode(b"".join(sorted(built.scratch.get("prints", ())))).decode() or None)


def unpacked(mark: Any) -> frozenset[bytes]:
    """What the state remembers of campaigns; nothing where that cannot be read, so that all are written."""
    try:
        data = base64.b64decode(mark, validate=True)
    except (TypeError, ValueError):
        return frozenset()
    return frozenset(data[at : at + PRINT_BYTES] for at in range(0, len(data), PRINT_BYTES))


def templates(client: Client, unit: Unit) -> Iterator[Step]:
    """All templates, with the type and medium that only the filters tell, as far as these are answered."""
    from shared.sync.paging import pages

    kinds: dict[Any, dict[str, str]] = {}
    for field, values in (("messageMedium", MEDIA), ("templateType", TEMPLATE_TYPES)):
        for value in values:
            listing = plain_templates(params=numbered(1000, sort="id", **{field: value}))
            try:
                for batch in pages(client, unit, listing):
                    for row in batch.rows:
                        kinds.setdefault(row.get("templateId"), {})[field] = value
            except (AuthError, QuotaError):
                raise
            except RetryableError as error:
                yield LeftOut(f"{field} {value}", f"the templates have no {field} where it is {value}: {error}")
            except ApiError as error:
                client.report.warn(unit.stream, f"without the {field} {value} of templates: {error}")
    for batch in pages(client, unit, plain_templates()):
        yield Rows(
            [{**row, **kinds.get(row.get("templateId"), {})} for row in batch.rows], size=batch.size, care=batch.care
        )


def catalogs(client: Client, unit: Unit) -> Iterator[Step]:
    """All catalogs, with the types of their fields where these are told."""
    from shared.sync.paging import pages

    for batch in pages(client, unit, CATALOG_NAMES):
        for row in batch.rows:
            path = f"/api/catalogs/{_segment(row['name'])}/fieldMappings"
            found: Mapping[str, Any] = {}
            try:
                found = _inside(client.json(Request(path), stream=unit.stream))
            except GoneError:
                continue
            except (AuthError, QuotaError):
                raise
            except ApiError as error:
                yield LeftOut(f"the field types of catalog {row['name']}", str(error))
            yield Rows([{**row, **{name: found.get(name) for name in ("definedMappings", "undefinedFields")}}])


def _segment(text: Any) -> str:
    from urllib.parse import quote

    return quote(str(text), safe="")


def embedded_template(client: Client, unit: Unit) -> Iterator[Rows]:
    """A template whose medium no filter tells, if it turns out to be an embedded one."""
    request = Request("/api/templates/embedded/get", {"templateId": unit.parent["templateId"]})
    try:
        yield Rows([client.json(request, stream=unit.stream)])
    except GoneError:
        return


def forgotten(client: Client, unit: Unit) -> Iterator[Rows]:
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


plain_templates = partial(
    Stream,
    name="templates",
    path="/api/templates",
    records="templates",
    params=numbered(1000, sort="id"),
    identity=("templateId",),
    next_page=by_number,
)
CATALOG_NAMES = Stream(
    name="catalogs",
    path="/api/catalogs",
    records=enveloped("catalogNames"),
    params=numbered(1000),
    identity=("name",),
    next_page=by_number_of_a_size,
    shrink=half_the_size,
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
        is_new=is_campaign_new,
        gate=remembered,
        next_page=by_number,
        seed=True,
        deletions="archived campaigns say so",
    ),
    Stream(
        name="templates",
        description="Templates, with type and medium as far as the API tells",
        path="/api/templates",
        fetch=lambda client, unit: _generated(templates(client, unit)),
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
        description="Metrics of campaigns over their whole life",
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
        gate=metrics.settled,
        gate_full_table=True,
        selected=False,
        cost="1 of 10 requests a minute per 100 campaigns",
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
    detail("email_templates", "Email", "email", "Contents of email templates"),
    detail("push_templates", "Push", "push", "Contents of push templates"),
    detail("sms_templates", "SMS", "sms", "Contents of SMS templates"),
    detail("in_app_templates", "InApp", "inapp", "Contents of in-app templates"),
    Stream(
        name="embedded_templates",
        description="Contents of embedded templates",
        path="/api/templates/embedded/get",
        fetch=lambda client, unit: _generated(embedded_template(client, unit)),
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
        fetch=lambda client, unit: _generated(catalogs(client, unit)),
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
        fetch=lambda client, unit: _generated(forgotten(client, unit)),
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


def _generated(steps: Iterator[Step]) -> Generator[Step, None, None]:
    yield from steps


def forecast(units: Sequence[Unit]) -> str | None:
    """What the exports among the streams to read will take."""
    names = {"users", *(stream.name for stream in EVENTS)}
    return exports.forecast(unit for unit in units if unit.stream in names)
