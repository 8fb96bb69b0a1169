"""Transactional e-mail in the sandbox: smart ones, groups, messages, statistics. Times here have an offset."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.sandbox import EPOCH, Answer, Call, Param, Refusal, Row

from .account import NAMES, Account, Place

if TYPE_CHECKING:
    from . import CampaignMonitorSandbox

CLIENT = {"clientID": Param()}
STATISTICS = {
    **{name: Param() for name in ("from", "to", "group", "smartEmailID")},
    "timezone": Param(options=("utc", "client")),
}
MESSAGES = {
    "status": Param(options=("all", "delivered", "bounced", "spam"), default="all"),
    "count": Param("integer", default=50, least=1, most=200),
    "sentBeforeID": Param(),
    "sentAfterID": Param(),
}
DETAILS = {"statistics": Param("boolean", default=False), "excludemessagebody": Param("boolean", default=False)}
OPENED_DAYS = 5
"""So long after it was sent a message is opened once a day."""


def guid(account: Account, *names: object) -> str:
    """An id of this part of the API."""
    return str(UUID(account.identity(*names)))


def _told(moment: datetime, place: Place) -> str:
    return moment.astimezone(ZoneInfo(place.zone)).isoformat(timespec="seconds")


def smart_emails(account: Account, place: Place) -> list[Row]:
    """Smart e-mails with all that is known of each."""
    return [
        {
            "SmartEmailID": guid(account, "smart", place.number, number),
            "Name": NAMES[number],
            "CreatedAt": _told(EPOCH - timedelta(days=number, hours=5), place),
            "Status": ("Active", "Draft")[number],
            "Properties": {
                "From": '"Team" <team@example.org>',
                "ReplyTo": "",
                "Subject": account.text("[username], hi\0"),
                "Content": {"HTML": "<b>ü</b>", "Text": "ü", "EmailVariables": ["username"], "InlineCss": True},
                "TextPreviewUrl": "https://shop.example.org/t",
                "HtmlPreviewUrl": "https://shop.example.org/h",
            },
            "AddRecipientsToList": (True, account.identity("list", place.number, 0))[number],  # Awkward: either type
        }
        for number in range(2)
    ]


def groups(account: Account, place: Place) -> list[Row]:
    """Groups of classic e-mails; of the last client none."""
    made = [{"Group": name, "CreatedAt": _told(EPOCH - timedelta(days=9), place)} for name in ("Orders", "Pässe")]
    return [] if place.number == 2 else made


def count(account: Account, place: Place) -> int:
    """How many messages a client sent; the last one none."""
    return 0 if place.number == 2 else round(8 * account.scale) + 3 * max(0, account.day)


def message(account: Account, place: Place, number: int) -> Row:
    """A message as it is listed. Awkward: two that were sent in the same second."""
    first = round(8 * account.scale)
    if number < first:
        sent = EPOCH - timedelta(hours=20 * (first - number) // 2 * 2 + 1)
    else:
        sent = EPOCH + timedelta(days=(number - first) // 3, hours=7 * ((number - first) % 3 + 1))
    opens = min(max((account.now - sent).days, 0), OPENED_DAYS)
    row: Row = {
        "MessageID": guid(account, "message", place.number, number),
        "Status": ("Delivered", "Bounced", "Spam")[number % 3],
        "SentAt": _told(sent, place),
        "Recipient": f"Zoë <zoë{number}@example.org>",
        "From": "Team <team@example.org>",
        "Subject": NAMES[number % 6],
        "TotalOpens": opens,
        "TotalClicks": opens // 2,
        "CanBeResent": number % 2 == 0,
    }
    if row["Status"] == "Bounced":
        row |= {"BounceType": "Hard", "BounceCategory": "Invalid address"}
    own = {"Group": "Orders"} if number % 2 else {"SmartEmailID": guid(account, "smart", place.number, 0)}
    return {**row, **own}


def messages(account: Account, place: Place) -> list[Row]:
    """All that were sent until now, newest first."""
    rows = [message(account, place, number) for number in range(count(account, place))]
    now = account.now.isoformat()
    sent = [row for row in rows if datetime.fromisoformat(row["SentAt"]) <= datetime.fromisoformat(now)]
    return sorted(sent, key=lambda row: datetime.fromisoformat(row["SentAt"]), reverse=True)


def details(account: Account, place: Place, row: Row) -> Row:
    """A message with all that is known of it but its body."""
    sent = datetime.fromisoformat(row["SentAt"])

    def event(number: int) -> Row:
        return {
            "EmailAddress": "zoë@example.org",
            "Date": account.local(sent + timedelta(days=number), place),
            "IPAddress": "203.0.113.9",
            "Geolocation": {"City": "Perth"},
            "MailClient": {"Name": "Mail", "OS": "iOS", "Device": "Phone"},
        }

    opens = [event(number) for number in range(row["TotalOpens"])]
    clicks = [{**event(number), "URL": "https://shop.example.org"} for number in range(row["TotalClicks"])]
    inside = {"From": row["From"], "Subject": row["Subject"], "To": [row["Recipient"]], "Data": {"ü": 1}}
    kept = {name: value for name, value in row.items() if name not in ("From", "Subject")}
    return {**kept, "Message": inside, "Opens": opens, "Clicks": clicks}


def statistics(place: Place, since: str, until: str, group: str | None = None, smart: str | None = None) -> Row:
    """Sums over some days, of all that was sent, or of a group or smart e-mail."""
    of = {name: value for name, value in (("Group", group), ("SmartEmailID", smart)) if value}
    asked = {**of, "From": since, "To": until, "TimeZone": place.label}
    return {
        "Query": asked,
        "Sent": 9 + place.number + len(group or smart or ""),
        "Bounces": 1,
        "Delivered": 8,
        "Opened": 3,
        "Clicked": 1,
    }


# Endpoints


def _place(sandbox: CampaignMonitorSandbox, call: Call) -> Place:
    if sandbox.options["plan"] == "basic":
        raise Refusal(400, "Transactional email is not in your plan", title="980")
    return sandbox.client_named(call.params.get("clientID", ""))


def list_smart_emails(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """The list of smart e-mails, which calls their ids otherwise."""
    rows = smart_emails(sandbox.account, _place(sandbox, call))
    kept = [{name: row[name] for name in ("Name", "CreatedAt", "Status")} for row in rows]
    return Answer.of([{"ID": row["SmartEmailID"], **part} for row, part in zip(rows, kept, strict=True)])


def show_smart_email(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """One of them. Awkward: newer ones name their content otherwise."""
    rows = smart_emails(sandbox.account, _place(sandbox, call))
    content = rows[0]["Properties"]["Content"]
    content["Html"] = content.pop("HTML")
    return _one(rows, "SmartEmailID", call.args["smart_email_id"])


def list_groups(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """The groups."""
    return Answer.of(groups(sandbox.account, _place(sandbox, call)))


def list_messages(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """Messages, newest first, behind the one that the cursor names."""
    rows = messages(sandbox.account, _place(sandbox, call))
    if before := call.params.get("sentBeforeID"):
        places = [place for place, row in enumerate(rows) if row["MessageID"] == before]
        if not places:
            raise Refusal(400, "Invalid sentBeforeID", title="904")
        rows = rows[places[0] + 1 :]
    return Answer.of(rows[: call.params["count"]])


def show_message(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """One message."""
    place = _place(sandbox, call)
    rows = [details(sandbox.account, place, row) for row in messages(sandbox.account, place)]
    return _one(rows, "MessageID", call.args["message_id"])


def show_statistics(sandbox: CampaignMonitorSandbox, call: Call) -> Answer:
    """Sums over the days asked for."""
    params = call.params
    of = params.get("group"), params.get("smartEmailID")
    return Answer.of(statistics(_place(sandbox, call), params["from"], params["to"], *of))


def _one(rows: list[Row], name: str, wanted: Any) -> Answer:
    for row in rows:
        if row[name] == wanted:
            return Answer.of(row)
    raise Refusal(404, "Not found", title="404")
