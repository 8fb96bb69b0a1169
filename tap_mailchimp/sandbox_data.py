"""The account that the sandbox serves: audiences, campaigns, events, shops, all derived from seed, scale and day.

Nothing is stored that can be made again: a row is a function of its number, so an account of any size costs little
until it is asked for. A later day only adds to an earlier one: rows born, changed or deleted since, events that became
visible. Reports are counted from the very events that the detail endpoints list, so they agree on every day.

Deliberately awkward (search for "Awkward" below): values of the wrong type, unknown fields, U+0000, lone surrogates,
nulls, absent fields, ties over page boundaries, rows that answer 404 although they are listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from shared.sandbox import EPOCH, Kept, Row, Table, mix, salt

HOUR, DAY = 3600, 86400
START = int(EPOCH.timestamp())
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")
ARCHIVED = STATUSES.index("archived")
IMPORTED_AT = START - 200 * DAY
IMPORTED = range(300, 1500)
"""Members of the first audience that one import stamped with one second: more than a full page of them."""
VISIBLE_AFTER_SECONDS = 240
"""The longest that a bounce takes to show up in the API."""

_FIRST = (
    "Ana", "Bo", "Zoë", "李雷", "Søren", "محمد", "Olga", "Jürgen", "O'Brien", "Ана", "Yuki", "Núria", "Tom \"T\"",
    "Émile", "Chloé 🌸", "",
)  # fmt: skip
_LAST = ("Ruiz", "Smith", "Müller", "王", "D’Arcy", "Kowalska", "Nguyễn", "Back\\slash", "Ødegård", "García López")
_MAILBOX = ("ana", "bo", "Zoe", "li", "soren", "mo", "Olga", "jurgen", "obrien", "anna", "yuki", "nuria", "tom", "emile",
            "chloe", "x")  # fmt: skip
_DOMAINS = ("example.com", "example.org", "mail.example.net", "Example.COM", "shop.example", "gmail.example")
_LANGUAGES = ("en", "es", "de", "", "zh", "fr", "pt", "")
_CITIES: tuple[Row, ...] = (
    {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": "", "timezone": "", "region": ""},
    {"latitude": 40.4168, "longitude": -3.7038, "gmtoff": 1, "dstoff": 2, "country_code": "ES",
     "timezone": "Europe/Madrid", "region": "MD"},
    {"latitude": 33.749, "longitude": -84.388, "gmtoff": -5, "dstoff": -4, "country_code": "US",
     "timezone": "America/New_York", "region": "GA"},
    {"latitude": 35.6762, "longitude": 139.6503, "gmtoff": 9, "dstoff": 9, "country_code": "JP",
     "timezone": "Asia/Tokyo", "region": "13"},
)  # fmt: skip
_CITIES_WITHOUT_REGION = tuple({name: city[name] for name in city if name != "region"} for city in _CITIES)
_COUNTRIES = (("US", "GA", "Georgia"), ("ES", "MD", "Madrid"), ("JP", "", ""), ("", "", ""), ("DE", "BE", "Berlin"))
_SEGMENT_MEMBER_FIELDS = (
    "email_address", "email_client", "email_type", "id", "interests", "ip_opt", "ip_signup", "language",
    "last_changed", "last_note", "list_id", "member_rating", "merge_fields", "status", "timestamp_opt",
    "timestamp_signup", "unique_email_id", "vip",
)  # fmt: skip
_ADDRESS = {"addr1": "1 Main St", "addr2": "", "city": "Atlanta", "state": "GA", "zip": "30303", "country": "US"}
_LINK = {"rel": "self", "href": "https://us6.api.mailchimp.com/3.0/", "method": "GET"}

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
    deleted: bool = False
    interests: list[dict[str, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Members:
    """What is known of a list's members without making their rows. `numbers`: those that exist, in API order."""

    numbers: list[int]
    changed: dict[int, int]
    status: dict[int, int]
    version: dict[int, int]


@dataclass(slots=True)
class Segment:
    """One segment or tag: every `step`-th member from `first` on, at most `most`."""

    id: int
    audience: Audience
    name: str
    type: str
    first: int
    step: int
    most: int
    created: int
    updated: int
    ghost: bool = False


@dataclass(slots=True)
class Campaign:
    """One campaign, sent to `count` members of its audience from number `first` on. `sent` 0: never."""

    number: int
    id: str
    type: str
    status: str
    created: int
    sent: int
    audience: Audience
    first: int
    count: int
    salt: int
    silent: bool = False
    ghost: bool = False

    @property
    def has_report(self) -> bool:
        """Drafts and the like have none."""
        return self.status == "sent"

    def link(self, number: int) -> str:
        """One of the links in its mail."""
        # Awkward: a URL with characters that are usually encoded.
        return (f"https://shop.example/{self.id}/{number}", f"https://shop.example/{self.id}/é?q=a b&x=1")[number == 3]


Event = tuple[int, str, str | None, str | None, str | None]
"""When, action, url, ip, type of bounce."""


@dataclass(slots=True)
class Activity:
    """What happened to one campaign so far: the events by recipient, and their sums."""

    events: dict[int, list[Event]]
    opens: int = 0
    unique_opens: int = 0
    last_open: int = 0
    clicks: int = 0
    unique_clicks: int = 0
    clickers: int = 0
    last_click: int = 0
    hard: int = 0
    soft: int = 0
    unsubscribed: list[tuple[int, int]] = field(default_factory=list)
    abuse: list[tuple[int, int]] = field(default_factory=list)


