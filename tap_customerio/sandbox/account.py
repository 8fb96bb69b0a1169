"""The workspace that the sandbox serves, all derived from seed, scale and day.

People, deliveries and activities are made when they are asked for; the rest are short lists. A later day adds to an
earlier one: rows born, changed or deleted since, and metrics of old deliveries that arrived late. Deliberately awkward
(search for "Awkward"): nulls, ids as text, U+0000, ties over page boundaries, unknown fields, parents that answer 404.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.sandbox import EPOCH, Row, Table, mix, salt

NOW = int(EPOCH.timestamp())
DAY = 86_400
NAMES = ("Ann", "Bob", "Zoë", "李雷", "O'Hara", "")
TYPES = ("email", "webhook", "twilio", "push", "in_app", "live_notification")
GONE = 90
"""Awkward: the campaign, newsletter and broadcast of this id are listed, and their children answer 404."""


class Workspace:
    """The whole workspace on one day."""

    def __init__(self, *, seed: int, scale: float, day: int, shapes: Mapping[str, Any]) -> None:
        self.seed, self.scale, self.day, self.shapes = seed, scale, day, shapes
        self.now = NOW + day * DAY
        self.chance = salt(seed, "customerio")
        self.people_count = round(1150 * scale) + 7 * day
        self.message_count = round(2300 * scale) + 60 * day
        self.activity_count = round(750 * scale) + 120 * day
        self.before = {"people": self.people_count, "messages": self.message_count, "activities": self.activity_count}
        """What was there at the beginning of the day; more may come while one reads."""

    # People

    def cio_id(self, number: int) -> str:
        """Awkward: one looks like a number."""
        return "30e00001" if number == 3 else f"a3{number:06x}"

    def number(self, cio_id: str) -> int:
        """Whose id that is; -1 for nobody's."""
        if cio_id == self.cio_id(3):
            return 3
        return int(cio_id.removeprefix("a3"), 16) if cio_id.startswith("a3") else -1

    def identifiers(self, number: int) -> Row:
        """Every eighth person has no id, every fifth no address, every tenth a telephone."""
        email = f"person{number}+{NAMES[number % 6].lower()}@example.com" if number % 5 else None
        identity = str(number) if number % 8 else None
        return {
            "cio_id": self.cio_id(number),
            "email": email,
            "id": identity,
            "phone": f"+1555{number:07d}" if number % 10 == 4 else None,
        }

    def person(self, number: int) -> Row:
        """One person as /customers/attributes gives them."""
        identifiers = self.identifiers(number)
        plan = ("free", "pro", None)[mix(self.chance, number) % 3]
        attributes: Row = {**identifiers, "name": NAMES[number % 6], "plan": plan, "created_at": "1650000000"}
        if number % 50 == 0:
            attributes["Größe\0"] = {"deep": [1, None, {"x": "\0"}]}  # Awkward: characters that no database takes
        if self.day and number % 90 == 1:
            attributes["plan"] = f"changed on day {self.day}"
        row: Row = {
            "id": identifiers["cio_id"],
            "identifiers": identifiers,
            "attributes": attributes,
            "timestamps": {"plan": 1650000100},
            "unsubscribed": (True, False, None)[number % 3],
            "devices": [{"id": f"tok-{number}", "platform": "ios", "last_used": 1769000000 + number}],
        }
        if number % 7 == 0:
            row["devices"] = None
        if number == 11:
            row["beta"] = {"score": 1}  # Awkward: a field nobody knows
        return row

    # Deliveries and activities, newest first

    def messages(self) -> Table:
        """Spread over two years and more; Awkward: 1,100 within one hour."""
        return Table(self.message_count, self.message, {"created": [self.sent(n) for n in range(self.message_count)]})

    def sent(self, number: int) -> int:
        """When a delivery was made."""
        first_day = round(2300 * self.scale)
        if number >= first_day:
            return NOW + (number - first_day) // 60 * DAY + (number - first_day) % 60 * 60
        if number < 1100 * min(self.scale, 1):
            return NOW - 40 * DAY + number % 40
        return NOW - (number * 28_657_013) % (760 * DAY) - 100

    def message(self, number: int) -> Row:
        """One delivery; those of the last weeks are opened a day later."""
        created, who = self.sent(number), number % max(self.people_count - 7 * self.day, 1)
        metrics = {"sent": created + 4, "delivered": created + 19, "secondary:delivered": created + 20}
        if self.day and NOW - 29 * DAY < created < NOW and number % 3 == 0:
            metrics["opened"] = NOW + 60
        identifiers: Row | None = self.identifiers(who) if number % 17 else None
        if identifiers and number % 19 == 0:
            identifiers = {"cio_id": 12345, "email": None, "id": None, "phone": None}  # Awkward: a number
        return {
            "id": f"dg{number:08x}==",
            "deduplicate_id": f"dg{number:08x}==:{max(metrics.values())}",
            "type": TYPES[number % 6],
            "created": created,
            "recipient": "zoë@example.com",
            "subject": None if number % 4 else "Your invoice \0",
            "customer_id": (identifiers or {}).get("id"),
            "customer_identifiers": identifiers,
            "metrics": metrics,
            "failure_message": None,
            "campaign_id": 1 + number % 5,
            "action_id": None,
            "msg_template_id": number % 9,
            "trigger_event_id": "01HZXA" if number % 2 else None,
            "forgotten": number % 23 == 0,
        }

    def draft(self, number: int) -> Row:
        """One draft."""
        created = NOW - number * 9 * DAY - 70
        return {"id": f"dr{number:06x}", "type": "email", "created": created, "metrics": {}, "campaign_id": 1}

    def activities(self) -> Table:
        """The newest come first, but some are back-dated."""
        count = self.activity_count
        return Table(count, lambda place: self.activity(count - 1 - place))

    def activity(self, number: int) -> Row:
        """One event; Awkward: one in the future, ties, and every ninth dated an hour back."""
        first_day = round(750 * self.scale)
        at = NOW - (first_day - number) // 3 * 3 * 1000 if number < first_day else NOW + (number - first_day) * 600
        if number == first_day - 5:
            at = NOW + 400 * DAY
        kinds = ("event", "page", "attribute_change", "secondary:opened_email", "_o:1:create", "dropped_whatasapp")
        return {
            "id": f"01act{number:07d}",
            "type": kinds[number % 6],
            "timestamp": at - (3600 if number % 9 == 0 else 0),
            "name": "bought" if number % 6 == 0 else None,
            "customer_id": str(number % 40),
            "customer_identifiers": None if number % 13 == 0 else self.identifiers(number % 40),
            "delivery_id": None,
            "data": {"price": 1.5, "items": ["\0", None]} if number % 6 == 0 else {},
        }

    # Short lists

    def listed(self, count: int, *, updated: str = "updated", created: str = "created") -> Sequence[Row]:
        """Rows that changed on different days; one more is there each day, and two change."""
        rows = []
        for number in range(1, count + self.day + 1):
            changed = NOW - number * 3 * DAY if number <= count else NOW + (number - count) * DAY - 7200
            if self.day and number in (2, 5):
                changed = self.now - 3600
            rows.append(
                {"id": number, "name": f"{NAMES[number % 6]} {number}", created: NOW - 900 * DAY, updated: changed}
            )
        return rows

    def broadcasts(self) -> Sequence[Row]:
        extra = {"type": "triggered_broadcast", "first_started": 0, "tags": None, "msg_template_ids": [1, "2"]}
        return [
            {
                **row,
                **extra,
                "id": GONE if row["id"] == 3 else row["id"],
                "deduplicate_id": f"{row['id']}:{row['updated']}",
            }
            for row in self.listed(5)
        ]

    def campaigns(self) -> Sequence[Row]:
        rows = []
        for row in self.listed(9):
            number = row["id"]
            row.update(
                id=GONE if number == 4 else number,
                type="segment",
                active=number % 2 == 0,
                first_started=0 if number % 3 else NOW - 800 * DAY,
                tags=["a", "ü"] if number % 2 else None,
                actions=[{"id": number * 10, "type": "email"}],
                audience={"type": 1, "person_filters": {"and": []} if number % 2 else '{"and":[]}'},
                object_attribute_triggers={"x": [1]} if number == 6 else None,
                scheduled_start=NOW,
            )
            if number == 7:
                row["updated"] = None  # Awkward: always written
                row["new_field"] = "unknown"
            if number == 8 and self.shapes["lag"]:
                row["updated"] = NOW - 3 * DAY - 1800
            if number != 8 or not self.shapes["lag"] or self.day:
                rows.append(row)
        return rows

    def newsletters(self) -> Sequence[Row]:
        return [{**row, "type": "inbox", "sent_at": 0, "content_ids": [1]} for row in self.listed(12)]

    def templates(self) -> Sequence[Row]:
        flags = {"send_to_unsubscribed": True, "trigger_name": None, "queue_drafts": False}
        return [{**row, **flags} for row in self.listed(4, updated="updated_at", created="created_at")]

    def segments(self) -> Sequence[Row]:
        condition = {"and": [{"or": [{"not": {"attribute": {"field": "x"}}}]}]}
        return [
            {**row, "state": "finished", "progress": None, "type": "dynamic", "conditions": condition, "tags": None}
            for row in self.listed(6, updated="updated_at", created="created_at")
        ]

    def exports(self) -> Sequence[Row]:
        downloads = 1 + (self.day if self.shapes["downloads"] else 0)
        flags = {"total": 0, "type": "deliveries", "failed": False, "downloads": downloads, "status": "done"}
        return [
            {**{name: value for name, value in row.items() if name != "name"}, **flags}
            for row in self.listed(3, updated="updated_at", created="created_at")
        ]

    def snippets(self) -> Sequence[Row]:
        return [
            {"name": f"snippet/{row['id']}", "value": "{{ x }}\n", "updated_at": row["updated_at"]}
            for row in self.listed(4, updated="updated_at")
        ]

    def collections(self) -> Sequence[Row]:
        moved = {"updated_at": self.now - 3600} if self.day and self.shapes["replaced"] == "moves" else {}
        return [
            {**row, **moved, "schema": ["a", "b"], "rows": 2 + self.day, "bytes": 100 + self.day}
            for row in self.listed(3, updated="updated_at", created="created_at")
        ]

    def senders(self, *, hidden: bool) -> Sequence[Row]:
        numbers = range(200, 203) if hidden else range(1, 101)
        return [
            {"id": n, "deduplicate_id": f"{n}:1", "name": NAMES[n % 6], "email": f"s{n}@example.com", "phone": None,
             "template_type": "email", "auto_generated": False, "hidden": hidden}
            for n in numbers
        ]  # fmt: skip

    def webhooks(self) -> Sequence[Row]:
        return [
            {"id": n, "name": f"hook {n}", "type": None, "endpoint": url, "events": ["email_sent"], "disabled": False,
             "full_resolution": True, "with_content": False}
            for n, url in enumerate(("https://user:pw@hooks.example.com/x?token=1", "https://hooks.example.com/a@b"), 1)
        ]  # fmt: skip

    def topics(self) -> Sequence[Row]:
        return [{"id": 1, "identifier": "topic_1", "name": "News", "description": None, "subscribed_by_default": True}]

    def workspaces(self) -> Sequence[Row]:
        return [{"id": 1, "name": "Main", "messages_sent": self.message_count, "billable_messages_sent": 1,
                 "people": self.people_count, "object_types": 2, "objects": 27}]  # fmt: skip

    def types(self) -> Sequence[Row]:
        return [
            {"id": n, "name": "Companies", "singular_name": "Company", "slug": "companies", "singular_slug": "company",
             "icon": None, "enabled": True}
            for n in ("1", "2")
        ]  # fmt: skip

    def suppressions(self, kind: str, domain: str) -> Sequence[Row]:
        """Ordered by address; the same addresses stand on several lists."""
        if domain and domain != "mail.example.com":
            return []
        counts = {"bounces": round(2050 * self.scale) + self.day, "blocks": 40, "spam_reports": 3, "invalid_emails": 0}
        return [
            {"created": 0 if n % 9 == 0 else NOW - n * 60, "email": f"b{n:06d}@example.com", "reason": None,
             "status": "5.1.1"}
            for n in range(7 if domain and counts[kind] else counts[kind])
        ]  # fmt: skip

    # Children

    def actions(self, parent: Mapping[str, str], key: str) -> Sequence[Row]:
        """Awkward: ids as text, times that are null, headers as text and as a list, the parent's id left out."""
        number = int(parent[key])
        if number == GONE:
            raise KeyError(number)
        rows: list[Row] = []
        for place in range(1 + number % 3):
            changed = self.now - 1800 if self.day and number == 2 else NOW - number * DAY
            identity: Any = number * 100 + place
            rows.append(
                {"id": str(identity) if place % 2 == 0 else identity, "deduplicate_id": f"{identity}:1", "name": "",
                 "type": "email", "created": (number == 2) * (NOW - 5 * DAY), "updated": changed,
                 "body": "<b>ü</b>", "language": "",
                 "headers": '[{"name":"X"}]' if place else [{"name": "X", "value": "1"}], "tracked": True}
            )  # fmt: skip
        if key == "campaign_id" and number == 5:
            rows[0] |= {"updated": None, "campaign_id": 5}
        return rows

    def triggers(self, parent: Mapping[str, str]) -> Sequence[Row]:
        number = int(parent["broadcast_id"])
        if number == GONE:
            raise KeyError(number)
        count = number + self.day
        return [
            {"id": n, "broadcast_id": number, "created_at": NOW + (n - number) * DAY - 7200, "processed_at": 0}
            for n in range(1, count + 1)
        ]

    def test_groups(self, parent: Mapping[str, str]) -> Sequence[Row]:
        if int(parent["newsletter_id"]) == GONE:
            raise KeyError
        if self.shapes["groups"] == "none":
            raise KeyError  # no test is answered like no newsletter
        names = (0, 2) if self.shapes["groups"] == "numbers" else ("A", "B")
        return [{"id": n, "name": "", "label": "A", "winner": n == names[1], "content_ids": [1, 2]} for n in names]

    def members(self, parent: Mapping[str, str]) -> Sequence[Row]:
        number = int(parent["segment_id"])
        return [self.identifiers(n) for n in range(0, self.people_count, number)] if number < 6 else []

    def used(self, parent: Mapping[str, str]) -> Row:
        return {"campaigns": [1, 2], "sent_newsletters": None, "draft_newsletters": []}

    def content(self, parent: Mapping[str, str]) -> Any:
        row = {"a": 1, "b": {"ü": [None]}}
        return row if parent["collection_id"] == "2" else [row, {**row, "a": "\0"}, row]

    def objects(self, kind: str) -> Sequence[Row]:
        return [
            {"cio_object_id": f"ob{kind}{n:04d}", "object_id": f"acme/{n}" if n % 2 else None}
            for n in range(25 if kind == "1" else 2)
        ]

    def object_attributes(self, parent: Mapping[str, str]) -> Row:
        attributes = {"name": f"Acme {parent['cio_object_id']}", "size": 5, "\0": None}
        return {"attributes": attributes, "timestamps": {"name": NOW}, "object_type_disabled": False}

    def relationships(self, parent: Mapping[str, str]) -> Sequence[Row]:
        """Awkward: their object_type_id is that of people."""
        count = int(parent["cio_object_id"][-4:])
        return [
            {
                "object_type_id": "0",
                "object_type_disabled": False,
                "identifiers": self.identifiers(n),
                "attributes": {"role": NAMES[n % 6], "Größe\0": [n]} if n % 2 == 0 else {},
                "timestamps": {"role": NOW - n} if n % 2 == 0 else {},
            }
            for n in range(5 if count == 7 else count if count < 3 else count % 2)
        ]

    def trigger(self, parent: Mapping[str, str]) -> Row:
        """How one trigger stands."""
        found = [row for row in self.triggers(parent) if str(row["id"]) == parent["trigger_id"]]
        if not found:
            raise KeyError(parent["trigger_id"])
        return {**found[0], "data": {"name": "ü\0", "ids": [1, None]}}

    def trigger_errors(self, parent: Mapping[str, str]) -> Sequence[Any]:
        """Awkward: texts that are equal, and an object among them."""
        number = self.trigger(parent)["id"]
        if number % 2:
            return []
        return ["no such person", "no such person", {"id": "7", "detail": "bad data"}, *["no such person"] * 5]

    def channels(self) -> Sequence[Row]:
        return [{"id": 1, "name": "Email", "description": None, "type": "email", "subscribed_by_default": True}]

    def optouts(self) -> Sequence[Row]:
        prefix = "" if self.shapes["prefix"] == "none" else self.shapes["prefix"]
        return [
            {"cio_id": prefix + self.cio_id(n), "customer_id": None, "optouts": [{"channel": "sms", "from": "+1555"}]}
            for n in range(120)
        ]
