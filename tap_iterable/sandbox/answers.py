"""What the sandbox answers in ways of the API's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shared.sandbox import Answer, Call, Refusal, Row

from .account import BEGIN, milliseconds

if TYPE_CHECKING:
    from . import IterableSandbox

MOST_METRICS = 400
HEADERS = {"Total Email Sends": "total_email_sends", "Unique Email Opens (filtered)": "unique_email_opens_filtered",
           "Purchases / M (Email)": "purchases_per_mille_email", "Revenue": "revenue"}  # fmt: skip
METRIC_COLUMNS = (
    "windowStart windowEnd "
    "average_order_value purchases_per_mille revenue revenue_per_mille total_complaints total_email_opens "
    "total_email_opens_filtered total_email_sends total_email_send_skips total_emails_bounced "
    "total_emails_clicked total_emails_delivered total_hosted_unsubscribe_clicks total_purchases "
    "total_unsubscribes unique_email_clicks unique_email_opens unique_email_opens_filtered "
    "unique_email_opens_or_clicks unique_email_sends unique_emails_bounced unique_emails_delivered "
    "unique_hosted_unsubscribe_clicks unique_purchases unique_unsubscribes purchases_per_mille_email "
    "total_pushes_sent total_pushes_delivered total_pushes_bounced total_pushes_opened unique_pushes_sent "
    "unique_pushes_delivered unique_pushes_bounced unique_pushes_opened total_in_apps_delivered "
    "total_in_app_opens total_in_app_clicks unique_in_app_opens unique_in_app_clicks total_sms_sent "
    "total_sms_delivered total_sms_bounced total_sms_clicks unique_sms_sent unique_sms_clicks "
    "total_web_pushes_sent unique_web_pushes_sent total_custom_conversions unique_custom_conversions "
    "average_custom_conversion_value sum_of_custom_conversions purchases_per_mille_push purchases_per_mille_sms "
    "revenue_per_mille_email revenue_per_mille_push revenue_per_mille_sms total_app_uninstalls "
    "total_email_holdout total_push_holdout total_webpush_holdout total_sms_holdout total_in_app_holdout "
    "total_push_send_skips total_web_push_send_skips total_sms_send_skips total_in_app_send_skips "
    "total_web_push_clicks unique_web_push_clicks total_inbound_sms unique_inbound_sms unique_sms_bounced "
    "unique_sms_delivered total_in_app_closes total_in_app_deletes total_in_app_sent total_inbox_impressions "
    "unique_in_app_sends unique_in_apps_delivered"
)
EXPERIMENTS = (
    "Campaign ID,Experiment ID,Template ID,Name,Type,Created by,Creation Date,Last modified,Subject,Improvement,"
    "Confidence,Total Email Sends,Clicks / Opens\n"
    '101,12,500,"Name, with comma",Control,me@example.com,2025-01-02T16:15:33.780Z,2025-01-02T16:15:33.834Z,Hé,N/A,'
    "N/A,5,\n"
    "101,12,501,Variation 1,-,me@example.com,2025-01-06T22:55:34.807Z,2025-01-06T22:55:34.807Z,Hé,1.5,NaN,,0.25\n"
)
EXPERIMENT_COLUMNS = (
    "campaignId experimentId templateId name type createdBy creationDate lastModified subject improvement "
    "confidence total_email_sends email_delivery_rate total_emails_delivered total_email_opens "
    "unique_email_opens_or_clicks email_open_rate total_emails_clicked unique_email_clicks clicks_opens "
    "email_click_rate total_hosted_unsubscribe_clicks unique_hosted_unsubscribe_clicks total_complaints "
    "complaint_rate total_emails_bounced unique_emails_bounced email_bounce_rate total_unsubscribes "
    "unique_unsubscribes email_unsubscribe_rate revenue total_purchases unique_purchases average_order_value "
    "purchases_per_mille revenue_per_mille total_in_app_sent unique_in_app_sends total_in_apps_delivered "
    "unique_in_apps_delivered total_in_app_opens unique_in_app_opens in_app_open_rate total_in_app_clicks "
    "unique_in_app_clicks in_app_click_rate total_in_app_closes total_in_app_deletes"
)
MAPPINGS = {"definedMappings": {"price": "double"}, "undefinedFields": ["stock.here"]}


def plain(name: str, make: Callable[[IterableSandbox], Any]) -> Callable[[IterableSandbox, Call], Answer]:
    """An endpoint of one answer."""

    def handler(sandbox: IterableSandbox, call: Call) -> Answer:
        return Answer.of({name: make(sandbox)})

    return handler


def paged(sandbox: IterableSandbox, call: Call, name: str, total: str, key: str, *, enveloped: bool = False) -> Answer:
    """A page of a collection by number, while rows may come and go."""
    table = sandbox.table(name, key)
    view = list(range(table.count))
    if (keep := sandbox.filter(name, call)) is not None:
        view = [number for number in view if keep(table.row(number))]
    if table.drift is not None:
        view = [number for number in view if table.drift.visible(number)]
    size, number = call.params["pageSize"], call.params["page"]
    if enveloped and sandbox.options["other"]:
        size = min(size, 10)
    start = (number - 1) * size
    rows = [sandbox.shown(name, table.row(each)) for each in view[start : start + size]]
    body: Row = {name: rows, total: len(view)}
    if start + size < len(view):
        root = sandbox.root_url if sandbox.options["other"] else ""
        body["nextPageUrl"] = f"{root}{call.path}?page={number + 1}&pageSize={size}"
    if table.drift is not None:
        table.drift.step(view, min(start + size, len(view)), sandbox.clock.now())
    if enveloped and not sandbox.options["other"]:
        body = {"msg": "", "code": "Success", "params": body}
    return Answer.of(body)


def cells(campaign: int) -> dict[str, str]:
    """The metrics of a campaign, as the CSV has them."""
    return {
        "Total Email Sends": '"1,234"' if campaign % 11 == 0 else str(campaign * 3),
        "Unique Email Opens (filtered)": "" if campaign % 5 == 0 else str(campaign),
        "Purchases / M (Email)": ("NaN", "0.0", "12.5%", ".25")[campaign % 4],
        "Revenue": ("N/A", "$5.00", "0")[campaign % 3],
    }


def days_between(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def daily_cells(sandbox: IterableSandbox, campaign: int, start: str, end: str) -> dict[str, str]:
    """What was counted in some days: three days from its making on, a campaign counts its number each day."""
    made = sandbox.account.made(campaign).date()
    counted = sum(start <= str(made + timedelta(days=each)) < end for each in range(3))
    return {"Total Email Sends": str(campaign * counted), "Revenue": "0", "Purchases / M (Email)": "N/A",
            "Unique Email Opens (filtered)": ""}  # fmt: skip


def windows_of(sandbox: IterableSandbox, campaign: int, days: int) -> Iterator[Row]:
    """The records of a campaign by day or week."""
    made = sandbox.account.made(campaign).date()
    first = made - timedelta(days=made.weekday() if days == 7 else 0)
    for number in range(3):
        start, end = first + timedelta(days=days * number), first + timedelta(days=days * (number + 1))
        if count := json.loads(daily_cells(sandbox, campaign, str(start), str(end))["Total Email Sends"]):
            span = {"windowStart": f"{start}T00:00:00.000000Z", "windowEnd": f"{end}T00:00:00.000000Z"}
            yield {"id": campaign, **dict.fromkeys(METRIC_COLUMNS.split()), **span, "revenue": 0,
                   "total_email_sends": count}  # fmt: skip


def campaign_metrics(sandbox: IterableSandbox, call: Call) -> Answer:
    wanted = [int(text) for name, text in call.query if name == "campaignId"]
    if len(wanted) > MOST_METRICS:
        raise Refusal(414)
    if sandbox.options["unknown"] in wanted:
        raise Refusal(404, f"Campaign {sandbox.options['unknown']} not found")
    twice = 1 if sandbox.options["other"] else 2
    headers = [header for header in HEADERS for _ in range(twice)]
    lines = [",".join(["id", *(headers if wanted else [""])])]
    start, end = (call.params[name][:10] for name in ("startDateTime", "endDateTime"))
    for campaign in wanted:
        found = cells(campaign)
        if days_between(start, end) <= 7:
            found = daily_cells(sandbox, campaign, start, end)
        row = [found[header] if place % twice == 0 or campaign % 2 else "" for place, header in enumerate(headers)]
        lines.append(",".join([str(campaign), *row]))
    return Answer("\n".join([*lines, ""]).encode(), content_type="text/plain; charset=utf-8")


def listed_experiments(sandbox: IterableSandbox, call: Call) -> Answer:
    """A part of the list of experiments, which says little of each."""
    found = sandbox.account.experiments()
    start, size = call.params["offset"], call.params["limit"]
    rows = [
        {"id": row["id"], "name": row["meta"]["name"], "status": row["status"], "channelType": "email",
         "author": f"author-{row['id'] % 3}@example.com"}
        for row in found[start : start + size]
    ]  # fmt: skip
    return Answer.of({"experiments": rows, "totalCount": len(found)})


def experiment(sandbox: IterableSandbox, call: Call, part: str = "") -> Answer:
    """An experiment, or one part of it."""
    for row in sandbox.account.experiments():
        if str(row["id"]) == call.args["experiment_id"]:
            return Answer.of(experiment_part(row, part) if part else row)
    raise Refusal(404, "No such experiment")


def experiment_part(row: Row, part: str) -> Row:
    """Variants, totals or trends of an experiment, as the API has them."""
    if part == "variants":
        content = {"subject": "Hé", "preheader": None, "htmlSource": "<p>", "plainText": "p"}
        made = [
            {"variantId": each["id"], "name": each["name"], "value": each["value"],
             "currentPercentage": each["currentPercentage"], "content": content if each["id"] else None}
            for each in row["variants"]
        ]  # fmt: skip
        return {"experimentId": row["id"], "variants": made}
    named = [{name: each[name] for name in ("id", "name", "isControl", "isWinner")} for each in row["variants"]]
    if part == "totals":
        found = [{**each, "metrics": {"sends": 10 + each["id"], "purchase": 1.5}} for each in named]
        return {"id": row["id"], "status": row["status"], "variants": found}
    days = ("2025-01-01T00:00:00.000Z", "2025-01-02T00:00:00.000Z")
    series = {
        metric: [{"time": day, "value": n} for n, day in enumerate(days)] for metric in ("TotalEmailSend", "Open")
    }
    held = {"id": -1, "name": "Holdout", "isControl": False, "isWinner": False, "series": series}
    return {"id": row["id"], "status": row["status"], "interval": "day", "startDateTime": days[0],
            "endDateTime": days[1], "variants": [{**each, "series": series} for each in named],
            "holdout": held if row["sizing"]["holdoutPercentage"] else None}  # fmt: skip


def experiment_rows(sandbox: IterableSandbox, stream: str) -> Iterator[Row]:
    """What the tap is to make of experiments."""
    for row in sandbox.account.experiments():
        if stream == "experiments":
            meta = row["meta"]
            author = f"author-{row['id'] % 3}@example.com"
            yield {**row, "name": meta["name"], "author": author, "campaignId": meta["campaignId"]}
            continue
        part = stream.removeprefix("experiment_")
        if part != "variants" and row["status"] == "draft":
            continue
        body = experiment_part(row, part)
        for variant in [*body["variants"], *filter(None, [body.get("holdout")])]:
            named = {"experimentId": row["id"], "variantId": variant.get("id", variant.get("variantId"))}
            named |= {name: value for name, value in variant.items() if name not in ("id", "series")}
            if part == "trends":
                for metric, points in variant["series"].items():
                    yield from ({**named, "metric": metric, "interval": "day", **point} for point in points)
            else:
                yield {**named, **({"status": row["status"]} if part == "totals" else {})}


def experiments() -> Iterator[Row]:
    whole = dict.fromkeys(EXPERIMENT_COLUMNS.split())
    first = {"campaignId": 101, "experimentId": 12, "createdBy": "me@example.com", "subject": "Hé"}
    yield {**whole, **first, "templateId": 500, "name": "Name, with comma", "type": "Control",
           "creationDate": "2025-01-02T16:15:33.780000Z", "lastModified": "2025-01-02T16:15:33.834000Z",
           "total_email_sends": 5}  # fmt: skip
    yield {**whole, **first, "templateId": 501, "name": "Variation 1", "type": "-",
           "creationDate": "2025-01-06T22:55:34.807000Z", "lastModified": "2025-01-06T22:55:34.807000Z",
           "improvement": 1.5, "clicks_opens": 0.25}  # fmt: skip


def members(sandbox: IterableSandbox, call: Call) -> Answer:
    list_id = call.params["listId"]
    if list_id == sandbox.options["broken"]:
        raise Refusal(500)
    if list_id not in range(1, 7):
        raise Refusal(400, "Invalid email list id")
    end = "\r\n" if list_id == 2 else "\n"
    text = end.join([*sandbox.account.members(list_id), "", ""])
    if sandbox.options["drift"]:
        sandbox.account.turn_over(list_id, sandbox.clock.now())
    return Answer((text.strip() if list_id == 3 else text).encode(), content_type="text/plain; charset=utf-8")


def size(sandbox: IterableSandbox, call: Call) -> Answer:
    list_id = int(call.args["list_id"])
    if list_id not in range(1, 7):
        raise Refusal(400, "Invalid email list id")
    return Answer(str(len(sandbox.account.members(list_id))).encode(), content_type="text/plain")


def template(sandbox: IterableSandbox, call: Call, kind: str) -> Answer:
    media = {"email": "Email", "push": "Push", "sms": "SMS", "inapp": "InApp", "embedded": "Embedded"}
    for medium, _, row in sandbox.account.templates():
        if row["templateId"] == call.params["templateId"] and medium == media[kind]:
            return Answer.of(sandbox.account.template(kind, row))
    raise Refusal(400, "Invalid template id")


def mappings(sandbox: IterableSandbox, call: Call) -> Answer:
    body: Row = MAPPINGS
    return Answer.of(body if sandbox.options["other"] else {"msg": "", "code": "Success", "params": body})


def catalog_items(sandbox: IterableSandbox, call: Call) -> Answer:
    name = call.args["catalog"]
    if name not in sandbox.account.catalogs():
        raise Refusal(404)
    answer = paged(sandbox, call, name, "totalItemsCount", "itemId", enveloped=True)
    return Answer(answer.body.replace(f'"{name}":['.encode(), b'"catalogItemsWithProperties":['))


def metadata_row(table: str, key: str, value: Any) -> Row:
    return {"table": table, "key": key, "size": 10, "lastModified": milliseconds(BEGIN), "value": value}


def metadata_keys(sandbox: IterableSandbox, call: Call) -> Answer:
    keys = sandbox.account.metadata().get(call.args["table"])
    if keys is None:
        raise Refusal(404)
    start = int(call.params.get("nextMarker", 0))
    found = [metadata_row(call.args["table"], key, 0) for key in list(keys)[start : start + 10]]
    rows = [{name: part for name, part in row.items() if name != "value"} for row in found]
    return Answer.of({"results": rows, **({"nextMarker": str(start + 10)} if start + 10 < len(keys) else {})})


def metadata_value(sandbox: IterableSandbox, call: Call) -> Answer:
    value = sandbox.account.metadata().get(call.args["table"], {}).get(call.args["key"])
    if value is None:
        raise Refusal(404)
    return Answer.of(metadata_row(call.args["table"], call.args["key"], value))


def kinds_of(project: str) -> Iterable[str]:
    """Which hashes a project has."""
    return {"email": ("email",), "userid": ("userId",)}.get(project, ("email", "userId"))


def hashes(kind: str) -> list[str]:
    """The hashes of forgotten users."""
    return [hashlib.sha256(f"{kind}{number}".encode()).hexdigest() for number in range(3)]


def forgotten(name: str, kind: str) -> Callable[[IterableSandbox, Call], Answer]:
    def handler(sandbox: IterableSandbox, call: Call) -> Answer:
        if kind not in kinds_of(sandbox.account.project):
            raise Refusal(400, "Not in this type of project")
        return Answer.of({name: [*hashes(kind), hashes(kind)[0]]})

    return handler
