"""What else the sandbox's account holds: small lists below clients, lists, segments and campaigns."""

from __future__ import annotations

from datetime import timedelta

from shared.sandbox import EPOCH, Row, mix

from .account import NAMES, Account, Campaign, Place, SubscriberList

PERIODS = ("Today", "Yesterday", "ThisWeek", "ThisMonth", "ThisYear")
COUNTS = (
    ("TotalActiveSubscribers", "NewActiveSubscribers"),
    ("TotalUnsubscribes", "Unsubscribes"),
    ("TotalDeleted", "Deleted"),
    ("TotalBounces", "Bounces"),
)


def _draft(account: Account, place: Place, kind: str, number: int) -> Row:
    row: Row = {
        "CampaignID": account.identity(kind, place.number, number),
        "Name": f"{kind} {NAMES[number % 6]}",
        "Subject": account.text("Soon \0"),
        "FromName": "Shop",
        "FromEmail": "news@shop.example.org",
        "ReplyTo": "news@shop.example.org",
        "DateCreated": account.local(EPOCH - timedelta(hours=6, minutes=number), place),
        "PreviewURL": "https://shop.example.org/p",
        "PreviewTextURL": "https://shop.example.org/p/t",
    }
    return {**row, "Tags": ["ü"]} if number else row


def drafts(account: Account, place: Place) -> list[Row]:
    """Drafts; one more each day."""
    return [_draft(account, place, "draft", number) for number in range(2 + max(0, account.day))]


def scheduled(account: Account, place: Place) -> list[Row]:
    """Campaigns to be sent, at a time of another zone than the client's; the last in one without name."""
    zones = ("(GMT+09:00) Osaka, Sapporo, Tokyo", "(GMT-08:00) Pacific Time (US & Canada)", "")
    due = "2026-12-24 18:00:00"
    return [
        {**_draft(account, place, "scheduled", number), "DateScheduled": due, "ScheduledTimeZone": zone}
        for number, zone in enumerate(zones)
    ]


def tags(account: Account, place: Place) -> list[Row]:
    """Tags. Awkward: a number as text."""
    return [{"Name": "2026", "NumberOfCampaigns": 3}, {"Name": "ü", "NumberOfCampaigns": "12"}]


def templates(account: Account, place: Place) -> list[Row]:
    """Templates."""
    url = "https://shop.example.org/template"
    return [
        {"TemplateID": account.identity("template", place.number, n), "Name": name, "PreviewURL": url,
         "ScreenshotURL": None}
        for n, name in enumerate(NAMES)
    ]  # fmt: skip


def domains(account: Account, place: Place) -> list[Row]:
    """Domains that a client sends from."""
    return [{"Domain": f"d{n}.example.org", "Status": ("Verified", "Unverified")[n]} for n in range(2)]


def people(account: Account, place: Place) -> list[Row]:
    """People of a client."""
    return [
        {"EmailAddress": f"p{n}@example.org", "Name": NAMES[n], "AccessLevel": 1023 - n, "Status": "Active"}
        for n in range(3)
    ]


def administrators(account: Account) -> list[Row]:
    """Administrators of the account."""
    return [{"EmailAddress": f"a{n}@example.org", "Name": NAMES[n], "Status": "Active"} for n in range(2)]


def suppressed_count(account: Account, place: Place) -> int:
    """How many addresses are suppressed."""
    return (round(1200 * account.scale) if place.number == 0 else 5) + 2 * max(0, account.day)


def suppressed(account: Account, place: Place, number: int) -> Row:
    """One of them; here, and only here, times have seconds."""
    moment = EPOCH - timedelta(seconds=number * 7919)
    return {
        "EmailAddress": f"x{mix(number) % 1000:03d}.{number}@example.org",
        "Date": account.local(moment, place)[:17] + f"{moment.second:02d}",
        "State": "Suppressed",
        "SuppressionReason": ("Unsubscribed", "Bounced", "Reason Unavailable")[number % 3],
    }


def stats(account: Account, each: SubscriberList) -> Row:
    """Counts of a list."""
    made: Row = {}
    for place, (total, part) in enumerate(COUNTS):
        made[total] = each.size * (place + 1) + account.day
        made.update({f"{part}{period}": n * place for n, period in enumerate(PERIODS)})
    return made


