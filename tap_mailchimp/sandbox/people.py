"""Lists and the people on them: what everything else in the sandbox's account refers to.

A member is a function of list, number and day. Only numbers, stamps and states are held for a whole list; rows are
made when a page asks for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from shared.sandbox import EPOCH, Kept, Row, Table, mix, salt

HOUR, DAY = 3600, 86400
START = int(EPOCH.timestamp())
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")
PENDING, ARCHIVED = STATUSES.index("pending"), STATUSES.index("archived")
IMPORTED_AT = START - 200 * DAY
IMPORTED = range(300, 1500)
"""Members of the first audience that one import stamped with one second: more than a full page of them."""
KEPT_ROWS = 60_000
"""For how many rows their numbers, stamps and states are kept at a time."""
FIRST_NAMES = (
    "Ana", "Bo", "Zoë", "李雷", "Søren", "محمد", "Olga", "Jürgen", "O'Brien", "Ана", "Yuki", "Núria", 'Tom "T"',
    "Émile", "Chloé 🌸", "",
)  # fmt: skip
LAST_NAMES = ("Ruiz", "Smith", "Müller", "王", "D’Arcy", "Kowalska", "Nguyễn", "Back\\slash", "Ødegård", "García López")
_MAILBOX = (
    "ana", "bo", "Zoe", "li", "soren", "mo", "Olga", "jurgen", "obrien", "anna", "yuki", "nuria", "tom", "emile",
    "chloe", "x",
)  # fmt: skip
_DOMAINS = ("example.com", "example.org", "mail.example.net", "Example.COM", "shop.example", "gmail.example")
_LANGUAGES = ("en", "es", "de", "", "zh", "fr", "pt", "")
CITIES: tuple[Row, ...] = (
    {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": "", "timezone": "", "region": ""},
    {"latitude": 40.4168, "longitude": -3.7038, "gmtoff": 1, "dstoff": 2, "country_code": "ES",
     "timezone": "Europe/Madrid", "region": "MD"},
    {"latitude": 33.749, "longitude": -84.388, "gmtoff": -5, "dstoff": -4, "country_code": "US",
     "timezone": "America/New_York", "region": "GA"},
    {"latitude": 35.6762, "longitude": 139.6503, "gmtoff": 9, "dstoff": 9, "country_code": "JP",
     "timezone": "Asia/Tokyo", "region": "13"},
)  # fmt: skip
_ADDRESS = {"addr1": "1 Main St", "addr2": "", "city": "Atlanta", "state": "GA", "zip": "30303", "country": "US"}
LINK = {"rel": "self", "href": "https://us6.api.mailchimp.com/3.0/", "method": "GET"}
WORDS = ("great", "“quoted”, with comma", "ünïcode 🎉", "nul \x00 inside", "")

_dates: dict[int, str] = {}


def stamp(seconds: int) -> str:
    """Unix seconds the way the API writes them; 0 is unset, which the API writes as an empty string."""
    if not seconds:
        return ""
    day, rest = divmod(seconds, DAY)
    text = _dates.get(day)
    if text is None:
        text = _dates[day] = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    return f"{text}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}+00:00"


def spread(value: int) -> int:
    """64 bits from one number: the quick half of `mix`, for what is asked of every row."""
    value = (value * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 29)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 32)


def short_id(*names: Any) -> str:
    """Ten hexadecimal digits, as ids of lists and campaigns have."""
    return f"{salt(0, *names):016x}"[:10]


@dataclass(slots=True)
class Audience:
    """One list: `size` members on day 0 and `daily` more each day. `deleted` ones live on in reports only."""

    number: int
    id: str
    name: str
    size: int
    daily: int
    salt: int
    overlap: int
    deleted: bool = False
    interests: list[dict[str, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Members:
    """What is known of a list's members without making their rows. `numbers`: those that exist, in API order."""

    numbers: list[int]
    changed: dict[int, int]
    status: dict[int, int]
    version: dict[int, int]
    tagged: set[int]


