"""Iterable's API 1.8 in miniature: `python -m tap_iterable.sandbox --port 8080`.

`account` makes the account, `exports` serves exports and jobs, `answers` the rest, `truth`
says what a faultless read gives. `other=1` shows the other side of what no primary source confirms: answers of catalogs
without their envelope and in pages of ten (asked for more, names are refused, items are ten all the same), job states
with a capital, metric columns once, whole URLs of next pages, unknown sessions called anonymous ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from shared.sandbox import WHEN_READ, Answer, Call, Drift, Param, Refusal, Route, Row, Sandbox, Table, Trials, salt
from shared.sandbox.truth import record

from . import answers, exports, truth
from .account import BEGIN, EVENT_KINDS, Account, milliseconds
from .exports import Job

API_KEY = "0123456789abcdef0123456789abcdef"
READ_ONLY_KEY = "fedcba9876543210fedcba9876543210"
START_DATE = "2023-11-01T00:00:00Z"
DRIFT_FROM_ROWS = 20
MEDIA = ("Email", "Push", "InApp", "SMS")
TYPES = ("Base", "Blast", "Triggered", "Workflow")
_PAGED = {"page": Param("integer", default=1, least=1)}
_NO_EXPORTS = ("/api/export/", "/api/lists/getUsers", "/api/catalogs", "/api/webhooks", "/api/users/forgotten")


def _switch(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "on", "yes")


class IterableSandbox(Sandbox):
    """The API, with a project in it."""

    name = "iterable-sandbox"
    trials = Trials(
        small_pages={"page_size": 20, "api_window_in_days": 60, "max_window_in_days": 150},
        walks=(
            ("list_users", {}),
            ("email_send", {}),
            ("email_send", {"export_mode": "job"}),
            ("metadata", {}),
        ),
        fault_options={"scale": 0.3},
    )
    quotas: ClassVar = {
        "export": ((4, 60.0),),
        "start": ((1, 1.0),),
        "files": ((1, 1.0),),
        "cancel": ((1, 1.0),),
        "lists": ((5, 60.0),),
        "sizes": ((5, 60.0),),
        "metrics": ((10, 60.0),),
        "users": ((3, 1.0),),
    }
    own_options: ClassVar = {
        "project": (str, "email", "by what users are told apart: email, userid or hybrid"),
        "quotas": (_switch, "0", "count requests as the API does: four exports a minute"),
        "cut": (int, "", "exports of more rows are cut, or answer 504"),
        "torn": (str, "", "the type of events of which one line is torn"),
        "unknown": (int, "", "the campaign for which metrics of all that are asked beside it are refused"),
        "broken": (int, "", "the list that always answers 500"),
        "jobs": (str, "", "what befalls jobs, joined by +: fail, truncate, expire, refuse"),
        "other": (_switch, "0", "the other side of what is unconfirmed"),
    }

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.jobs: dict[int, Job] = {}
        self.contents: dict[int, list[bytes]] = {}
        self.expired: set[tuple[int, str]] = set()
        self._tables: dict[Any, Table] = {}
        self.day_changed()

    def day_changed(self) -> None:
        """The account of the day, made anew."""
        options = self.options
        self.account = Account(
            seed=options["seed"], scale=options["scale"], day=self.day, project=options["project"] or "email"
        )
        self._tables.clear()

    @property
    def job_ills(self) -> frozenset[str]:
        """What befalls jobs."""
        return frozenset((self.options["jobs"] or "").split("+"))

    def at_day(self, day: int) -> Sandbox:
        """The same account on another day, not started."""
        texts = {name: str(self.options[name]) for name in ("scale", "seed", "project")}
        return type(self)({**texts, "day": str(day)})

    @property
    def settings(self) -> dict[str, Any]:
        """A server-side key. Where quotas are not counted, the tap need not keep to them."""
        known = {"api_key": API_KEY, "base_url": self.base_url, "start_date": START_DATE}
        if self.options["quotas"]:
            return known
        swift = ("export_requests_per_minute", "list_requests_per_minute", "metrics_requests_per_minute")
        return {**known, **dict.fromkeys(swift, 60_000), "export_mode": "stream"}

    def _count(self, quota: str) -> None:
        if self.options["quotas"]:
            super()._count(quota)

    def authorise(self, call: Call) -> None:
        """A server-side key, or a read-only one where that is enough."""
        key = call.headers.get("api-key")
        if key == READ_ONLY_KEY and not call.path.startswith(_NO_EXPORTS):
            return
        if key != API_KEY or ("refuse" in self.job_ills and call.path == "/api/export/start"):
            raise Refusal(401, "Invalid API key", title="BadApiKey")

    def refuse(self, refusal: Refusal) -> Answer:
        """`msg` and `code`; the quota is named in the text."""
        codes = {400: "BadParams", 401: "BadApiKey", 403: "Forbidden", 404: "NotFound", 429: "RateLimitExceeded"}
        text = (
            refusal.detail or "An error occurred. Please try again later. If problem persists, please contact your CSM"
        )
        if refusal.status == 429:
            text = "Exceeded rate limit of 4.0 per minute for endpoint: /api/export/data.json, project: 2158 "
            if not self.options["quotas"]:
                text = "Exceeded rate limit, project: 2158 "
        code = refusal.title or codes.get(refusal.status, "GenericError")
        return Answer.of({"msg": text, "code": code, "params": None}, refusal.status)

    def routes(self) -> Sequence[Route]:
        """All endpoints that the tap may ask."""
        sorted_by = {"sort": Param(options=("id", "name", "createdAt", "updatedAt", "startAt"))}
        thousand = {**_PAGED, "pageSize": Param("integer", default=20, least=1, most=1000)}
        ten = {**_PAGED, "pageSize": Param("integer", default=10, least=1, most=1000)}
        at_most_ten = {**_PAGED, "pageSize": Param("integer", default=10, least=1, most=10)}
        fifty = {**_PAGED, "pageSize": Param("integer", default=10, least=1, most=50)}
        filtered = {"templateType": Param(options=TYPES), "messageMedium": Param(options=MEDIA)}
        dates = {"startDateTime": Param(), "endDateTime": Param()}
        an_id = {"templateId": Param("integer", required=True), "locale": Param()}

        def page(name: str, total: str, key: str, **more: Any) -> Callable[[IterableSandbox, Call], Answer]:
            return partial(answers.paged, name=name, total=total, key=key, **more)

        made = [
            Route(path="/api/channels", handler=answers.plain("channels", lambda s: s.channels())),
            Route(path="/api/messageTypes", handler=answers.plain("messageTypes", lambda s: s.message_types())),
            Route(path="/api/lists", handler=answers.plain("lists", lambda s: s.account.lists())),
            Route(
                path="/api/campaigns",
                handler=page("campaigns", "totalCampaignsCount", "id"),
                params={**thousand, **sorted_by},
            ),
            Route(
                path="/api/templates",
                handler=page("templates", "totalTemplatesCount", "templateId"),
                params={**thousand, **sorted_by, **filtered, **dates},
            ),
            Route(
                path="/api/journeys",
                handler=page("journeys", "totalJourneysCount", "id"),
                params={**fifty, **sorted_by, "state": Param(options=("Archived",))},
            ),
            Route(
                path="/api/catalogs",
                handler=page("catalogNames", "totalCatalogsCount", "name", enveloped=True),
                params=at_most_ten if self.options["other"] else ten,
            ),
            Route(path="/api/catalogs/{catalog}/fieldMappings", handler=answers.mappings),
            Route(path="/api/catalogs/{catalog}/items", handler=answers.catalog_items, params=ten),
            Route(
                path="/api/metadata",
                handler=answers.plain("results", lambda s: [{"name": name} for name in s.account.metadata()]),
            ),
            Route(path="/api/metadata/{table}", handler=answers.metadata_keys, params={"nextMarker": Param()}),
            Route(path="/api/metadata/{table}/{key}", handler=answers.metadata_value),
            Route(path="/api/snippets", handler=answers.plain("snippets", lambda s: s.snippets())),
            Route(path="/api/webhooks", handler=answers.plain("webhooks", lambda s: s.webhooks())),
            Route(
                path="/api/users/getFields",
                handler=answers.plain("fields", lambda s: s.account.user_fields()),
                quota="users",
            ),
            Route(path="/api/users/forgotten", handler=answers.forgotten("hashedEmails", "email"), quota="users"),
            Route(
                path="/api/users/forgottenUserIds",
                handler=answers.forgotten("hashedUserIds", "userId"),
                quota="users",
            ),
            Route(
                path="/api/lists/getUsers",
                handler=answers.members,
                params={"listId": Param("integer", required=True), "preferUserId": Param("boolean")},
                quota="lists",
            ),
            Route(path="/api/lists/{list_id}/size", handler=answers.size, quota="sizes"),
            Route(
                path="/api/campaigns/metrics",
                handler=answers.campaign_metrics,
                params={"campaignId": Param("integer"), **dict.fromkeys(dates, Param(required=True))},
                quota="metrics",
            ),
            Route(
                path="/api/experiments/metrics",
                handler=lambda sandbox, call: Answer(answers.EXPERIMENTS.encode(), content_type="text/csv"),
                params={"campaignId": Param("integer"), "experimentId": Param("integer"), **dates},
            ),
        ]
        made += [
            Route(
                path="/api/experiments",
                handler=answers.listed_experiments,
                params={
                    "limit": Param("integer", default=20, least=1, most=1000),
                    "offset": Param("integer", default=0),
                },
            ),
            Route(path="/api/experiments/{experiment_id}", handler=answers.experiment),
        ]
        made += [
            Route(
                path=f"/api/experiments/{{experiment_id}}/{part}",
                handler=partial(answers.experiment, part=part),
                params=dates if part == "trends" else {},
            )
            for part in ("variants", "totals", "trends")
        ]
        made += [
            Route(path=f"/api/templates/{kind}/get", handler=partial(answers.template, kind=kind), params=an_id)
            for kind in ("email", "push", "sms", "inapp", "embedded")
        ]
        return [*made, *exports.routes(exports.types(self))]

    # Collections.

    def table(self, name: str, key: str = "id") -> Table:
        """The rows of a collection, moving if `drift` is on."""
        if name not in self._tables:
            rows = self._rows(name)
            table = Table.of(rows)
            if self.options["drift"] and table.count >= DRIFT_FROM_ROWS and name != "catalogNames":
                table.drift = Drift(table, salt(self.options["seed"], name))
            self._tables[name] = table
        return self._tables[name]

    def _rows(self, name: str) -> list[Row]:
        account = self.account
        if name == "campaigns":
            return account.campaigns()
        if name == "templates":
            return [{**row, "_medium": medium, "_type": kind} for medium, kind, row in account.templates()]
        if name == "journeys":
            return account.journeys()
        if name == "catalogNames":
            return [{"name": each} for each in account.catalogs()]
        return [account.item(name, number) for number in range(account.catalogs()[name])]

    def filter(self, name: str, call: Call) -> Callable[[Row], bool] | None:
        """What the parameters leave of a collection."""
        if name == "journeys":
            return lambda row: row["isArchived"] == ("state" in call.params)
        medium, kind = call.params.get("messageMedium"), call.params.get("templateType")
        if name == "templates" and (medium or kind):
            return lambda row: row["_medium"] == (medium or row["_medium"]) and row["_type"] == (kind or row["_type"])
        return None

    def shown(self, name: str, row: Row) -> Row:
        """A row without what only the sandbox knows."""
        return {key: value for key, value in row.items() if key[0] != "_"}

    def channels(self) -> list[Row]:
        """Channels."""
        return [
            {"id": 1, "name": "Märketing", "channelType": "Marketing", "messageMedium": "Email"},
            {"id": 2, "name": "T", "channelType": "Transactional", "messageMedium": "Push", "unknown": [1]},
        ]

    def message_types(self) -> list[Row]:
        """Message types."""
        moment = milliseconds(BEGIN)
        return [
            {"id": 10 + n, "name": f"Type {n}", "channelId": 1, "createdAt": moment, "updatedAt": moment + n,
             "subscriptionPolicy": "OptOut", **({"frequencyCap": {"days": 1, "messages": n}} if n else {})}
            for n in range(3)
        ]  # fmt: skip

    def snippets(self) -> list[Row]:
        """Snippets."""
        return [
            {"id": 1, "name": "s", "content": "{{a}}", "projectId": 2158, "variables": ["a"],
             "createdAt": "2025-01-02T16:15:33.780Z", "updatedAt": "2025-01-02T16:15:33.780Z"},
        ]  # fmt: skip

    def webhooks(self) -> list[Row]:
        """Webhooks; the real ones hold secrets."""
        return [{"id": 1, "endpoint": "https://example.com", "enabled": True, "authType": "Basic",
                 "blastSendEnabled": False, "triggeredSendEnabled": True, "channelIds": [1], "messageTypeIds": [],
                 "authToken": "hush-hush-hush"}]  # fmt: skip

    # What a faultless read gives.

    def as_read(self, stream: str) -> frozenset[str]:
        """Some rows have no time but that of the run."""
        times = {"list_users": "updatedAt"}
        times |= dict.fromkeys(("list_sizes", "metadata_tables", "forgotten_users"), "extractedAt")
        return frozenset((times[stream],) if stream in times else ())

    def records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterator[Row]:
        """What a faultless read gives."""

        def stays(name: str, number: int) -> bool:
            if not stayed:
                return True
            if name == "user" or name in EVENT_KINDS:
                return number not in self.account.moved.get(name, {})
            drift = self.table(name).drift
            return drift is None or drift.stayed(number)

        account = self.account
        if stream == "users":
            in_one = settings.get("users_layout") == "data_fields"
            for number, _, row in account.users():
                if stays("user", number):
                    yield truth.user(row, account.project, in_one=in_one)
        elif data_type := data_type_of(stream):
            numbers = [number for number in range(len(account.times(data_type))) if stays(data_type, number)]
            yield from truth.events(data_type, (account.event(data_type, number) for number in numbers))
        elif stream == "campaign_metrics":
            campaigns = self.table("campaigns")
            there = (campaigns.row(number) for number in range(campaigns.count) if stays("campaigns", number))
            refused = self.options["unknown"]
            rows = [row for row in there if row["campaignState"] != "Draft" and row["id"] != refused]
            if days := {"day": 1, "week": 7}.get(str(settings.get("metrics_window"))):
                for row in rows:
                    yield from answers.windows_of(self, row["id"], days)
                return
            found = ((row["id"], answers.cells(row["id"])) for row in rows)
            yield from truth.metrics(found, answers.HEADERS, answers.METRIC_COLUMNS)
        elif stream == "experiment_metrics":
            yield from answers.experiments()
        else:
            for row in self._raw(stream, settings, stays):
                yield record(truth.KINDS[stream], row)

    def _raw(self, stream: str, settings: Mapping[str, Any], stays: Callable[[str, int], bool]) -> Iterable[Row]:
        account = self.account
        if stream in ("campaigns", "journeys"):
            return self._staying(stream, stays)
        if stream.startswith("experiment"):
            return answers.experiment_rows(self, stream)
        if stream == "templates" or stream.endswith("_templates"):
            return self._templates(stream, stays)
        made: dict[str, Callable[[], Iterable[Row]]] = {
            "list_users": self._list_users,
            "list_sizes": self._list_sizes,
            "metadata": self._metadata,
            "metadata_tables": lambda: ({"name": name, "extractedAt": WHEN_READ} for name in account.metadata()),
            "catalogs": lambda: ({"name": name, **answers.MAPPINGS} for name in account.catalogs()),
            "catalog_items": lambda: (row for name in account.catalogs() for row in self._staying(name, stays)),
            "user_fields": lambda: ({"name": name, "type": kind} for name, kind in account.user_fields().items()),
            "forgotten_users": lambda: (
                {"hash": each, "kind": kind, "extractedAt": WHEN_READ}
                for kind in answers.kinds_of(account.project)
                for each in answers.hashes(kind)
            ),
            "export_jobs": lambda: map(exports.shown, self.jobs.values()),
            "lists": account.lists,
            "channels": self.channels,
            "message_types": self.message_types,
            "snippets": self.snippets,
            "webhooks": self._webhooks,
        }
        return made[stream]()

    def _staying(self, name: str, stays: Callable[[str, int], bool]) -> Iterator[Row]:
        table = self.table(name)
        return (table.row(number) for number in range(table.count) if stays(name, number))

    def _list_users(self) -> Iterator[Row]:
        for each in self.account.lists():
            if each["id"] not in (7, self.options["broken"]):
                for line in self.account.members(each["id"]):
                    is_email = "@" in line
                    yield {"listId": each["id"], "email": line if is_email else None, "userIdentifier": line,
                           "userId": None if is_email else line, "updatedAt": WHEN_READ}  # fmt: skip

    def _list_sizes(self) -> Iterator[Row]:
        for each in self.account.lists():
            if each["id"] != 7:
                size = len(self.account.members(each["id"]))
                yield {"listId": each["id"], "size": size, "extractedAt": WHEN_READ}

    def _metadata(self) -> Iterator[Row]:
        for name, keys in self.account.metadata().items():
            yield from (answers.metadata_row(name, key, value) for key, value in keys.items() if value is not None)

    def _webhooks(self) -> list[Row]:
        return [{key: value for key, value in row.items() if key != "authToken"} for row in self.webhooks()]

    def _templates(self, stream: str, stays: Callable[[str, int], bool]) -> Iterator[Row]:
        kinds = {"email_templates": ("email", "Email"), "push_templates": ("push", "Push"),
                 "sms_templates": ("sms", "SMS"), "in_app_templates": ("inapp", "InApp"),
                 "embedded_templates": ("embedded", "Embedded")}  # fmt: skip
        for number, (medium, kind, row) in enumerate(self.account.templates()):
            if not stays("templates", number):
                continue
            if stream == "templates":
                yield {**row, "templateType": kind, **({"messageMedium": medium} if medium in MEDIA else {})}
            elif medium == kinds[stream][1]:
                yield self.account.template(kinds[stream][0], row)


def data_type_of(stream: str) -> str:
    """A stream's type of data; "" when it is no export."""
    for data_type in EVENT_KINDS:
        if "".join(f"_{c.lower()}" if c.isupper() else c for c in data_type.replace("whatsA", "whatsa")) == stream:
            return data_type
    return "emailUnSubscribe" if stream == "email_unsubscribe" else ""
