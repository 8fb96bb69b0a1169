"""The account that the sandbox serves: three clients in three zones, all derived from seed, scale and day.

A later day adds to an earlier one: new campaigns, new and late events, subscribers who came or changed their state.
Deliberately awkward (search for "Awkward"): identical rows, minutes that hold more than a page, hours that come twice,
ties, unicode; with the option `awkward` also what the tap warns of: U+0000, unknown fields, parents that are listed and
gone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from shared.sandbox import EPOCH, Row, mix, salt

DAY = timedelta(days=1)
NAMES = ("Ann", "Bob Ó", "Zoë", "李雷", "", "مريم")
PLACES = (
    ("203.0.113.9", 40.71, -74.0, "New York", "New York", "US", "United States"),
    ("198.51.100.7", -33.87, 151.21, "Syd\0ney", "New South Wales", "AU", "Australia"),  # Awkward
    ("", 0, 0, "", "", "", ""),
    (None, None, None, None, None, None, None),
)
GEO = ("IPAddress", "Latitude", "Longitude", "City", "Region", "CountryCode", "CountryName")
STATES = ("active", "unconfirmed", "unsubscribed", "bounced", "deleted")
REPORTS = ("opens", "clicks", "bounces", "unsubscribes", "spam")
COUNTERS = dict(zip(REPORTS, ("TotalOpened", "Clicks", "Bounced", "Unsubscribed", "SpamComplaints"), strict=True))


@dataclass(frozen=True)
class Place:
    """A client: its number, its label and its zone."""

    number: int
    label: str
    zone: str
    campaigns: int
    lists: int


PACIFIC = ("(GMT-08:00) Pacific Time (US & Canada)", "America/Los_Angeles")
CLIENTS = (
    Place(0, "(GMT-05:00) Eastern Time (US & Canada)", "America/New_York", 9, 4),
    Place(1, "(GMT+10:00) Canberra, Melbourne, Sydney", "Australia/Sydney", 4, 3),
    Place(2, "(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London", "Europe/London", 2, 1),
)


@dataclass(frozen=True)
class Campaign:
    """A campaign that was sent: whose, which, when; `gone`: listed, but no more."""

    client: Place
    number: int
    sent: datetime
    identity: str
    recipients: int
    gone: bool = False


@dataclass(frozen=True)
class SubscriberList:
    """A list of a client."""

    client: Place
    number: int
    identity: str
    size: int
    gone: bool = False


class Account:
    """The whole account on one day."""

    def __init__(
        self,
        *,
        seed: int,
        scale: float,
        day: int,
        zone: str = "",
        campaigns: int | None = None,
        lists: int | None = None,
        awkward: bool = False,
    ) -> None:
        self.seed, self.scale, self.day, self.awkward = seed, scale, day, awkward
        self.now = EPOCH + day * DAY
        self.campaign_count, self.list_count = campaigns, lists
        first = replace(CLIENTS[0], label=PACIFIC[0], zone=PACIFIC[1]) if zone == "pacific" else CLIENTS[0]
        self.clients = (first, *CLIENTS[1:])
        self._events: dict[tuple[str, str], list[Row]] = {}

    def identity(self, *names: object) -> str:
        """An id of 32 hexadecimal digits."""
        return f"{salt(self.seed, *names):016x}{salt(self.seed, 'more', *names):016x}"

    def text(self, text: str) -> str:
        """A text, with the U+0000 in it where the account is awkward."""
        return text if self.awkward else text.replace("\0", "")

    def client_id(self, place: Place) -> str:
        """A client's id."""
        return self.identity("client", place.number)

    @cached_property
    def campaigns(self) -> dict[str, Campaign]:
        """All campaigns by id; one more a day for each client. Awkward: the fourth of the first client is gone."""
        found = {}
        for place in self.clients:
            count = max(2, round(place.campaigns * self.scale))
            if self.campaign_count:
                count = self.campaign_count if place.number == 0 else 0
            for number in range(count + max(0, self.day)):
                if number < count:
                    sent = EPOCH - min(1 + 2 * number * number, 2000) * DAY - timedelta(hours=2)
                    sent = max(sent, EPOCH - 1500 * DAY + timedelta(minutes=number))
                else:
                    sent = EPOCH + (number - count) * DAY + timedelta(hours=6)
                if sent > self.now:
                    continue
                key = number if number < count else 100_000 + number - count
                identity = self.identity("campaign", place.number, key)
                is_big = place.number == 0 and number == 2 and number < count and not self.campaign_count
                found[identity] = Campaign(
                    place,
                    key,
                    sent,
                    identity,
                    round(2300 * self.scale) if is_big else 30 + number % 50,
                    gone=self.awkward and place.number == 0 and number == 3,
                )
        return found

    @cached_property
    def lists(self) -> dict[str, SubscriberList]:
        """All lists by id. Awkward: the second of the second client is gone."""
        found = {}
        for place in self.clients:
            count = max(1, round(place.lists * self.scale))
            if self.list_count:
                count = self.list_count if place.number == 0 else 0
            for number in range(count):
                identity = self.identity("list", place.number, number)
                is_big = number == 0 and place.number == 0 and not self.list_count
                size = round(1600 * self.scale) if is_big else 40 + number % 30
                gone = self.awkward and (place.number, number) == (1, 1)
                found[identity] = SubscriberList(place, number, identity, size, gone=gone)
        return found

    @staticmethod
    def local(moment: datetime, place: Place) -> str:
        """A time as the API writes it."""
        return moment.astimezone(ZoneInfo(place.zone)).strftime("%Y-%m-%d %H:%M:00")

    # Campaigns

    def campaign(self, each: Campaign) -> Row:
        """One campaign as it is listed."""
        row: Row = {
            "CampaignID": each.identity,
            "Name": f"{NAMES[each.number % 6]} news {each.number}",
            "Subject": self.text("Hi\0") if each.number == 5 else "Hi 👋",
            "FromName": "Shop",
            "FromEmail": "news@shop.example.org",
            "ReplyTo": "news@shop.example.org",
            "SentDate": self.local(each.sent, each.client),
            "TotalRecipients": each.recipients,
            "WebVersionURL": f"https://shop.example.org/{each.number}",
            "WebVersionTextURL": f"https://shop.example.org/{each.number}/t",
        }
        if each.number % 3:
            row["Tags"] = ["2026", "ü"][: each.number % 3]
        if each.number == 4 and self.awkward:
            row["Beta"] = {"score": 1}  # Awkward: a field nobody knows
        return row

    def summary(self, each: Campaign, counts: dict[str, int]) -> Row:
        """A campaign's summary with these counters."""
        return {
            "Name": f"{NAMES[each.number % 6]} news {each.number}",
            "Recipients": each.recipients,
            "UniqueOpened": counts["TotalOpened"] // 2,
            **counts,
            "Forwards": 0,
            "Likes": 0,
            "Mentions": 0,
            "WebVersionURL": f"https://shop.example.org/{each.number}",
            "WebVersionTextURL": f"https://shop.example.org/{each.number}/t",
            "WorldviewURL": f"https://shop.example.org/wv/{each.number}",
        }

    def usage(self, each: Campaign) -> list[Row]:
        """With what it was opened."""
        opened = len(self.events(each, "opens"))
        kinds = (("Apple Mail", "Apple Mail 6"), ("iOS Devices", "iPhone"), ("Undetectable", ""))
        return [
            {"Client": client, "Version": version, "Percentage": 100 / (n + 3), "Subscribers": opened // (n + 2)}
            for n, (client, version) in enumerate(kinds)
        ]

    def sent_to(self, each: Campaign) -> list[Row]:
        """The recipients; while a campaign is young some are missing yet. Awkward: of some for longer."""
        lists = [found.identity for found in self.lists.values() if found.client == each.client] or ["none"]
        settled = (2 if each.number % 2 == 0 else 5) * DAY
        count = each.recipients if each.sent < self.now - settled else each.recipients // 2
        return [
            {"EmailAddress": f"r{mix(n, each.number) % 10**6:06d}.{n}@example.org", "ListID": lists[n % len(lists)]}
            for n in range(count)
        ]

    def events(self, each: Campaign, kind: str) -> list[Row]:
        """The rows of a report, oldest first."""
        key = (each.identity, kind)
        if key not in self._events:
            self._events[key] = sorted(self._made(each, kind), key=lambda row: str(row["Date"]))
        return self._events[key]

    def _made(self, each: Campaign, kind: str) -> list[Row]:
        is_big = each.recipients > 1000 and kind in ("opens", "clicks")
        plenty = {"opens": 70, "clicks": 30, "bounces": 6, "unsubscribes": 4, "spam": each.number % 2}
        count = round(2400 * self.scale) if is_big else plenty[kind]
        moments = []
        for n in range(count):
            if is_big and count // 5 <= n < count // 5 * 4:  # Awkward: a minute that holds more than a page
                moments.append(each.sent + timedelta(minutes=50))
            else:
                moments.append(each.sent + timedelta(minutes=n // 3 * 3 * 37 % 1500))
        if each.sent > EPOCH - 8 * DAY:
            for day in range(self.day):
                start = EPOCH + day * DAY
                late = [start - timedelta(hours=5), start - timedelta(hours=5)] if each.sent < start - DAY else []
                if each.sent < start + timedelta(hours=6):
                    moments += [*late, start + timedelta(hours=7), start + timedelta(hours=20, minutes=day)]
        return [self._event(each, kind, n, moment) for n, moment in enumerate(moments) if moment <= self.now]

    def _event(self, each: Campaign, kind: str, number: int, moment: datetime) -> Row:
        n = number - 1 if number % 10 == 3 and kind in ("opens", "clicks") else number  # Awkward: the same row again
        row: Row = {
            "EmailAddress": f"zoë{n % 61}+news@example.org" if n % 7 == 0 else f"o'{n % 61}@example.org",
            "ListID": self.identity("list", each.client.number, n % 2),
            "Date": self.local(moment, each.client),
        }
        if kind in ("opens", "clicks"):
            row |= dict(zip(GEO, PLACES[n % 4], strict=True))
            row["City"] = row["City"] and self.text(row["City"])
        if kind == "clicks":
            row["URL"] = f"https://shop.example.org/{n % 5}?x=1&y=ü"
        if kind == "unsubscribes":
            row["IPAddress"] = PLACES[n % 3][0]
        if kind == "bounces":
            row |= {"BounceType": ("Soft", "Hard")[n % 2], "Reason": "Soft Bounce - Mailbox Full "}
        if n == 8 and self.awkward:
            row["Robot"] = True  # Awkward: a field nobody knows
        return row

    # Lists

    def details(self, each: SubscriberList) -> Row:
        """A list's settings."""
        return {
            "ConfirmedOptIn": each.number % 2 == 0,
            "Title": f"{NAMES[each.number % 6]} list {each.number}",
            "UnsubscribePage": "",
            "ListID": each.identity,
            "ConfirmationSuccessPage": None if each.number else "",
            "UnsubscribeSetting": "AllClientLists",
        }

    def subscriber_count(self, each: SubscriberList, state: str) -> int:
        """How many are or were in a state."""
        first = each.size if state == "active" else max(5, each.size // 10)
        return first + 6 * max(0, self.day) - self._unborn(each)

    def _unborn(self, each: SubscriberList) -> int:
        """How many of the newest are not there yet, on a day before the first."""
        ago = (EPOCH - self.now).total_seconds() / 60 - 90
        return 4 * int(ago // self._spacing(each) // 4 + 1) if ago >= 0 else 0

    @staticmethod
    def _spacing(each: SubscriberList) -> int:
        """Minutes from one subscriber to the next; Awkward: four share a minute."""
        return 133 if each.size > 1000 else 1331

    def subscriber(self, each: SubscriberList, state: str, number: int) -> Row:
        """One subscriber; those who came since the first day have high numbers."""
        number += self._unborn(each)
        first = each.size if state == "active" else max(5, each.size // 10)
        if number >= first:
            day, place = divmod(number - first, 6)
            changed = EPOCH + day * DAY + timedelta(hours=(-5, 2, 13, 13, 20, 23)[place])
        else:
            changed = EPOCH - timedelta(minutes=90 + number // 4 * 4 * self._spacing(each))
        local = self.local(changed, each.client)
        row: Row = {
            "EmailAddress": f"{('s', 'zoë', 'o+')[number % 3]}{number}.{state}@example.org",
            "Name": NAMES[number % 6],
            "Date": local,
            "ListJoinedDate": self.local(changed - 30 * DAY, each.client),
            "State": state.capitalize(),
            "CustomFields": [
                {"Key": "interests", "Value": "art"},
                {"Key": "interests", "Value": self.text("mu\0sic") if number == 3 else "music"},
            ][: number % 3],
            "ReadsEmailWith": "Gmail" if number % 2 else "",
        }
        if number % 4 == 0:
            row["MobileNumber"] = "+15550100"
        if number == 2 and self.awkward:
            row["Score"] = 5  # Awkward: a field nobody knows
        return row