class People:
    """The lists of one day's account; `keep_all`: tables are kept for good, since rows move in them."""

    def __init__(self, *, seed: int, scale: float, day: int, keep_all: bool) -> None:
        self.seed, self.scale, self.day = seed, scale, day
        self.now = START + day * DAY
        self._kept = Kept(float("inf") if keep_all else KEPT_ROWS)
        self.audiences = self._make_audiences()
        self.live = [audience for audience in self.audiences if not audience.deleted]
        self.audiences_by_id = {audience.id: audience for audience in self.audiences}

    def _make_audiences(self) -> list[Audience]:
        """The big list grows with the root of the scale, the rest of the account by more lists of a few thousand."""
        scale, root = self.scale, min(self.scale, self.scale**0.5)
        sizes = [int(2600 * root), int(1300 * root), min(40, int(40 * scale) or 1), 0]
        rest = int(3940 * scale) - sum(sizes)
        while rest > 200:
            size = min(rest, 1500 + mix(self.seed, len(sizes)) % 1500)
            sizes.append(size)
            rest -= size
        names = ["Newsletter", "Kunden & Freunde 🎉", 'Beta "testers"', "Empty"]
        audiences = []
        for number, size in enumerate([*sizes, 120]):
            deleted = number == len(sizes)
            name = "Old list" if deleted else names[number] if number < len(names) else f"Audience {number}"
            audience = Audience(
                number=number,
                id=short_id(self.seed, "list", "old" if deleted else number),
                name=name,
                size=size,
                daily=0 if deleted or not size else max(1, size // 130),
                salt=salt(self.seed, "members", number),
                # The second list shares people with the first; the others begin anywhere.
                overlap=(0, 2000)[number] if number < 2 else number * 7919 % 90_000,
                deleted=deleted,
            )
            ids = [short_id(audience.id, "interest", place) for place in range(5)]
            audience.interests = [{name: bool(bits >> at & 1) for at, name in enumerate(ids)} for bits in range(32)]
            audiences.append(audience)
        return audiences

    def audience(self, args: Mapping[str, str]) -> Audience:
        """The list that a path names; KeyError when there is none."""
        audience = self.audiences_by_id[args["list_id"]]
        if audience.deleted:
            raise KeyError(audience.id)
        return audience

    def keep(self, key: tuple[Any, ...], make: Callable[[], Table]) -> Table:
        """A table made once and kept for a while."""
        table: Table | None = self._kept.get(key)
        if table is None:
            table = make()
            self._kept.put(key, table, table.count + 20)
        return table

    def members(self, audience: Audience) -> Members:
        """Which members exist, their status, their last change, how often they changed."""
        kept: Members | None = self._kept.get(("state", audience.id))
        if kept is None:
            kept = self._make_members(audience)
            self._kept.put(("state", audience.id), kept, audience.size // 2 + 20)
        return kept

    def is_gone(self, audience: Audience, number: int) -> bool:
        """Whether the member was permanently deleted by now."""
        base = audience.salt + number
        return any(spread(base ^ day << 40) % 400 == 0 for day in range(1, self.day + 1))

    def _make_members(self, audience: Audience) -> Members:
        imported = IMPORTED if audience.number == 0 else range(0)
        made = Members([], {}, {}, {}, set())
        for number in range(audience.size + audience.daily * self.day):
            h = spread(audience.salt + number)
            share = h % 100
            status = 0 if share < 78 else 1 if share < 88 else 2 if share < 92 else 3 if share < 94 else 4
            status = ARCHIVED if share >= 95 else status
            version, born = 0, 0
            if number in imported:
                changed = IMPORTED_AT
            elif number < audience.size:
                # One in four on a full hour, so that stamps tie here and there.
                changed = START - 700 * DAY + (h >> 16) % (699 * DAY)
                changed -= changed % HOUR if h >> 60 < 4 else 0
            else:
                born = (number - audience.size) // audience.daily + 1
                changed = START + (born - 1) * DAY + 60 + (h >> 16) % (DAY - 120)
                status = 0
            if number == 11:
                changed = START  # Awkward: in the very second in which day 0 begins
            gone = False
            for day in range(born + 1 if born else 1, self.day + 1):
                change = spread(audience.salt + number ^ day << 40)
                kind = change % 400
                if kind == 0:
                    gone = True
                    break
                if kind < 18:
                    version += 1
                    changed = START + (day - 1) * DAY + 1 + (change >> 16) % (DAY - 1)
                    if kind < 3:
                        status = 0 if status == ARCHIVED else ARCHIVED
                    elif kind < 6 and status == 0:
                        status = 1
            if not gone:
                made.numbers.append(number)
                made.changed[number], made.status[number] = changed, status
                if version:
                    made.version[number] = version
                if version == 1:
                    made.tagged.add(number)
        # The API's own order is undocumented; here it is neither by time nor by id.
        made.numbers.sort(key=lambda number: spread(number ^ audience.salt >> 3))
        return made

    def person(self, audience: Audience, number: int) -> tuple[str, str, int]:
        """Address, its hash and a number of the person behind a member; lists overlap."""
        who = number + audience.overlap
        h = spread(who + self.seed * 1_000_003)
        address = f"{_MAILBOX[h & 15]}.{who}@{_DOMAINS[(h >> 8) % 6]}"
        return address, hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest(), h

    def member(self, audience: Audience, number: int, members: Members) -> Row:
        """One member's row."""
        address, hashed, who = self.person(audience, number)
        h = spread(audience.salt + number)
        version = members.version.get(number, 0)
        status = members.status[number]
        first, last = FIRST_NAMES[who & 15], LAST_NAMES[(who >> 12) % 10]
        opted = START - 800 * DAY + (h >> 20) % (90 * DAY)
        tag = {"id": 14_351_128 + audience.number * 1000, "name": "2022 0"}
        tags = [tag] if h & 0x3F00 == 0 or number in members.tagged else []
        row: Row = {
            "id": hashed,
            "email_address": address,
            "unique_email_id": f"{who:016x}"[:10],
            "contact_id": f"{h:016x}{who:016x}",
            "full_name": f"{first} {last}".strip(),
            "web_id": 546_000_000 + audience.number * 1_000_000 + number,
            "email_type": "html",
            "status": STATUSES[status],
            "consents_to_one_to_one_messaging": h & 1024 == 0,
            "sms_phone_number": "",
            "sms_subscription_status": "",
            "sms_subscription_last_updated": "",
            "merge_fields": {
                "FNAME": first,
                "LNAME": last,
                "ADDRESS": _ADDRESS if h & 0x1800 == 0 else "",
                "PHONE": "",
                "BIRTHDAY": f"{1 + (h >> 30) % 12:02}/{1 + (h >> 34) % 28:02}" if h & 0x2000 else "",
                "POINTS": (h >> 24) % 500 + version,
            },
            "interests": audience.interests[h >> 40 & 31],
            "stats": {"avg_open_rate": (h >> 3) % 101 / 100, "avg_click_rate": (h >> 9) % 41 / 100},
            "ip_signup": "",
            "timestamp_signup": "" if h & 0x4000 else stamp(opted - 60),
            "ip_opt": f"203.0.113.{h >> 44 & 255}",
            "timestamp_opt": stamp(opted),
            "member_rating": 1 + ((h >> 50) + version) % 5,
            "last_changed": stamp(members.changed[number]),
            "language": _LANGUAGES[h >> 53 & 7],
            "vip": h % 97 == 0,
            "email_client": "" if h & 0x8000 else "Gmail",
            "location": CITIES[h >> 56 & 3],
            "source": "Import" if number in IMPORTED else "API - Generic",
            "tags_count": len(tags),
            "tags": tags,
            "list_id": audience.id,
        }
        if status == 1:
            row["unsubscribe_reason"] = "N/A (Unsubscribed by admin)"
        if h % 53 == 0:
            created = stamp(opted + DAY)
            row["last_note"] = {"note_id": number, "created_at": created, "created_by": "Ana", "note": "called ☎"}
        if number < 24 and audience.number == 0:
            _make_awkward(row, number)
        return row

    def list_members(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members"""
        audience = self.audience(args)

        def make() -> Table:
            members = self.members(audience)
            numbers = members.numbers

            def touch(place: int, now: datetime) -> None:
                number = numbers[place]
                members.changed[number] = int(now.timestamp())
                members.version[number] = members.version.get(number, 0) + 1
                changed[place] = stamp(members.changed[number])

            changed = [stamp(members.changed[number]) for number in numbers]
            status = [STATUSES[members.status[number]] for number in numbers]
            return Table(
                len(numbers),
                lambda place: self.member(audience, numbers[place], members),
                {"last_changed": changed, "status": status},
                touch,
            )

        return self.keep(("members", audience.id), make)


def _make_awkward(row: Row, number: int) -> None:
    """Awkward: what the first members of the first list are like."""
    if number == 3:
        row["beta_score"] = {"value": 7, "_links": [LINK]}
        row["beta_flag"] = True
    elif number == 4:
        row["member_rating"] = "high"
    elif number == 5:
        row["full_name"] = "Nul\x00l"
        row["merge_fields"] = {"FNAME": "a\x00b"}
    elif number == 6:
        del row["merge_fields"]
    elif number == 7:
        row["merge_fields"] = None
        row["interests"] = None
    elif number == 8:
        row["member_rating"] = 4.0
        row["stats"] = {**row["stats"], "ecommerce_data": {"total_revenue": 1.5, "number_of_orders": 2,
                                                           "currency_code": "USD"}}  # fmt: skip
    elif number == 9:
        row["full_name"] = "👩‍👩‍👧‍👦 \u2028 \u202e"
        row["tags"] = [{"id": place, "name": f"tag {place}"} for place in range(50)]
        row["tags_count"] = 60
    elif number == 10:
        row["member_rating"] = 2.5
    elif number == 12:
        row["marketing_permissions"] = [{"marketing_permission_id": "a1", "text": "Email", "enabled": False}]
        row["sms_phone_number"] = "+15550100"
        row["sms_subscription_status"] = "subscribed"
        row["sms_subscription_last_updated"] = row["last_changed"]
    elif number == 13:
        row["timestamp_opt"] = None
        row["language"] = None