def custom_fields(account: Account, each: SubscriberList) -> list[Row]:
    """Custom fields. Awkward: two that share a key."""
    return [
        {"FieldName": "website", "Key": "[website]", "DataType": "Text", "FieldOptions": [],
         "VisibleInPreferenceCenter": True},
        {"FieldName": "兴趣", "Key": "[]", "DataType": "MultiSelectMany", "FieldOptions": ["a", "ü"],
         "VisibleInPreferenceCenter": False},
        {"FieldName": "年龄", "Key": "[]", "DataType": "Number", "FieldOptions": None},
    ]  # fmt: skip


def webhooks(account: Account, each: SubscriberList) -> list[Row]:
    """Webhooks; most lists have none."""
    hook = {"WebhookID": "943678317049bc13", "Events": ["Deactivate"], "Url": "https://hooks.example.org/a",
            "Status": "Active", "PayloadFormat": "Json"}  # fmt: skip
    return [] if each.number else [hook]


def segments(account: Account, place: Place) -> list[Row]:
    """Segments of all lists of a client."""
    return [
        {"ListID": each.identity, "SegmentID": account.identity("segment", each.identity), "Title": f"Fans {number}"}
        for number, each in enumerate(account.lists.values())
        if each.client == place and not each.gone
    ]


def segment_details(account: Account, each: SubscriberList) -> Row:
    """The one segment of a list."""
    (row,) = (row for row in segments(account, each.client) if row["ListID"] == each.identity)
    rules = [{"Rules": [{"RuleType": "EmailAddress", "Clause": "CONTAINS @example.org"}]}]
    return {**row, "ActiveSubscribers": account.subscriber_count(each, "active") // 2, "RuleGroups": rules}


def member(account: Account, each: SubscriberList, number: int) -> Row:
    """A member of that segment: every second subscriber."""
    row = account.subscriber(each, "active", 2 * number)
    return {name: value for name, value in row.items() if name not in ("ReadsEmailWith", "Score")}


def journeys(account: Account, place: Place) -> list[Row]:
    """Journeys; the last one has no e-mails."""
    return [
        {
            "ListID": account.identity("list", place.number, 0),
            "JourneyID": account.identity("journey", place.number, number),
            "Name": f"Journey {NAMES[number]}",
            "Status": "Active",
        }
        for number in range(3)
    ]


def journey_campaigns(account: Account, place: Place, number: int) -> list[Campaign]:
    """The e-mails of a journey, each as if it were a campaign."""
    count = 2 - number
    sent = EPOCH - timedelta(days=5, hours=number)
    return [Campaign(place, 50 + n, sent, account.identity("email", place.number, number, n), 40) for n in range(count)]


def journey_rows(account: Account, each: Campaign, kind: str) -> list[Row]:
    """The rows of a report on an e-mail: those of a campaign without the list."""
    if kind == "recipients":
        rows = account.events(each, "bounces")
        return [{"EmailAddress": f"j{n}@example.org", "SentDate": row["Date"]} for n, row in enumerate(rows)]
    return [{name: value for name, value in row.items() if name != "ListID"} for row in account.events(each, kind)]


def journey(account: Account, place: Place, number: int) -> Row:
    """A journey with its e-mails and their counters."""
    counters = {"Sent": "recipients", "Opened": "opens", "Clicked": "clicks", "Bounced": "bounces"}
    emails = [
        {
            "EmailID": each.identity,
            "Name": str(n),
            "UniqueOpened": 1,
            **{name: len(journey_rows(account, each, kind)) for name, kind in counters.items()},
            "Unsubscribed": len(journey_rows(account, each, "unsubscribes")),
        }
        for n, each in enumerate(journey_campaigns(account, place, number))
    ]
    own = journeys(account, place)[number]
    return {
        **{name: own[name] for name in ("JourneyID", "Name", "Status")},
        "TriggerType": "On Subscription",
        "Emails": emails,
    }


def sent_to(account: Account, each: Campaign) -> dict[str, list[Row]]:
    """Lists and segments of a campaign."""
    lists = [found for found in account.lists.values() if found.client == each.client]
    own = segments(account, each.client)[: each.number % 2]
    return {
        "Lists": [{"ListID": found.identity, "Name": account.details(found)["Title"]} for found in lists],
        "Segments": own,
    }
