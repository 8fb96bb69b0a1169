"""What each endpoint of the sandbox answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from shared.sandbox import Answer, Call, Param, Refusal, Row, Table

from . import exports, metrics
from .account import DAY

if TYPE_CHECKING:
    from . import CustomerioSandbox

MONTHS_6 = 181 * DAY
Rows = Sequence[Row]
Handler = Callable[["CustomerioSandbox", Call], Answer]
Endpoint = tuple[str, str, Handler, Mapping[str, Param]]


def _limit(default: int, most: int) -> dict[str, Param]:
    return {"limit": Param("integer", default=default, least=1, cap=most), "start": Param()}


def _listed(key: str, rows: Callable[[CustomerioSandbox, Call], Rows], *, tail: bool = False) -> Handler:
    """All of it, or pages where the route has a limit. `tail`: the last full page's token leads to an empty page."""

    def handle(box: CustomerioSandbox, call: Call) -> Answer:
        try:
            found = rows(box, call)
        except (KeyError, ValueError):
            raise Refusal(404, "not found") from None
        if "limit" not in call.params:
            return Answer.of({key: list(found) or None})
        return box.page(key, Table.of(found), call, tail=tail)

    return handle


def _of(name: str) -> Callable[[CustomerioSandbox, Call], Rows]:
    """A short list of the workspace."""
    return lambda box, call: getattr(box.workspace, name)()


def _below(stream: str) -> Callable[[CustomerioSandbox, Call], Rows]:
    """The children of the parent in the path."""
    return lambda box, call: box.children(stream, call.args)


def _unconfirmed(key: str, other: str, rows: Callable[[CustomerioSandbox, Call], Rows]) -> Handler:
    """A list of which it is not confirmed where it stands."""

    def handle(box: CustomerioSandbox, call: Call) -> Answer:
        if box.options["lists"] == "bare":
            try:
                return Answer.of(list(rows(box, call)))
            except KeyError:
                raise Refusal(404, "not found") from None
        return _listed(other if box.options["lists"] == "other" else key, rows)(box, call)

    return handle


def _senders(box: CustomerioSandbox, call: Call) -> Rows:
    shown, hidden = (box.workspace.senders(hidden=flag) for flag in (False, True))
    if not call.params.get("hidden"):
        return shown
    return [*shown, *hidden] if box.options["hidden"] == "all" else hidden


def _messages(box: CustomerioSandbox, call: Call) -> Answer:
    """Both bounds count; a range beyond six months is silently cut at its old end, and six months are the default."""
    end = call.params.get("end_ts", box.workspace.now)
    start = max(call.params.get("start_ts", 0), end - MONTHS_6)
    if start > end:
        raise Refusal(400, "start_ts is after end_ts")
    if box.options["drift"]:
        box.workspace.message_count += 7
        box._tables.pop("messages", None)  # noqa: SLF001
    if call.params.get("drafts"):
        table = Table(30, box.workspace.draft)
    else:
        table = box._tables.setdefault("messages", box.workspace.messages())  # noqa: SLF001
    created = table.column("created")
    numbers = [number for number in table.order("created", descending=True) if start <= created[number] <= end]
    return box.page("messages", table, call, numbers=numbers)


def _activities(box: CustomerioSandbox, call: Call) -> Answer:
    if box.options["drift"]:
        box.workspace.activity_count += 7  # they come on top, and all that is below moves down
    table = box.workspace.activities()
    numbers: Sequence[int] = range(table.count)
    if call.params.get("type"):
        numbers = [number for number in numbers if table.row(number)["type"] == call.params["type"]]
    return box.page("activities", table, call, numbers=numbers, tail=True)