class Account:
    """The whole account on one day. Methods named after streams give the table of one parent's rows."""

    def __init__(self, *, seed: int, scale: float, day: int, keep_all: bool = False) -> None:
        self.seed, self.scale, self.day = seed, scale, day
        self.now = START + day * DAY
        self._kept = Kept(float("inf") if keep_all else 60_000)
        self._sums: dict[str, Activity] = {}
        self.audiences = self._make_audiences()
        self.live = [audience for audience in self.audiences if not audience.deleted]
        self.all_campaigns = self._make_campaigns()
        self.campaigns_by_id = {campaign.id: campaign for campaign in self.all_campaigns}
        self.audiences_by_id = {audience.id: audience for audience in self.audiences}
        self.segments_by_id: dict[tuple[str, int], Segment] = {}
        for audience in self.live:
            for segment in self._make_segments(audience):
                self.segments_by_id[audience.id, segment.id] = segment
        self.stores = self._make_stores()

    # --- Plans: what exists, without its rows ---------------------------------------------------------------------

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
                deleted=deleted,
            )
            ids = [short_id(audience.id, "interest", place) for place in range(5)]
            audience.interests = [{name: bool(bits >> at & 1) for at, name in enumerate(ids)} for bits in range(32)]
            audiences.append(audience)
        return audiences

    def _make_segments(self, audience: Audience) -> list[Segment]:
        if not audience.size:
            return []
        count = 3 if audience.size < 100 else round(12 * min(self.scale, self.scale**0.25)) or 1
        segments = []
        for place in range(count):
            h = mix(audience.salt, 11, place)
            created = START - (20 + h % 500) * DAY
            segments.append(
                Segment(
                    id=14_351_128 + audience.number * 1000 + place,
                    audience=audience,
                    name=("2022", "VIP ★", "Event: Köln", "seg, with comma")[place % 4] + f" {place}",
                    type=("static", "saved", "static", "fuzzy")[place % 4],
                    first=h % 7,
                    step=7 + h % 13,
                    most=100_000,
                    created=created,
                    updated=created + h % (15 * DAY),
                )
            )
        if audience.number == 0 and count >= 8:
            segments[0].step = segments[0].first = 1  # nearly everybody: several pages
            segments[1].step, segments[1].most = 1, 1000  # Awkward: exactly one full page
            segments[5].step, segments[5].most = 50, 0  # nobody
            segments[6].ghost = True  # Awkward: listed, but gone when its members are asked for
            if self.day:
                segments[7].name, segments[7].updated = "renamed", self.now - 5 * HOUR
        if audience.number == 2:
            segments[0].id = 0  # Awkward: 0 is an id like any other
        return segments

    def _make_campaigns(self) -> list[Campaign]:
        base = max(12, round(24 * self.scale))
        daily = max(1, round(self.scale))
        targets = [audience for audience in self.live if audience.size]
        campaigns = []
        for number in range(base + daily * self.day):
            if number % 5 == 3 and 0 < (number - 3) // 5 <= self.day:
                continue  # one campaign a day is deleted, and takes its reports along
            h = mix(salt(self.seed, "campaign"), number)
            created = START - 400 * DAY * (base - number) // base + (h % DAY)
            if number >= base:
                created = START + (number - base) // daily * DAY + 3 * HOUR + h % (6 * HOUR)
            elif number >= base - 4:
                created = START - (5 * HOUR, 30 * HOUR, 4 * DAY, 9 * DAY)[base - 1 - number] - 2 * HOUR
            elif number % 12 == 11:
                created = campaigns[-1].created  # Awkward: two in one second
            kind = ("regular", "regular", "plaintext", "regular", "variate", "absplit", "regular", "rss")[number % 8]
            status, sent = "sent", created + 2 * HOUR
            if number < base - 4:
                if number % 8 == 2:
                    status, sent = "save", 0
                elif number % 24 == 5:  # goes out within the first day
                    status, sent = "schedule", START + 6 * HOUR
                elif number % 24 == 15:
                    status, sent = "paused", 0
                elif number % 24 == 21:
                    status = "canceled"
            if status == "schedule" and sent <= self.now:
                status = "sent"
            audience = targets[h % len(targets)]
            count = 40 + h % 330
            if number == 0:
                audience, count = self.audiences[-1], 100
            elif number % 24 == 3:
                audience, count = targets[0], 2100
            elif number % 24 == 9:
                audience, count = targets[min(1, len(targets) - 1)], 1250
            count = min(count, audience.size * 4 // 5)
            campaigns.append(
                Campaign(
                    number=number,
                    id=short_id(self.seed, "campaign", number),
                    type=kind,
                    status=status,
                    created=created,
                    sent=sent,
                    audience=audience,
                    first=h % max(1, audience.size - count),
                    count=count,
                    salt=salt(self.seed, "events", number),
                    silent=number % 24 == 12,
                    ghost=number % 24 == 6,
                )
            )
        return campaigns

    # --- Looking things up ----------------------------------------------------------------------------------------

    def audience(self, args: Mapping[str, str]) -> Audience:
        """The list that a path names; KeyError when there is none."""
        audience = self.audiences_by_id[args["list_id"]]
        if audience.deleted:
            raise KeyError(audience.id)
        return audience

    def campaign(self, args: Mapping[str, str]) -> Campaign:
        """The campaign that a path names; KeyError when there is none, or it is gone although still listed."""
        campaign = self.campaigns_by_id[args["campaign_id"]]
        if campaign.ghost:
            raise KeyError(campaign.id)
        return campaign

    def keep(self, key: tuple[Any, ...], make: Callable[[], Table]) -> Table:
        """A table made once and kept for a while."""
        table: Table | None = self._kept.get(key)
        if table is None:
            table = make()
            self._kept.put(key, table, table.count + 20)
        return table

    # --- Members ----------------------------------------------------------------------------------------------------

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
        made = Members([], {}, {}, {})
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
        # The API's own order is undocumented; here it is neither by time nor by id.
        made.numbers.sort(key=lambda number: spread(number ^ audience.salt >> 3))
        return made

    def person(self, audience: Audience, number: int) -> tuple[str, str, int]:
        """Address, its hash and a number of the person behind a member; lists overlap."""
        who = number + (0 if audience.number == 0 else 2000 if audience.number == 1 else audience.number * 7919 % 90_000)
        h = spread(who + self.seed * 1_000_003)
        address = f"{_MAILBOX[h & 15]}.{who}@{_DOMAINS[(h >> 8) % 6]}"
        return address, hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest(), h

    def member(self, audience: Audience, number: int, members: Members) -> Row:
        """One member's row."""
        address, hashed, who = self.person(audience, number)
        h = spread(audience.salt + number)
        version = members.version.get(number, 0)
        status = members.status[number]
        first, last = _FIRST[who & 15], _LAST[(who >> 12) % 10]
        opted = START - 800 * DAY + (h >> 20) % (90 * DAY)
        tags = [{"id": 14_351_128 + audience.number * 1000, "name": "2022 0"}] if h & 0x300 == 0 else []
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
            "location": _CITIES[h >> 56 & 3],
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

    # --- Segments -----------------------------------------------------------------------------------------------------

    def segment_numbers(self, segment: Segment) -> list[int]:
        """The members of a segment; archived ones are in none."""
        members = self.members(segment.audience)
        status = members.status
        total = segment.audience.size + segment.audience.daily * self.day
        found = [
            number
            for number in range(segment.first, total, segment.step)
            if status.get(number, ARCHIVED) != ARCHIVED
        ]  # fmt: skip
        return found[: segment.most]

    def list_segments(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/segments; `_counts` (subscribed, by status) is taken off by the endpoint."""
        audience = self.audience(args)
        return self.keep(
            ("segments", audience.id),
            lambda: Table.of([self._segment(s) for s in self.segments_by_id.values() if s.audience is audience]),
        )

    def _segment(self, segment: Segment) -> Row:
        status = self.members(segment.audience).status
        counts = [0] * len(STATUSES)
        for number in self.segment_numbers(segment):
            counts[status[number]] += 1
        row: Row = {
            "id": segment.id,
            "name": segment.name,
            "_counts": counts,
            "member_count": counts[0],
            "type": segment.type,
            "created_at": stamp(segment.created),
            "updated_at": stamp(segment.updated),
            "list_id": segment.audience.id,
        }
        if segment.type != "static":
            # A condition's value has any type: number, list, object.
            value: Any = (segment.id, ["a", "b"], {"x": 1}, "text")[segment.id % 4]
            condition = {"condition_type": "Aim", "field": "aim", "op": "open", "value": value}
            row["options"] = {"match": "any", "conditions": [condition]}
        return row

    def list_segment_members(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/segments/{segment_id}/members"""
        audience = self.audience(args)
        if not args["segment_id"].isdecimal():
            raise KeyError(args["segment_id"])
        segment = self.segments_by_id[audience.id, int(args["segment_id"])]
        if segment.ghost:
            raise KeyError(segment.id)

        def make() -> Table:
            members = self.members(audience)
            numbers = self.segment_numbers(segment)

            def row(place: int) -> Row:
                number = numbers[place]
                whole = self.member(audience, number, members)
                part = {name: whole[name] for name in _SEGMENT_MEMBER_FIELDS if name in whole}
                stats = whole["stats"]
                part["stats"] = {name: stats[name] for name in ("avg_open_rate", "avg_click_rate")}
                part["location"] = _CITIES_WITHOUT_REGION[_CITIES.index(whole["location"])]
                return part

            return Table(len(numbers), row, {"status": [STATUSES[members.status[number]] for number in numbers]})

        return self.keep(("segment", audience.id, segment.id), make)

    def tags(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/tag-search: the static segments again."""
        rows = self.list_segments(args)
        found = [rows.row(place) for place in range(rows.count)]
        return Table.of([{"id": row["id"], "name": row["name"]} for row in found if row["type"] == "static"])

    # --- Lists ----------------------------------------------------------------------------------------------------------

    def lists(self, args: Mapping[str, str]) -> Table:
        """/lists"""
        return self.keep(("lists",), lambda: Table.of([self._list(audience) for audience in self.live]))

    def _list(self, audience: Audience) -> Row:
        members = self.members(audience)
        counts = [0] * len(STATUSES)
        for status in members.status.values():
            counts[status] += 1
        sent = max((c.sent for c in self.all_campaigns if c.has_report and c.audience is audience), default=0)
        row: Row = {
            "id": audience.id,
            "web_id": 360_000 + audience.number,
            "name": audience.name,
            "contact": {"company": "Acme", "address1": "1 Main St", "address2": "", "city": "Atlanta", "state": "GA",
                        "zip": "30303", "country": "US", "phone": ""},
            "permission_reminder": "You signed up.\nReally.",
            "use_archive_bar": True,
            "campaign_defaults": {"from_name": "Acme ™", "from_email": "a@example.com", "subject": "", "language": "en"},
            "notify_on_subscribe": "",
            "notify_on_unsubscribe": "",
            "date_created": stamp(START - (900 - audience.number) * DAY),
            "list_rating": 3,
            "email_type_option": False,
            "subscribe_url_short": f"http://eepurl.example/{audience.id}",
            "subscribe_url_long": f"https://acme.us6.list-manage.example/subscribe?u=1&id={audience.id}",
            "beamer_address": f"us6-{audience.id}@inbound.mailchimp.example",
            "visibility": "pub" if audience.number else "prv",
            "double_optin": False,
            "has_welcome": False,
            "marketing_permissions": False,
            "modules": [],
            "stats": {
                "member_count": counts[0],
                "total_contacts": len(members.numbers),
                "unsubscribe_count": counts[1],
                "cleaned_count": counts[2],
                "member_count_since_send": audience.number,
                "unsubscribe_count_since_send": 0,
                "cleaned_count_since_send": 0,
                "campaign_count": sum(c.audience is audience for c in self.all_campaigns),
                "campaign_last_sent": stamp(sent),
                "merge_field_count": 6,
                "avg_sub_rate": 12,
                "avg_unsub_rate": 0.5,
                "target_sub_rate": 1.25,
                "open_rate": 64.7,
                "click_rate": 3.2,
                "last_sub_date": stamp(max(members.changed.values(), default=0)),
                "last_unsub_date": "",
            },
        }  # fmt: skip
        if audience.number == 1:
            row["stats"]["contact_score"] = 4.5  # Awkward: an unknown field inside a known object
        return row

    def interest_categories(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/interest-categories"""
        audience = self.audience(args)
        if not audience.size:
            return Table.of([])
        kinds = (("checkboxes", "Groups"), ("dropdown", "Größe"))
        return Table.of(
            [
                {"list_id": audience.id, "id": short_id(audience.id, "category", place), "title": title,
                 "display_order": place, "type": kind}
                for place, (kind, title) in enumerate(kinds)
            ]
        )  # fmt: skip

    def interests(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/interest-categories/{category_id}/interests"""
        audience = self.audience(args)
        place = [short_id(audience.id, "category", place) for place in range(2)].index(args["category_id"])
        ids = list(audience.interests[0])[:3] if place == 0 else list(audience.interests[0])[3:]
        return Table.of(
            [
                {"category_id": args["category_id"], "list_id": audience.id, "id": interest,
                 "name": f"Interest {number} ✓", "subscriber_count": str(mix(audience.salt, number) % 900 + self.day),
                 "display_order": number}
                for number, interest in enumerate(ids)
            ]
        )  # fmt: skip

    def merge_fields(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/merge-fields"""
        audience = self.audience(args)
        kinds = (("ADDRESS", "address", {"default_country": 164}), ("FNAME", "text", {"size": 25}),
                 ("LNAME", "text", {"size": 25}), ("PHONE", "phone", {"phone_format": "none"}),
                 ("BIRTHDAY", "birthday", {"date_format": "MM/DD"}), ("POINTS", "number", {}),
                 ("SIZE", "dropdown", {"choices": ["S", "M", "Größe L"]}))  # fmt: skip
        rows = [
            {"merge_id": place + 1, "tag": tag, "name": tag.title(), "type": kind, "required": False,
             "default_value": "", "public": place % 2 == 0, "display_order": place + 2, "options": options,
             "help_text": "", "list_id": audience.id}
            for place, (tag, kind, options) in enumerate(kinds)
        ]  # fmt: skip
        return Table.of(rows)

    def list_growth_history(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/growth-history"""
        audience = self.audience(args)
        rows = []
        for place in range(24):
            year, month = divmod(2024 * 12 + 11 + place, 12)
            h = mix(audience.salt, 21, place)
            rows.append(
                {"list_id": audience.id, "month": f"{year}-{month + 1:02}", "existing": h % 900, "imports": h >> 10 & 63,
                 "optins": h >> 16 & 63, "subscribed": h >> 22 & 511, "unsubscribed": h >> 32 & 31, "reconfirm": 0,
                 "cleaned": h >> 38 & 7, "pending": 0, "deleted": self.day if place == 23 else 0, "transactional": 0}
            )  # fmt: skip
        return Table.of(rows)

    def list_activity(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/activity: newest first, at most 180 days."""
        audience = self.audience(args)
        today = self.now // DAY
        rows = []
        for number in range(today, today - (180 if audience.size else 0), -1):
            h = mix(audience.salt, 22, number)
            # The running day is only half over.
            sent = (h & 127) // (2 if number == today else 1)
            rows.append(
                {"day": stamp(number * DAY)[:10], "emails_sent": sent, "unique_opens": sent // 3,
                 "recipient_clicks": sent // 9, "hard_bounce": h >> 20 & 1, "soft_bounce": h >> 21 & 1,
                 "subs": h >> 22 & 3, "unsubs": h >> 24 & 1, "other_adds": 0, "other_removes": 0}
            )  # fmt: skip
        return Table.of(rows)

    def list_locations(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/locations"""
        size = self.audience(args).size
        shares = (("US", "USA", 0.5), ("ES", "Spain", 0.3), ("", "", 0.2)) if size else ()
        return Table.of(
            [{"country": name, "cc": code, "percent": 100 * share, "total": int(size * share)}
             for code, name, share in shares]
        )  # fmt: skip

    def list_clients(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/clients"""
        size = self.audience(args).size
        names = ("Gmail", "Apple Mail", "Outlook 2016", "") if size else ()
        return Table.of([{"client": name, "members": size // (place + 2)} for place, name in enumerate(names)])

    def list_abuse_reports(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/abuse-reports"""
        audience = self.audience(args)
        rows = []
        for campaign in self.all_campaigns:
            if campaign.audience is audience and campaign.has_report and not campaign.ghost:
                table = self.reports_abuse({"campaign_id": campaign.id})
                rows += [table.row(place) for place in range(table.count)]
        return Table.of([{name: row[name] for name in row if name != "list_is_active"} for row in rows])

    # --- Campaigns and reports ----------------------------------------------------------------------------------------

    def campaigns(self, args: Mapping[str, str]) -> Table:
        """/campaigns"""

        def make() -> Table:
            # Default order undocumented: here newest first.
            plans = self.all_campaigns[::-1]
            return Table(len(plans), lambda place: self._campaign(plans[place]))

        return self.keep(("campaigns",), make)

    def _recipients(self, campaign: Campaign) -> Row:
        audience = campaign.audience
        if campaign.status == "save" and campaign.number % 16 == 2:
            return {"list_id": "", "list_is_active": True, "list_name": "", "segment_text": "", "recipient_count": 0}
        return {
            "list_id": audience.id,
            "list_is_active": not audience.deleted,
            "list_name": audience.name,
            "segment_text": "",
            "recipient_count": campaign.count,
        }

    def _campaign(self, campaign: Campaign) -> Row:
        number = campaign.number
        row: Row = {
            "id": campaign.id,
            "web_id": 2_000_000 + number,
            "type": campaign.type,
            "create_time": stamp(campaign.created),
            "archive_url": f"http://eepurl.example/c/{campaign.id}",
            "long_archive_url": f"https://mailchi.example/{campaign.id}/no-{number}",
            "status": campaign.status,
            "emails_sent": campaign.count if campaign.has_report else 0,
            "send_time": stamp(campaign.sent),
            "content_type": "template",
            "needs_block_refresh": False,
            "resendable": campaign.has_report,
            "recipients": self._recipients(campaign),
            "settings": {
                "subject_line": f"No {number}: ünïcode 🎉",
                "preview_text": "",
                "title": f"Campaign {number}",
                "from_name": "Acme",
                "reply_to": "a@example.com",
                "use_conversation": False,
                "to_name": "*|FNAME|*",
                "folder_id": self.folder_ids[0] if number % 4 == 0 else "",
                "authenticate": True,
                "auto_footer": False,
                "inline_css": False,
                "auto_tweet": False,
                "fb_comments": True,
                "timewarp": False,
                "template_id": 40_000 + number % 12,
                "drag_and_drop": True,
            },
            "tracking": {"opens": True, "html_clicks": True, "text_clicks": False, "goal_tracking": False,
                         "ecomm360": False, "google_analytics": "", "clicktale": ""},
            "delivery_status": {"enabled": False},
        }  # fmt: skip
        if campaign.type == "variate":
            row["variate_settings"] = {
                "winning_combination_id": "", "winning_campaign_id": "", "winner_criteria": "opens", "wait_time": 60,
                "test_size": 50, "subject_lines": ["A", "B"], "send_times": [stamp(campaign.sent)], "from_names": ["x"],
                "reply_to_addresses": [], "contents": ["c"],
                "combinations": [{"id": "v1", "subject_line": 0, "send_time": 0, "from_name": 0, "reply_to": 0,
                                  "content_description": 0, "recipients": 10}],
            }  # fmt: skip
        elif campaign.type == "rss":
            row["rss_opts"] = {"feed_url": "https://blog.example/feed", "frequency": "daily", "last_sent": "",
                               "schedule": {"hour": 9, "daily_send": {"monday": True, "sunday": False}},
                               "constrain_rss_img": False}  # fmt: skip
        elif campaign.type == "absplit":
            row["ab_split_opts"] = {"split_test": "subject", "pick_winner": "opens", "wait_units": "hours",
                                    "wait_time": 4, "split_size": 20, "subject_a": "A", "subject_b": "B",
                                    "send_time_a": stamp(campaign.sent), "send_time_b": ""}  # fmt: skip
        if campaign.has_report:
            done = self.sums(campaign)
            delivered = max(1, campaign.count - done.hard - done.soft)
            row["report_summary"] = {
                "opens": done.opens,
                "unique_opens": done.unique_opens,
                "open_rate": done.unique_opens / delivered,
                "clicks": done.clicks,
                "subscriber_clicks": done.clickers,
                "click_rate": done.clickers / delivered,
                "ecommerce": {"total_orders": 2, "total_spent": 19.99, "total_revenue": 0.5},
            }
        # Awkward: an unknown field; a null object; the wrong type inside an object; U+0000 in text.
        if number == 1:
            row["new_in_2027"] = {"a": [1, 2], "b": None}
            row["social_card"] = None
        elif number == 2:
            row["settings"]["template_id"] = "none"
            row["settings"]["title"] = "nul \x00 inside"
        elif number == 4:
            row["social_card"] = {"image_url": "", "description": "d", "title": "t"}
        return row

    def reported(self) -> list[Campaign]:
        """The campaigns that have a report, newest first."""
        return [campaign for campaign in self.all_campaigns[::-1] if campaign.has_report]

    def reports(self, args: Mapping[str, str]) -> Table:
        """/reports"""

        def make() -> Table:
            plans = self.reported()
            return Table(len(plans), lambda place: self._report(plans[place]))

        return self.keep(("reports",), make)

    def _report(self, campaign: Campaign) -> Row:
        done = self.sums(campaign)
        delivered = max(1, campaign.count - done.hard - done.soft)
        hours = range(0, 24, 4 if campaign.count < 1000 else 1)
        row: Row = {
            "id": campaign.id,
            "campaign_title": f"Campaign {campaign.number}",
            "type": campaign.type,
            "list_id": campaign.audience.id,
            "list_is_active": not campaign.audience.deleted,
            "list_name": campaign.audience.name,
            "subject_line": f"No {campaign.number}: ünïcode 🎉",
            "preview_text": "",
            "emails_sent": campaign.count,
            "abuse_reports": len(done.abuse),
            "unsubscribed": len(done.unsubscribed),
            "send_time": stamp(campaign.sent),
            "bounces": {"hard_bounces": done.hard, "soft_bounces": done.soft, "syntax_errors": 0},
            "forwards": {"forwards_count": 0, "forwards_opens": 0},
            "opens": {
                "opens_total": done.opens,
                "unique_opens": done.unique_opens,
                "open_rate": done.unique_opens / delivered,
                "last_open": stamp(done.last_open),
            },
            "clicks": {
                "clicks_total": done.clicks,
                "unique_clicks": done.unique_clicks,
                "unique_subscriber_clicks": done.clickers,
                "click_rate": done.clickers / delivered,
                "last_click": stamp(done.last_click),
            },
            "facebook_likes": {"recipient_likes": 0, "unique_likes": 0, "facebook_likes": 0},
            "industry_stats": {"type": "Other", "open_rate": 0.2, "click_rate": 0.03, "bounce_rate": 0.01,
                               "unopen_rate": 0.7, "unsub_rate": 0.002, "abuse_rate": 0.0001},
            "list_stats": {"sub_rate": 12, "unsub_rate": 0.5, "open_rate": 64.7, "click_rate": 3.2},
            "timeseries": [
                {"timestamp": stamp(campaign.sent - campaign.sent % HOUR + hour * HOUR), "emails_sent": 0,
                 "unique_opens": hour, "recipients_clicks": 0}
                for hour in hours
            ],
            "share_report": {"share_url": "https://us6.campaign-reports.example/1", "share_password": ""},
            "ecommerce": {"total_orders": 2, "total_spent": 19.99, "total_revenue": 0.5, "currency_code": "USD"},
            "delivery_status": {"enabled": False},
        }  # fmt: skip
        if campaign.type == "absplit":
            half = {"bounces": 0, "abuse_reports": 0, "unsubs": 0, "recipient_clicks": 1, "forwards": 0,
                    "forwards_opens": 0, "opens": 2, "last_open": stamp(done.last_open), "unique_opens": 2}  # fmt: skip
            row["ab_split"] = {"a": half, "b": half}
        if campaign.type == "rss":
            row["rss_last_send"] = ""
        return row

    # --- Events -------------------------------------------------------------------------------------------------------

    def recipient(self, campaign: Campaign, place: int) -> tuple[str, str, int]:
        """Address, hash and bits of one recipient. Reports keep the address that was mailed."""
        return self.person(campaign.audience, campaign.first + place)

    def recipients(self, campaign: Campaign) -> list[int]:
        """The recipients that reports still list: permanently deleted members are left out, with their events."""
        places = range(campaign.count)
        if not self.day:
            return list(places)
        return [place for place in places if not self.is_gone(campaign.audience, campaign.first + place)]

    def activity(self, campaign: Campaign) -> Activity:
        """All events of a campaign that are visible by now, and their sums (deleted members' included)."""
        kept: Activity | None = self._kept.get(("activity", campaign.id))
        if kept is None:
            kept = self._make_activity(campaign)
            self._kept.put(("activity", campaign.id), kept, campaign.count + 20)
        return kept

    def sums(self, campaign: Campaign) -> Activity:
        """The sums of a campaign's events alone, which are kept for good."""
        if campaign.id not in self._sums:
            self._sums[campaign.id] = replace(self.activity(campaign), events={})
        return self._sums[campaign.id]

    def _make_activity(self, campaign: Campaign) -> Activity:
        events: dict[int, list[Event]] = {}
        done = Activity(events)
        if campaign.silent or not campaign.has_report:
            return done
        sent, now = campaign.sent, self.now
        for place in range(campaign.count):
            h = spread(campaign.salt + place)
            if h % 59 == 0 and sent + (h >> 8) % (3 * DAY) <= now:
                done.unsubscribed.append((place, sent + (h >> 8) % (3 * DAY)))
            if h % 701 == 0 and sent + (h >> 9) % DAY <= now:
                done.abuse.append((place, sent + (h >> 9) % DAY))
            if h >> 59 == 0:
                hard = h >> 8 & 1
                at = sent + (20 + (h >> 9) % 300 if hard else 300 + (h >> 9) % (4 * DAY))
                if at + (h >> 30) % VISIBLE_AFTER_SECONDS <= now:
                    events[place] = [(at, "bounce", None, None, "hard" if hard else "soft")]
            elif h >> 54 & 31 < 13:
                if found := [event for event in self._visit(campaign, h, sent + 60) if event[0] <= now]:
                    events[place] = found
        for day in range(1, self.day + 1):
            begin = START + (day - 1) * DAY
            h = mix(campaign.salt, day)
            if sent > begin or h % 4:
                continue
            # An old campaign that stirs again: some open it once more.
            for place in range(h % 37, campaign.count, 37):
                again = spread(campaign.salt + place + (day << 32))
                old = events.get(place, [])
                if not old or old[0][1] != "bounce":
                    events[place] = old + self._visit(campaign, again, begin + 1, DAY - 2 * HOUR)
            # A bounce of the day before that only became visible now.
            place = h % max(1, campaign.count)
            if sent < begin - DAY and place not in events:
                events[place] = [(begin - 100, "bounce", None, None, "soft")]
            # Someone left.
            gone = {place for place, _ in done.unsubscribed}
            if campaign.count and (place := (h >> 20) % campaign.count) not in gone:
                done.unsubscribed.append((place, begin + h % DAY))
        for found in events.values():
            found.sort(key=lambda event: event[0])
        _sum_up(done)
        return done

    def _visit(self, campaign: Campaign, h: int, earliest: int, longest: int = 0) -> list[Event]:
        """Somebody opens the mail, perhaps clicks: events in order of time."""
        # Most in the first hours, some days later.
        delay = (h >> 4) % (longest or (6 * HOUR if h & 7 else 12 * DAY))
        at, ip = earliest + delay, f"198.51.100.{h >> 40 & 255}"
        found: list[Event] = [(at, "open", None, ip, None)]
        if h % 19 == 0:
            found.append(found[0])  # Awkward: the very same event twice
        if h % 5 == 0:
            found.append((at + 1 + h % 3600, "open", None, ip, None))
        if h % 31 == 0:  # Awkward: a scanner follows every link in one second
            found += [(at, "click", campaign.link(number), "74.125.212.231", None) for number in range(4)]
        elif h >> 20 & 7 < 3:
            found.append((at + 5 + h % 100, "click", campaign.link(h >> 24 & 3), ip, None))
        return found

    def _base(self, campaign: Campaign, place: int) -> Row:
        address, hashed, _ = self.recipient(campaign, place)
        return {
            "campaign_id": campaign.id,
            "list_id": campaign.audience.id,
            "list_is_active": not campaign.audience.deleted,
            "email_id": hashed,
            "email_address": address,
        }

    def _report_base(self, campaign: Campaign, place: int) -> Row:
        row = self._base(campaign, place)
        who = self.recipient(campaign, place)[2]
        row["merge_fields"] = {"FNAME": _FIRST[who & 15], "LNAME": _LAST[(who >> 12) % 10], "ADDRESS": ""}
        row["vip"] = who % 97 == 0
        return row

    def _of_campaign(self, name: str, args: Mapping[str, str], make: Callable[[Campaign], Table]) -> Table:
        """A table below one campaign; drafts have empty ones (probed), campaigns gone meanwhile none."""
        campaign = self.campaign(args)
        if not campaign.has_report:
            return Table.of([])
        return self.keep((name, campaign.id), lambda: make(campaign))

    def reports_email_activity(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/email-activity"""

        def make(campaign: Campaign) -> Table:
            places = self.recipients(campaign)
            events = self.activity(campaign).events

            def row(at: int) -> Row:
                place = places[at]
                row = self._base(campaign, place)
                found = events.get(place)
                if found:
                    row["activity"] = [_entry(event) for event in found]
                elif place != 2:  # Awkward: in old data `activity` may be absent
                    row["activity"] = []
                return row

            return Table(len(places), row)

        return self._of_campaign("email_activity", args, make)

    def reports_sent_to(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/sent-to"""

        def make(campaign: Campaign) -> Table:
            places = self.recipients(campaign)
            events = self.activity(campaign).events

            def row(at: int) -> Row:
                place = places[at]
                found = events.get(place, ())
                opens = [event[0] for event in found if event[1] == "open"]
                bounce = next((event[4] for event in found if event[1] == "bounce"), None)
                row = self._report_base(campaign, place)
                row["status"] = bounce or "sent"
                row["open_count"] = len(opens)
                row["last_open"] = stamp(max(opens, default=0))
                row["absplit_group"] = "ab"[place % 2] if campaign.type == "absplit" else ""
                row["gmt_offset"] = 0
                return row

            return Table(len(places), row)

        return self._of_campaign("sent_to", args, make)

    def reports_open_details(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/open-details"""

        def make(campaign: Campaign) -> Table:
            events = self.activity(campaign).events
            opened = [
                (place, [event[0] for event in events[place] if event[1] == "open"])
                for place in self.recipients(campaign)
                if place in events
            ]
            opened = [(place, opens) for place, opens in opened if opens]

            def row(at: int) -> Row:
                place, opens = opened[at]
                row = self._report_base(campaign, place)
                row["contact_status"] = "subscribed"
                row["opens_count"] = len(opens)
                row["opens"] = [{"timestamp": stamp(moment)} for moment in opens]
                return row

            return Table(len(opened), row, {"_last": [stamp(max(opens)) for _, opens in opened]})

        return self._of_campaign("open_details", args, make)

    def reports_click_details(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/click-details"""

        def make(campaign: Campaign) -> Table:
            clicks: dict[str, list[tuple[int, int]]] = {campaign.link(number): [] for number in range(4)}
            for place, found in self.activity(campaign).events.items():
                for event in found:
                    if event[2] is not None:
                        clicks[event[2]].append((place, event[0]))
            total = sum(map(len, clicks.values())) or 1
            rows = []
            for url, hits in clicks.items():
                people = {place for place, _ in hits}
                rows.append(
                    {"id": short_id(campaign.id, url), "url": url, "total_clicks": len(hits),
                     "click_percentage": len(hits) / total, "unique_clicks": len(people),
                     "unique_click_percentage": len(people) / total, "campaign_id": campaign.id,
                     "last_click": stamp(max((moment for _, moment in hits), default=0))}
                )  # fmt: skip
            return Table.of(rows)

        return self._of_campaign("click_details", args, make)

    def reports_domain_performance(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/domain-performance"""

        def make(campaign: Campaign) -> Table:
            counts: dict[str, list[int]] = {}
            events = self.activity(campaign).events
            for place in range(campaign.count):
                domain = self.recipient(campaign, place)[0].partition("@")[2].lower()
                sums = counts.setdefault(domain, [0, 0, 0, 0])
                actions = {event[1] for event in events.get(place, ())}
                for at, action in enumerate(("bounce", "open", "click")):
                    sums[at + 1] += action in actions
                sums[0] += 1
            rows = []
            for domain, (sent, bounces, opens, clicks) in counts.items():
                rows.append(
                    {"domain": domain, "emails_sent": sent, "bounces": bounces, "opens": opens, "clicks": clicks,
                     "unsubs": 0, "delivered": sent - bounces, "emails_pct": sent / campaign.count,
                     "bounces_pct": bounces / sent, "opens_pct": opens / sent, "clicks_pct": clicks / sent,
                     "unsubs_pct": 0}
                )  # fmt: skip
            return Table.of(rows)

        return self._of_campaign("domains", args, make)

    def reports_locations(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/locations"""

        def make(campaign: Campaign) -> Table:
            opens = self.sums(campaign).opens
            return Table.of(
                [{"country_code": code, "region": region, "region_name": name, "opens": opens // (place + 2)}
                 for place, (code, region, name) in enumerate(_COUNTRIES) if opens]
            )  # fmt: skip

        return self._of_campaign("locations", args, make)

    def unsubscribes(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/unsubscribed"""

        def make(campaign: Campaign) -> Table:
            there = set(self.recipients(campaign))
            left = [item for item in self.activity(campaign).unsubscribed if item[0] in there]

            def row(at: int) -> Row:
                place, moment = left[at]
                reason = ("None given", "Other: “too many”", "")[place % 3]
                return {**self._report_base(campaign, place), "timestamp": stamp(moment), "reason": reason}

            return Table(len(left), row)

        return self._of_campaign("unsubscribed", args, make)

    def reports_abuse(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/abuse-reports"""

        def make(campaign: Campaign) -> Table:
            return Table.of(
                [{"id": campaign.number * 10_000 + place, **self._report_base(campaign, place), "date": stamp(moment)}
                 for place, moment in self.activity(campaign).abuse]
            )  # fmt: skip

        return self._of_campaign("abuse", args, make)

    def reports_ecommerce_product_activity(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/ecommerce-product-activity"""

        def make(campaign: Campaign) -> Table:
            return Table.of(
                [{"title": f"Product {place} ½", "sku": f"SKU/{place}", "image_url": "", "total_revenue": 9.99 * place,
                  "total_purchased": place, "currency_code": "USD", "recommendation_total": 0,
                  "recommendation_purchased": 0}
                 for place in range(campaign.number % 4)]
            )  # fmt: skip

        return self._of_campaign("products", args, make)

    # --- Automations, folders, templates, pages -----------------------------------------------------------------------

    @property
    def folder_ids(self) -> list[str]:
        """Ids of the campaign folders."""
        return [short_id(self.seed, "folder", place) for place in range(3)]

    def campaign_folders(self, args: Mapping[str, str]) -> Table:
        """/campaign-folders"""
        names = ("Newsletters", "Ünïcode / slash", "")
        return Table.of(
            [{"id": folder, "name": name, "count": place} for place, (folder, name) in
             enumerate(zip(self.folder_ids, names))]
        )  # fmt: skip

    def automations(self, args: Mapping[str, str]) -> Table:
        """/automations"""
        return Table.of([self._automation(number) for number in range(round(3 * max(1.0, self.scale**0.5)))])

    def _automation(self, number: int) -> Row:
        audience = self.live[number % len(self.live)]
        return {
            "id": short_id(self.seed, "automation", number),
            "create_time": stamp(START - (300 - number) * DAY),
            "start_time": "" if number == 2 else stamp(START - (290 - number) * DAY),
            "status": ("sending", "paused", "save")[number % 3],
            "emails_sent": 0 if number == 2 else 100 + self.day,
            "recipients": {"list_id": audience.id, "list_is_active": True, "list_name": audience.name, "store_id": ""},
            "settings": {"title": f"Welcome {number}", "from_name": "Acme", "reply_to": "a@example.com",
                         "use_conversation": False, "to_name": "", "authenticate": True, "auto_footer": False,
                         "inline_css": False},
            "tracking": {"opens": True, "html_clicks": True, "text_clicks": False, "goal_tracking": False,
                         "ecomm360": False, "google_analytics": "", "clicktale": ""},
            "trigger_settings": {"workflow_type": "emailSeries", "workflow_title": "Series",
                                 "runtime": {"days": ["monday", "sunday"], "hours": {"type": "send_asap"}},
                                 "workflow_emails_count": 2},
            "report_summary": {"opens": 10, "unique_opens": 8, "open_rate": 0.08, "clicks": 2, "subscriber_clicks": 2,
                               "click_rate": 0.02},
        }  # fmt: skip

    def automation_emails(self, args: Mapping[str, str]) -> Table:
        """/automations/{workflow_id}/emails"""
        found = self.automations({})
        places = [found.row(place)["id"] for place in range(found.count)]
        number = places.index(args["workflow_id"])
        automation = found.row(number)
        rows = []
        for position in range(2):
            rows.append(
                {"id": short_id(args["workflow_id"], position), "web_id": 7000 + number * 10 + position,
                 "workflow_id": args["workflow_id"], "position": position + 1,
                 "delay": {"amount": position, "type": "day", "direction": "after", "action": "signup",
                           "action_description": "subscribers join", "full_description": "1 day after …"},
                 "create_time": automation["create_time"], "start_time": automation["start_time"], "archive_url": "",
                 "status": automation["status"], "emails_sent": automation["emails_sent"], "send_time": "",
                 "content_type": "template", "needs_block_refresh": False, "has_logo_merge_tag": False,
                 "recipients": {"list_id": automation["recipients"]["list_id"], "list_is_active": True,
                                "list_name": automation["recipients"]["list_name"], "segment_text": "",
                                "recipient_count": 12},
                 "settings": {"subject_line": "Welcome!", "title": "w", "from_name": "Acme", "template_id": 40_001},
                 "tracking": automation["tracking"], "report_summary": automation["report_summary"]}
            )  # fmt: skip
        return Table.of(rows)

    def templates(self, args: Mapping[str, str]) -> Table:
        """/templates"""
        rows = []
        for number in range(30):
            kind = "user" if number < 12 else "gallery" if number % 2 else "base"
            rows.append(
                {"id": 40_000 + number, "type": kind, "name": f"Template {number}", "drag_and_drop": number % 2 == 0,
                 "responsive": True, "category": "" if kind == "user" else "Newsletters",
                 "date_created": stamp(START - (600 - number) * DAY) if kind == "user" else "",
                 "date_edited": stamp(START - (60 - number) * DAY) if kind == "user" else "", "created_by": "Ana",
                 "edited_by": "", "active": number != 3, "folder_id": "", "thumbnail": "", "share_url": "",
                 "content_type": "template"}
            )  # fmt: skip
        rows[1]["name"] = "lone surrogate \ud83d here"  # Awkward: no valid UTF-8, only JSON escapes can carry it
        if self.day:
            rows[4]["name"], rows[4]["date_edited"] = "Edited", stamp(self.now - 9 * HOUR)
        return Table.of(rows)

    def landing_pages(self, args: Mapping[str, str]) -> Table:
        """/landing-pages"""
        rows = []
        for number in range(4):
            rows.append(
                {"id": short_id(self.seed, "page", number), "name": f"Page {number}", "title": "Näme",
                 "description": "", "template_id": 7, "status": ("published", "draft")[number % 2],
                 "list_id": self.live[0].id, "store_id": "", "web_id": 880 + number, "created_by_source": "web",
                 "url": f"https://page.example/{number}", "created_at": stamp(START - (90 - number) * DAY),
                 "published_at": "" if number % 2 else stamp(START - 80 * DAY), "unpublished_at": "",
                 "updated_at": stamp(START - 70 * DAY),
                 "tracking": {"track_with_mailchimp": True, "enable_restricted_data_processing": False}}
            )  # fmt: skip
        return Table.of(rows)

    def reporting_landing_pages(self, args: Mapping[str, str]) -> Table:
        """/reporting/landing-pages"""
        rows = []
        for number in range(0, 4, 2):
            days = [{"date": stamp(self.now - back * DAY)[:10], "val": back % 3} for back in range(3)]
            series = {"clicks": days, "visits": days, "unique_visits": days}
            rows.append(
                {"id": short_id(self.seed, "page", number), "web_id": 880 + number, "name": f"Page {number}",
                 "title": "Näme", "url": f"https://page.example/{number}", "status": "published",
                 "published_at": stamp(START - 80 * DAY), "unpublished_at": "", "list_id": self.live[0].id,
                 "list_name": self.live[0].name, "visits": 40 + self.day, "unique_visits": 30, "subscribes": 5,
                 "clicks": 9, "conversion_rate": 16.6, "timeseries": {"daily_stats": series, "weekly_stats": series},
                 "ecommerce": {"total_orders": 0, "total_revenue": 0, "average_order_revenue": 0.0},
                 "signup_tags": [{"tag_id": 14_351_128, "tag_name": "2022 0"}]}
            )  # fmt: skip
        return Table.of(rows)

    def account(self, args: Mapping[str, str]) -> Table:
        """/: one row."""
        total = sum(self.lists({}).row(place)["stats"]["member_count"] for place in range(len(self.live)))
        return Table.of(
            [{"account_id": short_id(self.seed, "account"), "login_id": "123", "account_name": "Acme 🎈",
              "email": "owner@example.com", "first_name": "Ana", "last_name": "Ruíz", "username": "acme",
              "avatar_url": "", "role": "owner", "member_since": stamp(START - 1000 * DAY),
              "pricing_plan_type": "monthly", "first_payment": "", "account_timezone": "Europe/Madrid",
              "account_industry": "", "contact": {"company": "Acme", "addr1": "1 Main St", "addr2": "",
                                                  "city": "Atlanta", "state": "GA", "zip": "30303", "country": "US"},
              "pro_enabled": False, "last_login": stamp(START - HOUR), "total_subscribers": total,
              "industry_stats": {"open_rate": 0.2, "bounce_rate": 0.01, "click_rate": 0.03}}]
        )  # fmt: skip

    # --- Shops ----------------------------------------------------------------------------------------------------------

    def _make_stores(self) -> list[Row]:
        rows = []
        # Awkward: ids are the shop's own strings, of any characters; the last store's list is gone.
        ids = ["shop-1", "shöp 2/50%", "https://old.example/?a=b&c"]
        ids += [f"branch {number}" for number in range(3, round(2 + self.scale))]
        for number, store in enumerate(ids):
            audience = self.audiences[-1] if number == 2 else self.live[number % 2]
            rows.append(
                {"id": store, "list_id": audience.id, "name": f"Shop {number}", "platform": "", "domain": "shop.example",
                 "is_syncing": False, "email_address": "shop@example.com", "currency_code": "EUR", "money_format": "€",
                 "primary_locale": "es", "timezone": "Europe/Madrid", "phone": "",
                 "address": {"address1": "1 Main St", "address2": "", "city": "Madrid", "province": "",
                             "province_code": "", "postal_code": "28001", "country": "Spain", "country_code": "ES",
                             "longitude": -3.7, "latitude": 40},
                 "connected_site": {"site_foreign_id": f"site{number}",
                                    "site_script": {"url": "https://s.example/x.js", "fragment": "<script></script>"}},
                 "automations": {"abandoned_cart": {"is_supported": False}},
                 "list_is_active": not audience.deleted, "created_at": stamp(START - 500 * DAY),
                 "updated_at": stamp(START - 3 * DAY)}
            )  # fmt: skip
        return rows

    def ecommerce_stores(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores"""
        return Table.of(self.stores)

    def _store(self, args: Mapping[str, str]) -> tuple[str, int]:
        for number, store in enumerate(self.stores):
            if store["id"] == args["store_id"]:
                return store["id"], number
        raise KeyError(args["store_id"])

    def _customer(self, number: int, day: int) -> Row:
        address, _, who = self.person(self.live[0], number)
        orders = number % 5 + day
        return {
            "id": ("c/%", "c ")[number % 2] + str(number),
            "email_address": address,
            "opt_in_status": number % 3 == 0,
            "company": "",
            "first_name": _FIRST[who & 15],
            "last_name": _LAST[(who >> 12) % 10],
            "orders_count": orders,
            "total_spent": orders * 10 + 0.5,
            "address": {"address1": "1 Main St", "address2": "", "city": "Madrid", "province": "", "province_code": "",
                        "postal_code": "28001", "country": "", "country_code": ""},
            "created_at": stamp(START - (400 - number) * DAY),
            "updated_at": stamp(self.now - 2 * HOUR if day else START - 40 * DAY + number),
            "_links": [_LINK],
        }  # fmt: skip

    def ecommerce_customers(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/customers"""
        _, store = self._store(args)
        return Table.of([self._customer(number, self.day if number % 9 == 0 else 0) for number in range(50 - 15 * store % 40)])

    def ecommerce_products(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/products"""
        identity, store = self._store(args)
        rows = []
        for number in range(20 + self.day):
            variant = {"id": f"v{number}", "title": "only", "url": "", "sku": f"SKU/{number}", "price": 9.99,
                       "inventory_quantity": number, "image_url": "", "backorders": "", "visibility": "",
                       "created_at": stamp(START - 400 * DAY), "updated_at": stamp(START - 300 * DAY),
                       "_links": [_LINK]}  # fmt: skip
            rows.append(
                {"id": f"gid://{identity}/Product/{number}", "currency_code": "EUR", "title": f"Product {number} ½",
                 "handle": "", "url": "", "description": "line 1\nline 2\ttab", "type": "", "vendor": "",
                 "image_url": "", "variants": [variant], "images": [],
                 "published_at_foreign": "" if number % 2 else stamp(START - 399 * DAY)}
            )  # fmt: skip
        return Table.of(rows)

    def ecommerce_orders(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/orders, and /ecommerce/orders of all stores."""
        if "store_id" not in args:
            tables = [self.ecommerce_orders({"store_id": store["id"]}) for store in self.stores]
            return Table.of([table.row(place) for table in tables for place in range(table.count)])
        identity, store = self._store(args)
        return self.keep(("orders", identity), lambda: self._orders(identity, store))

    def _orders(self, identity: str, store: int) -> Table:
        rows = []
        count = (120, 40, 8)[store] if store < 3 else 150
        for number in range(count + 5 * self.day):
            if self.day and number == 7:
                continue  # deleted by the shop
            new = number >= count
            h = mix(salt(self.seed, "order", identity), number)
            placed = START + (number - count) // 5 * DAY + h % DAY if new else START - 1 - h % (300 * DAY)
            paid = number % 3 == 0 or (self.day > 0 and number % 10 == 1)
            total = (h >> 20) % 10_000 / 100
            rows.append(
                {"id": f"{store}/{number}% ü" if number % 10 == 0 else f"{store}-{number}", "store_id": identity,
                 "customer": self._customer(number % 30, 0), "campaign_id": "", "landing_site": "",
                 "financial_status": "paid" if paid else "pending", "fulfillment_status": "", "currency_code": "EUR",
                 "order_total": total, "order_url": "", "discount_total": 0, "tax_total": round(total * 0.21, 2),
                 "shipping_total": 4, "tracking_code": "", "processed_at_foreign": stamp(placed),
                 "cancelled_at_foreign": "", "updated_at_foreign": stamp(placed + 60),
                 "shipping_address": {"name": "Ana", "address1": "", "address2": "", "city": "", "province": "",
                                      "province_code": "", "postal_code": "", "country": "", "country_code": "",
                                      "longitude": 0, "latitude": 0, "phone": "", "company": ""},
                 "promos": [], "tracking_number": "", "tracking_carrier": "", "tracking_url": "",
                 "lines": [{"id": "1", "product_id": f"gid://{identity}/Product/1", "product_title": "Product 1 ½",
                            "product_variant_id": "v1", "product_variant_title": "only", "image_url": "",
                            "quantity": 1 + number % 3, "price": 9.99, "discount": 0, "_links": [_LINK]}]}
            )  # fmt: skip
        return Table.of(rows)

    def ecommerce_carts(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/carts"""
        identity, store = self._store(args)
        rows = []
        for number in range(0 if store == 2 else 8):
            rows.append(
                {"id": f"cart {number}/{store}", "customer": self._customer(number, 0), "campaign_id": "",
                 "checkout_url": "", "currency_code": "EUR", "order_total": 12.5, "tax_total": 0,
                 "lines": [{"id": "1", "product_id": f"gid://{identity}/Product/1", "product_title": "Product 1 ½",
                            "product_variant_id": "v1", "product_variant_title": "only", "quantity": 1,
                            "price": 12.5}],
                 "created_at": stamp(START - 20 * DAY), "updated_at": stamp(START - 19 * DAY)}
            )  # fmt: skip
        return Table.of(rows)


def _entry(event: Event) -> Row:
    moment, action, url, ip, kind = event
    if action == "bounce":
        return {"action": action, "type": kind, "timestamp": stamp(moment)}
    if url is None:
        return {"action": action, "timestamp": stamp(moment), "ip": ip}
    return {"action": action, "timestamp": stamp(moment), "url": url, "ip": ip}


def _sum_up(done: Activity) -> None:
    for found in done.events.values():
        opens = [event[0] for event in found if event[1] == "open"]
        clicks = [event for event in found if event[1] == "click"]
        done.opens += len(opens)
        done.unique_opens += bool(opens)
        done.last_open = max(done.last_open, *opens, 0)
        done.clicks += len(clicks)
        done.clickers += bool(clicks)
        done.unique_clicks += len({event[2] for event in clicks})
        done.last_click = max(done.last_click, *(event[0] for event in clicks), 0)
        done.hard += sum(event[4] == "hard" for event in found)
        done.soft += sum(event[4] == "soft" for event in found)


def _make_awkward(row: Row, number: int) -> None:
    """Awkward: what the first members of the first list are like."""
    if number == 3:
        row["beta_score"] = {"value": 7, "_links": [_LINK]}
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
