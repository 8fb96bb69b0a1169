"""The sandbox's audiences, and what hangs below a list but its members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.sandbox import Row, Table, mix

from .people import ARCHIVED, CITIES, DAY, HOUR, PENDING, START, STATUSES, Audience, short_id, stamp
from .reports import Reports

_CITIES_WITHOUT_REGION = tuple({name: city[name] for name in city if name != "region"} for city in CITIES)
_SEGMENT_MEMBER_FIELDS = (
    "email_address", "email_client", "email_type", "full_name", "id", "interests", "ip_opt", "ip_signup", "language",
    "last_changed", "last_note", "list_id", "member_rating", "merge_fields", "status", "timestamp_opt",
    "timestamp_signup", "unique_email_id", "vip",
)  # fmt: skip


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


class Audiences(Reports):
    """Methods named after streams give the table of one list's rows."""

    def __init__(self, *, seed: int, scale: float, day: int, keep_all: bool) -> None:
        super().__init__(seed=seed, scale=scale, day=day, keep_all=keep_all)
        self.segments_by_id = {
            (audience.id, segment.id): segment for audience in self.live for segment in self._make_segments(audience)
        }

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
            "campaign_defaults": {"from_name": "Acme ™", "from_email": "a@example.com", "subject": "",
                                  "language": "en"},
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

    # --- Segments ---

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

    def segment_numbers(self, segment: Segment) -> list[int]:
        """The members of a segment; archived and pending ones are in none."""
        status = self.members(segment.audience).status
        total = segment.audience.size + segment.audience.daily * self.day
        out = (PENDING, ARCHIVED)
        found = [
            number for number in range(segment.first, total, segment.step) if status.get(number, ARCHIVED) not in out
        ]
        return found[: segment.most]

    def list_segments(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/segments; `_counts` (by status) is taken off by the endpoint."""
        audience = self.audience(args)
        return self.keep(
            ("segments", audience.id),
            lambda: Table.of([self._segment(s) for s in self.segments_by_id.values() if s.audience is audience]),
        )

    def _segment(self, segment: Segment) -> Row:
        status = self.members(segment.audience).status
        counts = Counter(STATUSES[status[number]] for number in self.segment_numbers(segment))
        row: Row = {
            "id": segment.id,
            "name": segment.name,
            "_counts": counts,
            "member_count": counts["subscribed"],
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
                part["location"] = _CITIES_WITHOUT_REGION[CITIES.index(whole["location"])]
                return part

            return Table(len(numbers), row, {"status": [STATUSES[members.status[number]] for number in numbers]})

        return self.keep(("segment", audience.id, segment.id), make)

    def tags(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/tag-search: the static segments again."""
        rows = self.list_segments(args)
        found = [rows.row(place) for place in range(rows.count)]
        return Table.of([{"id": row["id"], "name": row["name"]} for row in found if row["type"] == "static"])

    # --- Interests, fields, forms ---

    def interest_categories(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/interest-categories"""
        audience = self.audience(args)
        if not audience.size:
            return Table.of([])
        kinds = (("checkboxes", "Groups"), ("dropdown", "Größe"), ("hidden", ""))
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
        place = [short_id(audience.id, "category", place) for place in range(3)].index(args["category_id"])
        ids = (list(audience.interests[0])[:3], list(audience.interests[0])[3:], [])[place]
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
        kinds: tuple[tuple[str, str, Row], ...] = (
            ("ADDRESS", "address", {"default_country": 164}), ("FNAME", "text", {"size": 25}),
            ("LNAME", "text", {"size": 25}), ("PHONE", "phone", {"phone_format": "none"}),
            ("BIRTHDAY", "birthday", {"date_format": "MM/DD"}), ("POINTS", "number", {}),
            ("SIZE", "dropdown", {"choices": ["S", "M", "Größe L"]}),
        )  # fmt: skip
        rows = [
            {"merge_id": place + 1, "tag": tag, "name": tag.title(), "type": kind, "required": False,
             "default_value": "", "public": place % 2 == 0, "display_order": place + 2, "options": options,
             "help_text": "", "list_id": audience.id}
            for place, (tag, kind, options) in enumerate(kinds)
        ]  # fmt: skip
        return Table.of(rows)

    def list_webhooks(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/webhooks"""
        audience = self.audience(args)
        events = {"subscribe": True, "unsubscribe": False, "profile": True, "cleaned": False, "upemail": True,
                  "campaign": False, "sms_subscribe": True, "sms_unsubscribe": False, "upsms": False,
                  "sms_campaign": False}  # fmt: skip
        return Table.of(
            [{"id": short_id(audience.id, "hook", place), "list_id": audience.id, "events": events,
              "url": "https://hooks.example/?a=1&b=ü", "sources": {"user": True, "admin": False, "api": place == 0}}
             for place in range(1 + audience.number % 3)]
        )  # fmt: skip

    def list_signup_forms(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/signup-forms"""
        audience = self.audience(args)
        # Awkward: a form without an address of its own.
        url = "" if audience.number == 2 else f"https://acme.us6.list-manage.example/subscribe?id={audience.id}"
        return Table.of(
            [{"list_id": audience.id, "signup_form_url": url, "header": {"text": audience.name, "image_width": "0"},
              "contents": [{"section": "signup_message", "value": "Hi!"}],
              "styles": [{"selector": "page", "options": [{"property": "color", "value": "#fff"}]}]}]
        )  # fmt: skip

    def list_surveys(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/surveys: drafts too."""
        audience = self.audience(args)
        return Table.of(
            [{"id": short_id(audience.id, "survey", place), "web_id": 1990 + place, "list_id": audience.id,
              "list_name": audience.name, "title": "How is it going? ½", "url": "", "status": status,
              "created_at": stamp(START - 30 * DAY), "updated_at": stamp(START - 3 * DAY), "published_at": "",
              "total_responses": 0}
             for place, status in enumerate(("draft", "unpublished")[: audience.number])]
        )  # fmt: skip

    # --- Statistics ---

    def list_growth_history(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/growth-history"""
        audience = self.audience(args)
        rows = []
        for place in range(24):
            year, month = divmod(2024 * 12 + 11 + place, 12)
            h = mix(audience.salt, 21, place)
            rows.append(
                {"list_id": audience.id, "month": f"{year}-{month + 1:02}", "existing": h % 900,
                 "imports": h >> 10 & 63, "optins": h >> 16 & 63, "subscribed": h >> 22 & 511,
                 "unsubscribed": h >> 32 & 31, "reconfirm": 0,
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
        # Awkward: twice no country.
        shares = (("US", "USA", 0.5), ("ES", "Spain", 0.3), ("", "", 0.1), ("", "elsewhere", 0.1)) if size else ()
        return Table.of(
            [{"country": name, "cc": code, "percent": 100 * share, "total": int(size * share)}
             for code, name, share in shares]
        )  # fmt: skip

    def list_clients(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/clients"""
        size = self.audience(args).size
        names = ("Gmail", "Apple Mail", "Outlook 2016", "", None) if size else ()
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