def _search(box: CustomerioSandbox, call: Call) -> Answer:
    workspace = box.workspace
    numbers = [number for number in box.found(call.json().get("filter")) if number not in box.left]
    position = box.position(call.params.get("start", ""))
    if box.options["drift"]:
        workspace.people_count += 3
        box.left |= {numbers[place] for place in (position // 2, position - 1) if 0 < place < len(numbers)}
    table = Table(workspace.people_count, workspace.identifiers)
    return box.page("identifiers", table, call, numbers=numbers, extra={"ids": [""]})


def _hydrate(box: CustomerioSandbox, call: Call) -> Answer:
    """Unknown ids are left out without a word, and so are prefixed ones."""
    ids = call.json()["ids"]
    if not 1 <= len(ids) <= 100:
        raise Refusal(400, "1 to 100 ids")
    workspace = box.workspace
    found = []
    for identity in ids:
        number = workspace.number(identity)
        if number == box.options["odd"] != 0:
            raise Refusal(500, "odd person")
        if 0 <= number < workspace.people_count and number not in box.left:
            person = workspace.person(number)
            found.append({"customer": person} if box.options["wrapped"] else person)
    return Answer.of({"customers": found})


def _objects(box: CustomerioSandbox, call: Call) -> Answer:
    body = call.json()
    if not body.get("filter"):
        raise Refusal(400, "filter is required")
    asked = body["filter"]["and"][0]["object_attribute"]
    is_found = asked["field"] == box.options["objects_field"] and asked["type_id"] == body["object_type_id"]
    objects = box.workspace.objects(body["object_type_id"]) if is_found else []
    return box.page("identifiers", Table.of(objects), call)


def _object(box: CustomerioSandbox, call: Call) -> Answer:
    """One object; Awkward: the last one has just been deleted."""
    if call.args["cio_object_id"] == "ob10024":
        raise Refusal(404, "not found")
    return Answer.of({"object": {**box.workspace.object_attributes(call.args), "identifiers": dict(call.args)}})


def _trigger(box: CustomerioSandbox, call: Call) -> Answer:
    try:
        return Answer.of(box.workspace.trigger(call.args))
    except KeyError:
        raise Refusal(404, "not found") from None


def _errors(box: CustomerioSandbox, call: Call) -> Answer:
    """Pages of texts and objects. Awkward: the token of the last full page leads to an empty one."""
    try:
        found = box.workspace.trigger_errors(call.args)
    except KeyError:
        raise Refusal(404, "not found") from None
    start, limit = box.position(call.params.get("start", "")), call.params["limit"]
    shown = found[start : start + limit]
    return Answer.of({"errors": shown, "next": str(start + limit) if len(shown) == limit else 0})


def _addresses(box: CustomerioSandbox, call: Call) -> Answer:
    return Answer.of({"ip_addresses": ["192.0.2.1", "2001:db8::1", "192.0.2.1"]})


def _count(box: CustomerioSandbox, call: Call) -> Answer:
    return Answer.of({"count": len(box.workspace.members(call.args))})


def _used(box: CustomerioSandbox, call: Call) -> Answer:
    used = box.workspace.used(call.args)
    is_top = "sender_id" in call.args and box.options["used_by"] == "top"
    return Answer.of(used if is_top else {"used_by": used})


def _content(box: CustomerioSandbox, call: Call) -> Answer:
    return Answer.of(box.workspace.content(call.args))


def _variants(box: CustomerioSandbox, call: Call) -> Answer:
    return Answer.of({box.options["contents"]: box.workspace.actions(call.args, "transactional_id")})


def _suppressed(box: CustomerioSandbox, call: Call) -> Answer:
    """Past the end null comes."""
    kind = call.args["kind"]
    table = box.suppressions(kind)
    numbers = [number for number in range(table.count) if table.drift is None or table.drift.visible(number)]
    start = call.params["offset"]
    rows = [table.row(number) for number in numbers[start : start + call.params["limit"]]]
    if table.drift is not None and rows:
        table.drift.step(numbers, start + len(rows), box.clock.now())
    return Answer.of({"category": kind.split("_")[0], "suppressions": rows or None})


def _suppressed_at(box: CustomerioSandbox, call: Call) -> Answer:
    """An unknown domain is no error."""
    kind, domain = call.args["kind"], call.args["domain"]
    table = Table.of(box.workspace.suppressions(kind, domain))
    return box.page("suppressions", table, call, extra={"category": kind.split("_")[0]})


_ID_TYPE = {"id_type": Param(options=("cio_object_id",), required=True)}
_WINDOW = {name: Param("integer") for name in ("start_ts", "end_ts")}
_FLAGS = {name: Param("boolean") for name in ("drafts", "get_tracked_responses")}
_WHOLE: dict[str, tuple[str, Callable[[CustomerioSandbox, Call], Rows]]] = {
    "/broadcasts": ("broadcasts", _of("broadcasts")),
    "/campaigns": ("campaigns", _of("campaigns")),
    "/transactional": ("messages", _of("templates")),
    "/segments": ("segments", _of("segments")),
    "/exports": ("exports", lambda box, call: [*box.workspace.exports(), *(each["export"] for each in box.made)]),
    "/snippets": ("snippets", _of("snippets")),
    "/collections": ("collections", _of("collections")),
    "/reporting_webhooks": ("reporting_webhooks", _of("webhooks")),
    "/subscription_topics": ("topics", _of("topics")),
    "/workspaces": ("workspaces", _of("workspaces")),
    "/object_types": ("types", _of("types")),
    "/campaigns/{campaign_id}/actions": ("actions", _below("campaign_actions")),
    "/broadcasts/{broadcast_id}/actions": ("actions", _below("broadcast_actions")),
    "/broadcasts/{broadcast_id}/triggers": ("triggers", _below("broadcast_triggers")),
    "/newsletters/{newsletter_id}/contents": ("contents", _below("newsletter_contents")),
}
ENDPOINTS: list[Endpoint] = [
    *(("GET", path, _listed(key, rows), {}) for path, (key, rows) in _WHOLE.items()),
    *(
        ("GET", path, partial(metrics.answer, stream), metrics.PARAMS)
        for stream, path in metrics.PATHS.items()
    ),
    ("GET", "/newsletters/{newsletter_id}/test_groups",
     _unconfirmed("test_groups", "newsletter_test_groups", _below("newsletter_test_groups")), {}),
    ("GET", "/subscription_channels", _unconfirmed("channels", "subscription_channels", _of("channels")), {}),
    ("GET", "/newsletters", _listed("newsletters", _of("newsletters")),
     {**_limit(5, 5), "sort": Param(options=("asc", "desc"))}),
    ("GET", "/optouts", _listed("optouts", _of("optouts")), _limit(100, 50)),
    ("GET", "/segments/{segment_id}/membership", _listed("identifiers", _below("segment_members")), _limit(1000, 500)),
    ("GET", "/objects/{object_type_id}/{cio_object_id}/relationships",
     _listed("cio_relationships", lambda box, call: box.workspace.relationships(call.args)),
     {**_limit(10, 2), **_ID_TYPE}),
    ("GET", "/objects/{object_type_id}/{cio_object_id}/attributes", _object, _ID_TYPE),
    ("POST", "/objects", _objects, _limit(10, 10)),
    ("GET", "/sender_identities", _listed("sender_identities", _senders, tail=True),
     {**_limit(50, 100), "hidden": Param("boolean")}),
    ("GET", "/messages", _messages, {**_limit(50, 1000), **_WINDOW, **_FLAGS}),
    ("GET", "/activities", _activities,
     {**_limit(10, 100), "deleted": Param("boolean"), "type": Param(), "name": Param()}),
    ("POST", "/customers", _search, _limit(50, 1000)),
    ("POST", "/customers/attributes", _hydrate, {"id_type": Param(options=("cio_id",), required=True)}),
    ("POST", "/exports/customers", exports.begun, {}),
    ("GET", "/exports/{export_id}", exports.polled, {}),
    ("GET", "/exports/{export_id}/download", exports.linked, {}),
    ("GET", "/campaigns/{broadcast_id}/triggers/{trigger_id}", _trigger, {}),
    ("GET", "/campaigns/{broadcast_id}/triggers/{trigger_id}/errors", _errors, _limit(10, 4)),
    ("GET", "/info/ip_addresses", _addresses, {}),
    ("GET", "/segments/{segment_id}/customer_count", _count, {}),
    ("GET", "/segments/{segment_id}/used_by", _used, {}),
    ("GET", "/sender_identities/{sender_id}/used_by", _used, {}),
    ("GET", "/collections/{collection_id}/content", _content, {}),
    ("GET", "/transactional/{transactional_id}/contents", _variants, {}),
    ("GET", "/esp/suppression/{kind}", _suppressed,
     {**_limit(100, 1000), "offset": Param("integer", default=0, least=0)}),
    ("GET", "/esp/domains/{domain}/suppression/{kind}", _suppressed_at, _limit(100, 1000)),
]  # fmt: skip
"""Method, path, what answers, the parameters it knows."""
