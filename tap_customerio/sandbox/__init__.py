"""Customer.io's App API 1 in miniature: `python -m tap_customerio.sandbox --port 8080`.

Cursors are positions, as they are there. The shapes that no primary source confirms are options.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from shared.sandbox import Answer, Call, Drift, Param, Refusal, Route, Row, Sandbox, Table, Trials, salt
from shared.sandbox.truth import record
from shared.timestamps import instant

from . import exports, metrics
from .account import GONE, Workspace
from .endpoints import ENDPOINTS, Rows
from .truth import KINDS

API_KEY = "sandbox-app-api-key"
SUPPRESSIONS = ("bounces", "blocks", "spam_reports", "invalid_emails")
NOT_ON_PLAN = "Account is not authorized for this feature. Contact support."
_BY_UPDATED = ("broadcasts", "campaigns", "newsletters", "campaign_actions", "broadcast_actions")
_BY_UPDATED_AT = ("transactional_messages", "segments", "exports", "snippets")
_UPDATED = {
    **dict.fromkeys(_BY_UPDATED, "updated"),
    **dict.fromkeys(_BY_UPDATED_AT, "updated_at"),
    "messages": "created",
    "activities": "timestamp",
    "broadcast_triggers": "created_at",
}
CHILDREN = {
    "campaign_actions": ("campaigns", "campaign_id"),
    "broadcast_actions": ("broadcasts", "broadcast_id"),
    "newsletter_contents": ("newsletters", "newsletter_id"),
    "newsletter_test_groups": ("newsletters", "newsletter_id"),
    "transactional_contents": ("transactional_messages", "transactional_id"),
    "broadcast_triggers": ("broadcasts", "broadcast_id"),
    "segment_members": ("segments", "segment_id"),
    "segment_customer_counts": ("segments", "segment_id"),
    "segment_usage": ("segments", "segment_id"),
    "sender_usage": ("sender_identities", "sender_id"),
    "collection_contents": ("collections", "collection_id"),
}


class CustomerioSandbox(Sandbox):
    """The API, with a workspace in it."""

    name = "customerio-sandbox"
    trials = Trials(
        small_pages={"messages_window_days": 10},
        walks=(("eps_suppression", {}),),
        granted={"rate": 1000},
        unavailable=Refusal(403, NOT_ON_PLAN),
        fault_options={"scale": 0.02, "rate": 1000},
    )
    prefix = "/v1"
    quotas: ClassVar = {"app": ((10, 1.0),)}
    unknown_params_refused = False
    workspace: Workspace
    own_options: ClassVar = {
        "keys": (str, "any", "keys that are taken: any, for a config of one's own; or own, the sandbox's alone"),
        "forbid": (str, "", "paths that this key may not read, joined by +: /segments+/exports"),
        "lacking": (str, "", "paths of what the plan does not have, joined by +: /objects+/object_types"),
        "groups": (str, "numbers", "ids of test groups: numbers, letters; or none: no newsletter has a test"),
        "hidden": (str, "only", "what hidden=true lists: only hidden senders, or all"),
        "wrapped": (int, "0", "1: people come wrapped in customer"),
        "used_by": (str, "nested", "usage of senders: nested under used_by, or top"),
        "contents": (str, "contents", "where variants of transactional messages stand: contents or content"),
        **exports.OPTIONS,
        "tokens": (str, "text", "cursors: text, or number"),
        "prefix": (str, "cio_", "what stands before the ids of opt-outs, or none"),
        "lists": (str, "named", "test groups and channels: named, other (another name), or bare (no name)"),
        "objects_field": (str, "cio_object_id", "the attribute that every object has"),
        "replaced": (str, "stays", "the time of a collection whose contents are replaced: stays, or moves"),
        "downloads": (int, "0", "1: downloads of exports grow and their time does not move"),
        "lag": (int, "0", "1: a campaign is listed a day after it was changed"),
        "elsewhere": (int, "0", "status of every answer, as to an address that the key is not for"),
        "odd": (int, "0", "number of a person whom no request can give; 0: all can be given"),
        "unfound": (int, "0", "people whom a search does not find"),
        "daily": (int, "0", "requests a day; 0: no such quota"),
        "most": (int, "1000000", "rows of a page at most, whatever is asked for: the API may cap lower"),
        "rate": (int, "10", "requests a second that it grants; the tap is told"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.quotas = {"app": ((self.options["rate"], 1.0),)}  # type: ignore[misc]
        self.requests_today = 0
        self.made: list[dict[str, Any]] = []
        self.left: set[int] = set()
        """People who have gone since."""
        self.day_changed()

    def day_changed(self) -> None:
        """The workspace of the day, made anew."""
        seed, scale = self.options["seed"], self.options["scale"]
        self.workspace = Workspace(seed=seed, scale=scale, day=self.day, shapes=self.options)
        self._tables: dict[str, Table] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """An App API key will do, and a word on a higher limit."""
        granted = {"requests_per_second": self.options["rate"]} if self.options["rate"] != 10 else {}
        return {"access_token": API_KEY, "base_url": self.base_url, **granted}

    def routes(self) -> Sequence[Route]:
        """The API's endpoints, and where its files lie."""
        link = {"link": Param("integer", default=0)}
        return [
            *(
                Route(path=self.prefix + path, handler=handler, method=method, params=params, quota="app")
                for method, path, handler, params in ENDPOINTS
            ),
            Route(path="/files/{export_id}", handler=exports.downloaded, params=link, public=True),
        ]

    def authorise(self, call: Call) -> None:
        """The key, then its scope, then the quota of the day."""
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key or (self.options["keys"] == "own" and key != API_KEY):
            raise Refusal(401, "unauthorized")
        if self.options["elsewhere"]:
            detail = "wrong datacenter" if self.options["elsewhere"] == 301 else "not from this address"
            raise Refusal(self.options["elsewhere"], detail)
        for path in filter(None, (self.options["lacking"] or "").split("+")):
            if call.path.startswith(self.prefix + path):
                raise Refusal(403, NOT_ON_PLAN)
        for path in filter(None, (self.options["forbid"] or "").split("+")):
            if call.path.startswith(self.prefix + path):
                raise Refusal(403, "forbidden")
        self.requests_today += 1
        if self.options["daily"] and self.requests_today > self.options["daily"]:
            raise Refusal(429, "daily quota")

    def refuse(self, refusal: Refusal) -> Answer:
        """Errors with a status in text, save what the plan lacks. Only the limit of a second names a time to wait."""
        if refusal.detail == NOT_ON_PLAN:
            return Answer(Answer.of({"meta": {"error": NOT_ON_PLAN}}).body, refusal.status)
        detail = refusal.detail or {404: "not found", 429: "rate limited to 10 requests per 1s"}.get(refusal.status, "")
        detail = f"{detail} (reference {salt(0, refusal.status) % 0xFFFFFF:06x})"
        wait = () if refusal.status != 429 or refusal.detail else (("Retry-After", "1"),)
        body = {"errors": [{"detail": detail, "status": str(refusal.status)}]}
        return Answer(Answer.of(body).body, refusal.status, headers=wait)

    def page(
        self,
        key: str,
        table: Table,
        call: Call,
        *,
        numbers: Sequence[int] | None = None,
        extra: Row | None = None,
        tail: bool = False,
    ) -> Answer:
        """One page of rows from the position that the token means."""
        numbers = range(table.count) if numbers is None else numbers
        start = self.position(call.params.get("start", ""))
        limit = min(call.params["limit"], self.options["most"])
        shown = numbers[start : start + limit]
        more = start + limit < len(numbers) or (tail and len(shown) == limit)
        token: int | str = b64encode(f"0:{start + limit}".encode()).decode()
        if self.options["tokens"] == "number":
            token = start + limit
        return Answer.of({key: [table.row(number) for number in shown], **(extra or {}), "next": token if more else ""})

    def found(self, wanted: Any) -> Sequence[int]:
        """The numbers of the people that a filter finds."""
        if not isinstance(wanted, dict) or len(wanted) != 1:
            raise Refusal(400, "filter is required")
        numbers = range(self.workspace.people_count - self.options["unfound"])
        if "or" in wanted:
            ids = [each["segment"]["id"] for each in wanted["or"]]
            return [n for n in numbers if any(n % identity == 0 for identity in ids)]
        if wanted["and"][0]["attribute"] != {"field": "cio_id", "operator": "exists"}:
            raise Refusal(400, "the sandbox knows one attribute filter")
        return numbers

    def parents_of(self, stream: str) -> Iterator[Row]:
        """The rows of a stream that are still there when their children are asked for."""
        return (row for row in self._rows(stream, {}, stayed=False) if row["id"] != GONE)

    def position(self, token: str) -> int:
        """What a token means; 400 for one that was not given out."""
        try:
            if token.isdigit():
                return int(token)
            return int(b64decode(token, validate=True).decode().removeprefix("0:")) if token else 0
        except ValueError:
            raise Refusal(400, "invalid start") from None

    def children(self, stream: str, parent: Mapping[str, str]) -> Rows:
        """The rows below one parent; KeyError when it is gone."""
        workspace = self.workspace
        if stream == "broadcast_triggers":
            return workspace.triggers(parent)
        if stream == "newsletter_test_groups":
            return workspace.test_groups(parent)
        if stream == "segment_members":
            return workspace.members(parent)
        if stream == "segment_customer_counts":
            return [{"count": len(workspace.members(parent))}]
        if stream in ("segment_usage", "sender_usage"):
            return [workspace.used(parent)]
        if stream == "collection_contents":
            found = workspace.content(parent)
            rows = found if isinstance(found, list) else [found]
            return [{"row": number, "data": row} for number, row in enumerate(rows)]
        return workspace.actions(parent, CHILDREN[stream][1])

    def suppressions(self, kind: str) -> Table:
        """One list, moving if `drift` is on."""
        if kind not in SUPPRESSIONS:
            raise Refusal(404)
        if kind not in self._tables:
            table = Table.of(self.workspace.suppressions(kind, ""))
            if self.options["drift"] and table.count > 20:
                table.drift = Drift(table, salt(self.options["seed"], kind))
            self._tables[kind] = table
        return self._tables[kind]

    # What a faultless read gives

    def records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> list[Row]:
        """What a faultless read gives."""
        made = [record(KINDS[stream], row) for row in self._rows(stream, settings, stayed=stayed)]
        since, field = instant(settings.get("start_date")) or "", _UPDATED.get(stream)
        return [each for each in made if field is None or each[field] is None or each[field] >= since]

    def _rows(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        workspace = self.workspace
        if stream in metrics.STREAMS:
            yield from metrics.rows(self, stream, settings, instant(settings.get("start_date")) or "")
        elif stream in CHILDREN:
            above, name = CHILDREN[stream]
            for parent in self._rows(above, {}, stayed=stayed):
                if parent["id"] == GONE and above in ("campaigns", "broadcasts", "newsletters"):
                    continue
                with suppress(KeyError):
                    for row in self.children(stream, {name: str(parent["id"])}):
                        if not stayed or not self._has_joined(row):
                            yield {**row, name: parent["id"]}
        elif stream == "custom_object_relationships":
            for row in self._rows("custom_objects", {}, stayed=stayed):
                names = {name: row[name] for name in ("object_type_id", "cio_object_id")}
                for person in workspace.relationships(names):
                    known = person.pop("identifiers")
                    yield {**person, **known, **names}
        elif made := getattr(self, f"_{stream}_rows", None):
            yield from made(settings, stayed=stayed)
        else:
            names = {"transactional_messages": "templates", "subscription_channels": "channels"}
            yield from getattr(workspace, names.get(stream, stream))()

    def _triggers(self, stayed: bool) -> Iterator[tuple[Row, dict[str, str]]]:
        for row in self._rows("broadcast_triggers", {}, stayed=stayed):
            names = {"broadcast_id": row["broadcast_id"], "trigger_id": row["id"]}
            yield names, {name: str(value) for name, value in names.items()}

    def _broadcast_trigger_details_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        for names, asked in self._triggers(stayed):
            yield {**names, "details": self.workspace.trigger(asked)}

    def _broadcast_trigger_errors_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        for names, asked in self._triggers(stayed):
            for place, each in enumerate(self.workspace.trigger_errors(asked)):
                yield {**names, "row": place, "error": each}

    def _has_joined(self, row: Row) -> bool:
        """Whether a row is of somebody who came after the day had begun."""
        return "cio_id" in row and self.workspace.number(row["cio_id"]) >= self.workspace.before["people"]

    def _custom_objects_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        for kind in self._rows("types", {}, stayed=stayed):
            for row in self.workspace.objects(kind["id"]):
                known = {"object_type_id": kind["id"], "cio_object_id": row["cio_object_id"]}
                if not settings.get("hydrate_objects"):
                    yield {**row, **known}
                elif row["cio_object_id"] != "ob10024":
                    yield {**row, **known, **self.workspace.object_attributes(known)}

    def _customers_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        segments = [int(each) for each in settings.get("customers_segment_ids") or ()]
        for number in range(self.workspace.before["people"]):
            if stayed and number in self.left:
                continue
            person = self.workspace.person(number)
            known = person["identifiers"]
            if settings.get("customers_source") == "export":
                texts = {name: exports.text_of(value) for name, value in person["attributes"].items()}
                attributes = {name: text for name, text in texts.items() if text}
                person = {"identifiers": known, "attributes": attributes}
            if not segments or any(number % each == 0 for each in segments):
                identity = known["id"] or f"cio_{known['cio_id']}"
                yield {**person, **known, "id": identity}

    def _messages_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        yield from map(self.workspace.message, range(self.workspace.before["messages"]))
        if settings.get("include_drafts"):
            yield from ({**self.workspace.draft(number), "draft": True} for number in range(30))

    def _activities_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        yield from map(self.workspace.activity, range(self.workspace.before["activities"]))

    def _ip_addresses_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        yield from ({"id": text, "ip_address": text} for text in ("192.0.2.1", "2001:db8::1"))

    def _sender_identities_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        yield from (*self.workspace.senders(hidden=False), *self.workspace.senders(hidden=True))

    def _reporting_webhooks_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        for row in self.workspace.webhooks():
            hide = settings.get("redact_webhook_credentials", True)
            yield {**row, "endpoint": row["endpoint"].replace("user:pw@", "") if hide else row["endpoint"]}

    def _optouts_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        yield from ({**row, "cio_id": row["cio_id"].removeprefix("cio_")} for row in self.workspace.optouts())

    def _eps_suppression_rows(self, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        for domain in settings.get("esp_suppression_domains") or [""]:
            for kind in SUPPRESSIONS:
                table = Table.of(self.workspace.suppressions(kind, domain)) if domain else self.suppressions(kind)
                for number in range(table.count):
                    if stayed and table.drift is not None and not table.drift.stayed(number):
                        continue
                    row = table.row(number)
                    made = {"id": f"{kind}:{domain}:{row['email']}", "suppression_type": kind, "domain": domain}
                    yield {**row, **made, "category": kind.split("_")[0]}
