"""The account in the sandbox: its rows as the API writes them, made when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from shared.sandbox import EPOCH, Row, mix, salt
from shared.sandbox.kinds import facts_beside, kinds_of

BEGIN = datetime(2023, 11, 2, tzinfo=timezone.utc)
BLAST = datetime(2025, 3, 4, 9, tzinfo=timezone.utc)
LATE_SECONDS = 600
LONG_FIELD = "a_field_whose_name_somebody_made_far_longer_than_most_databases_can_take"

FACTS: Mapping[str, Any] = facts_beside(__file__)
EVENT_KINDS: Mapping[str, Mapping[str, Any]] = {
    name: kinds_of(fields) for name, fields in FACTS["events"].items() if name != "common"
}
"""Type of data → the fields that its events have beside the common ones."""
OWN_FIELDS = {
    "Industry": "string",
    "industry": "string",
    "loyalty.points": "long",
    "score": "double",
    "vip": "boolean",
    "birthday": "date",
    "home": "geo_location",
    "prefs": "object",
    "tags": "string",
    "devices.token": "string",
    LONG_FIELD: "string",
}
_TEXTS = ("zoë", "Ωmega", "plain", "", "with \u0000 in it", "emoji 🎈", "x" * 40)
_LARGE = {"emailSend": 900, "emailOpen": 700, "emailClick": 250, "customEvent": 120}


def wire(moment: datetime) -> str:
    """An instant as exports write it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S +00:00")


def milliseconds(moment: datetime) -> int:
    """An instant as everything else writes it."""
    return int(moment.timestamp() * 1000)


def _dressed(row: Row, number: int) -> Row:
    """The event as some projects have it: nested objects under dotted names, JSON as text, a single id for a list, a
    field of its own that has another value inside `dataFields`.
    """
    inside = row.get("dataFields")
    if number % 11 == 5 and isinstance(row.get("itblInternal"), dict):
        row |= {f"itblInternal.{name}": value for name, value in row.pop("itblInternal").items()}
    if number % 7 == 2 and isinstance(row.get("payload"), dict):
        row["payload"] = json.dumps(row["payload"]) if number % 2 else [1, {"a": 2}]
    if number % 5 == 3 and isinstance(row.get("emailListIds"), list):
        row["emailListIds"] = row["emailListIds"][0] if number % 2 else json.dumps(row["emailListIds"])
    if isinstance(inside, dict) and number % 4 == 3:
        row["dataFields"] = json.dumps(inside) if number % 8 == 3 else {**inside, "price": "another"}
    return row


class Account:
    """All that is in the account on one day. `project` is email, userid or hybrid."""

    def __init__(self, *, seed: int, scale: float, day: int, project: str) -> None:
        self.seed, self.scale, self.day, self.project = seed, scale, day, project
        self._times: dict[str, list[datetime]] = {}
        self.moved: dict[str, dict[int, datetime]] = {}

    def number(self, *names: Any) -> int:
        """Chance that depends on the seed and the names alone."""
        return mix(salt(self.seed, *names))

    # Events

    def times(self, data_type: str) -> list[datetime]:
        """When the events of a type happened, unsorted. Each day brings some new ones, and one that comes late."""
        if data_type not in self._times:
            base = salt(self.seed, data_type)
            count = self._count(data_type)
            span = int((EPOCH - BEGIN).total_seconds()) - 7200
            found: list[datetime] = []
            for number in range(count):
                chance = mix(base, number)
                if number % 25 == 24:
                    found.append(found[-1])
                elif number % 3 == 0:
                    found.append(BLAST + timedelta(seconds=chance % 7200))
                else:
                    found.append(BEGIN + timedelta(seconds=chance % span))
            for day in range(self.day):
                morning = EPOCH + timedelta(days=day)
                found += [
                    morning + timedelta(hours=hour, seconds=mix(base, day, hour) % 60) for hour in range(1, 24, 4)
                ]
                found.append(morning - timedelta(seconds=LATE_SECONDS))
            self._times[data_type] = found
        return self._times[data_type]

    def _count(self, data_type: str) -> int:
        return int(_LARGE.get(data_type, 40) * self.scale)

    def event(self, data_type: str, number: int) -> Row:
        """One event. Every 25th is equal to the one before it, some of them but for a field of their own."""
        if number % 25 == 24 and number < self._count(data_type):
            twin = self.event(data_type, number - 1)
            return {**twin, "price": -1} if number % 50 == 49 and data_type in ("customEvent", "purchase") else twin
        at = self.times(data_type)[number]
        chance = mix(salt(self.seed, data_type, "row"), number)
        row = {**self.person(chance % 50), "createdAt": wire(at)}
        row |= {"campaignId": 100 + chance % 40, "templateId": 500 + chance % 30, "messageId": f"{chance:016x}"}
        row["itblInternal"] = {"documentCreatedAt": wire(at + timedelta(seconds=2)), "documentUpdatedAt": wire(at)}
        for place, (name, kind) in enumerate(EVENT_KINDS[data_type].items()):
            luck = mix(chance, place)
            if luck % 7 != 0:
                row[name] = None if luck % 7 == 1 else self._value(name, kind, luck)
        if data_type == "emailOpen" and number % 9 == 0:
            row["futureField"] = {"a": [1, "\u0000"]}
        if data_type == "emailClick" and number % 41 == 0:
            row["hrefIndex"] = "n/a"
        if data_type == "customEvent":
            row["eventName"] = f"event {chance % 3}"
            row["price"] = chance % 1000 / 4
            if number % 2:
                row["dataFields"] = {"colour": _TEXTS[chance % 7].replace("\u0000", "-"), "deep": {"er": [1, None]}}
        if data_type in ("purchase", "emailSubscribe") and number % 3:
            row["orderId"] = chance % 500
        return _dressed(row, number)

    def _value(self, name: str, kind: Any, luck: int) -> Any:
        if isinstance(kind, dict):
            return {part: self._value(part, inner, mix(luck, len(part))) for part, inner in kind.items()}
        if name == "transactionalData":
            return ('{"order":{"id":7,"lines":[1,2]}}', "not JSON", "[1]", {"already": "an object"}, "{}")[luck % 5]
        if kind == "string":
            return f"{name} {_TEXTS[luck % len(_TEXTS)]}" if luck % 5 else _TEXTS[luck % len(_TEXTS)]
        made: dict[str, Any] = {
            "integer": luck % 100_000 if luck % 3 else float(luck % 100),
            "number": luck % 1000 / 8,
            "boolean": bool(luck % 2),
            "date-time": wire(BEGIN + timedelta(seconds=luck % 50_000_000)),
            "object": {"key": luck % 9, "nested": {"list": [1, "é"]}},
        }
        arrays: dict[str, Any] = {
            "integer": [luck % 50, luck % 7],
            "string": [f"label {luck % 5}", "é"],
            "object": [{"id": str(luck % 99), "price": luck % 100 / 4}, {"id": "b", "price": None}],
        }
        return arrays[kind[0]] if isinstance(kind, list) else made[kind]

    def person(self, number: int) -> Row:
        """By what events and profiles name a user, in this kind of project."""
        email = f"user{number}@example.com" if number % 6 else f"{number}@placeholder.email"
        if self.project == "email":
            return {"email": email}
        names = {"userId": f"user-{number}", "itblUserId": f"{salt(7, number):024x}"[:24]}
        if self.project == "hybrid" and number % 4 == 0:
            return {"email": email, "itblUserId": names["itblUserId"]}
        return {**names, "email": email if number % 3 else None}

    def happen(self, data_type: str, now: datetime) -> None:
        """What happens while an export is read: a user is updated, or an event comes, and one comes late."""
        now = now.replace(microsecond=0)
        moved = self.moved.setdefault(data_type, {})
        if data_type == "user":
            if len(moved) < int(30 * self.scale):
                moved[10 * len(moved) + 5] = now
            return
        times = self.times(data_type)
        for moment in (now, now - timedelta(seconds=LATE_SECONDS)):
            moved[len(times)] = moment
            times.append(moment)

    def turn_over(self, list_id: int, now: datetime) -> None:
        """One member leaves a list while it is read."""
        people = self._of_list(list_id)
        gone = self.moved.setdefault(f"list {list_id}", {})
        if len(gone) < len(people) // 10:
            gone[people[mix(self.seed, list_id, len(gone)) % len(people)]] = now

    # Users

    def users(self) -> Iterator[tuple[int, datetime, Row]]:
        """Every user there is: number, when the profile was last updated, profile."""
        count = int(300 * self.scale) + 3 * self.day
        for number in range(count):
            if number and number <= self.day:
                continue  # deleted
            chance = mix(salt(self.seed, "users"), number)
            updated = BEGIN + timedelta(seconds=chance % int((EPOCH - BEGIN).total_seconds() - 7200))
            for day in range(self.day):
                has_joined = any(
                    number in people and number == people[day - self.day] for _, people in self._static_lists
                )
                if has_joined or chance % 20 == day % 20 or number >= int(300 * self.scale) + 3 * day:
                    updated = EPOCH + timedelta(days=day, hours=1 + number % 20)
            updated = self.moved.get("user", {}).get(number, updated)
            yield number, updated, self._user(number, chance, updated)

    def _user(self, number: int, chance: int, updated: datetime) -> Row:
        row: Row = {**self.person(number), "profileUpdatedAt": wire(updated)}
        listed = [list_id for list_id, people in self._static_lists if number in people]
        row["emailListIds" if self.project == "email" else "userListIds"] = listed
        row |= {"signupDate": wire(BEGIN), "firstName": _TEXTS[chance % 7]}
        row |= {"itblInternal.emailDomain": "example.com", "itblInternal.documentUpdatedAt": wire(updated)}
        row |= {"industry": "a", "Industry": "b"} if number % 2 else {"Industry": None}
        row |= {"loyalty.points": [1, 2] if number % 17 == 3 else chance % 900, "score": chance % 100 / 8}
        row |= {"vip": bool(chance % 2), "home": {"lat": 1.5, "lon": -2}, "prefs": {"a": {"b": [1]}}}
        row["birthday"] = ("some day in May", wire(BEGIN), "2025-12-19T22:43:34.134105.000Z")[number % 3]
        row["tags"] = ["x", "y"] if number % 2 else "z"
        if number % 5 == 0:
            row |= {"devices.token": ["t1", "t2"], LONG_FIELD: "long", "newField": {"since": "discovery"}}
        return row

    def user_fields(self) -> dict[str, str]:
        """What `getFields` says; it does not tell arrays."""
        fixed = {"email": "string", "userId": "string", "profileUpdatedAt": "date", "emailListIds": "long"}
        fixed |= {"firstName": "string", "itblInternal.emailDomain": "string", "devices": "object"}
        return {**fixed, **({} if self.project == "email" else {"itblUserId": "string"}), **OWN_FIELDS}

    # Lists

    def lists(self) -> list[Row]:
        """Lists; the last one is gone when its members are asked for."""
        types = ("Standard", "Dynamic", "Suppression", "Internal", "Standard", "Standard", "Standard")
        return [
            {"id": number + 1, "name": f"List {_TEXTS[number]}".replace("\0", "-"), "description": None,
             "createdAt": milliseconds(BEGIN + timedelta(days=number)), "listType": kind,
             **({"isGlobalSuppressionEnabled": True} if kind == "Suppression" else {})}
            for number, kind in enumerate(types)
        ]  # fmt: skip

    def members(self, list_id: int) -> list[str]:
        """The lines of a list; list 4 is empty, list 7 is gone."""
        gone = self.moved.get(f"list {list_id}", {})
        people = [self.person(number) for number in self._of_list(list_id) if number not in gone]
        if self.project == "userid":
            return [str(each["userId"]) for each in people]
        return [str(each.get("email") or each["userId"]) for each in people]

    @cached_property
    def _static_lists(self) -> list[tuple[int, range]]:
        """The lists that stand on profiles, with the numbers of their members."""
        return [(each["id"], self._of_list(each["id"])) for each in self.lists() if each["listType"] != "Dynamic"]

    def _of_list(self, list_id: int) -> range:
        count = int(20 * list_id * self.scale) + self.day if list_id not in (4, 7) else 0
        return range(list_id * 3, list_id * 3 + count)

    # The rest

    @cached_property
    def _made(self) -> dict[int, datetime]:
        return {row["id"]: datetime.fromtimestamp(row["createdAt"] / 1000, timezone.utc) for row in self.campaigns()}

    def made(self, campaign: int) -> datetime:
        """When a campaign was made."""
        return self._made[campaign]

    def campaigns(self) -> list[Row]:
        """Campaigns. On each day one ends, which does not move `updatedAt`, and one is edited."""
        found = []
        for number in range(int(130 * self.scale) + 2 * self.day):
            chance = mix(salt(self.seed, "campaigns"), number)
            made = BEGIN + timedelta(hours=number)
            row: Row = {
                "id": 100 + number,
                "createdAt": milliseconds(made),
                "updatedAt": milliseconds(made + timedelta(days=1)),
                "name": f"Campaign {_TEXTS[chance % 7]}",
                "templateId": 500 + number % 30,
                "createdByUserId": "me@example.com",
                "campaignState": ("Finished", "Draft", "Aborted", "Finished")[number % 4],
                "type": "Blast",
                "listIds": [1, 2],
                "labels": [],
                "sendSize": float(chance % 1000),
            }
            if row["campaignState"] == "Finished":
                row |= {"startAt": row["updatedAt"], "endedAt": row["updatedAt"] + 7_919_000}
            if number % 4 == 3 and number // 4 < self.day:
                row["endedAt"] = milliseconds(EPOCH + timedelta(days=number // 4, hours=3))
            if number % 4 == 2 and number // 4 < self.day:
                row["updatedAt"] = milliseconds(EPOCH + timedelta(days=number // 4, hours=4))
            if number >= int(130 * self.scale):
                row["createdAt"] = row["updatedAt"] = milliseconds(EPOCH + timedelta(hours=1))
            found.append({**row, **({"messageMedium": "Email"} if number % 2 else {})})
        return found

    def experiments(self) -> list[Row]:
        """Experiments; every third one is yet to begin."""
        found = []
        for number in range(int(25 * self.scale)):
            begun = milliseconds(BEGIN + timedelta(days=number)) if number % 3 else None
            variants = [
                {"id": each, "name": f"Variant {each}", "value": {"templateId": 500 + each, "sendTime": None},
                 "currentPercentage": 50 if each else 37.5, "isWinner": False, "isControl": not each}
                for each in range(1 + number % 3)
            ]  # fmt: skip
            found.append({
                "id": 700 + number, "status": "running" if begun else "draft", "creationDate": milliseconds(BEGIN),
                "startDate": begun, "finishDate": None, "channelType": "email", "experimentType": "SubjectLine",
                "allocationMode": "even_split", "sizing": {"holdoutPercentage": 5 if number % 2 else None},
                "meta": {"name": f"Experiment {_TEXTS[number % 4]}", "conversionMetrics": ["opens"], "projectId": 1,
                         "campaignId": 100 + number if number % 4 else None, "orgId": 2},
                "variants": variants, "constraints": {"suppressionListIds": [3]} if number % 2 else None,
            })  # fmt: skip
        return found

    def templates(self) -> list[tuple[str, str, Row]]:
        """(medium, type, row); WebPush and Embedded ones no filter finds."""
        media = ("Email", "Push", "InApp", "SMS", "WebPush", "Embedded", "Email")
        types = ("Base", "Blast", "Triggered", "Workflow", "Blast")
        found = []
        for number in range(int(60 * self.scale) + self.day):
            made = BEGIN + timedelta(hours=number)
            edited = made
            if number < self.day or number >= int(60 * self.scale):
                edited = EPOCH + timedelta(days=self.day - 1, hours=2)
            row = {
                "templateId": 500 + number,
                "createdAt": milliseconds(made),
                "updatedAt": milliseconds(edited),
                "name": f"Template {number}",
                "creatorUserId": "me@example.com",
                "messageTypeId": 10 + number % 3,
                **({"campaignId": 100 + number} if number % 2 else {}),
            }
            found.append((media[number % 7], types[number % 5], row))
        return found

    def template(self, kind: str, row: Row) -> Row:
        """The contents of a template."""
        base: Row = {name: row[name] for name in ("templateId", "name", "messageTypeId")}
        base |= {"locale": None, "isDefaultLocale": True, "campaignDataFields": {"x": 1}}
        more: Mapping[str, Row] = {
            "email": {"metadata": row, "subject": "Hé", "html": "<p>\u0000</p>", "ccEmails": ["a@example.com"],
                      "linkParams": [{"key": "k", "value": "v"}], "dataFeedIds": [1.5], "locale": "de"},
            "push": {"message": "m", "payload": {"a": 1}, "deeplink": {"ios": "x"}, "createdAt": row["createdAt"]},
            "sms": {"message": "m", "linkParams": [], "updatedAt": row["updatedAt"]},
            "inapp": {"html": "<p/>", "inAppDisplaySettings": {"top": {"percentage": 1}, "bgColor": {"hex": "#fff"}},
                      "expirationDateTime": "2026-01-01"},
            "embedded": {"title": "t", "elements": {"mediaUrl": "https://example.com", "buttons": [{"id": "b"}]}},
        }  # fmt: skip
        return {**{name: part for name, part in base.items() if name != "name" or kind != "email"}, **more[kind]}

    def journeys(self) -> list[Row]:
        """Journeys, every third one archived."""
        return [
            {"id": 900 + number, "name": f"Journey {number}", "enabled": True, "isArchived": number % 3 == 0,
             "journeyType": "Published", "simultaneousLimit": None, "lifetimeLimit": 2, "startTileId": number,
             "triggerEventNames": ["a", "b"], "creatorUserId": "me@example.com",
             "createdAt": milliseconds(BEGIN + timedelta(hours=number)),
             "updatedAt": milliseconds(EPOCH + timedelta(days=self.day - 1, hours=2) if number < self.day else BEGIN),
             "draft": {"id": number, "name": "d", "createdAt": milliseconds(BEGIN)} if number % 2 else None}
            for number in range(int(70 * self.scale))
        ]  # fmt: skip

    def metadata(self) -> dict[str, dict[str, Any]]:
        """Table → key → value; keys are case-sensitive and may hold anything. A key called "gone" is not there."""
        keys = {f"key {number}": {"n": number, "deep": [{"a": None}]} for number in range(25 + self.day)}
        return {"settings": keys, "Empty": {}, "odd/one": {"a/b": "text", "A/B": 5, "ключ": {}, "gone": None}}

    def catalogs(self) -> dict[str, int]:
        """Catalog → number of items."""
        return {f"catalog-{number}": (0, 3, int(45 * self.scale) + self.day)[number % 3] for number in range(12)}

    def item(self, catalog: str, number: int) -> Row:
        """One item of a catalog."""
        value = {"price": number / 4, "name": _TEXTS[number % 7].replace("\0", "-"), "stock": {"here": [number]}}
        return {"catalogName": catalog, "itemId": f"item-{number}", "size": 40,
                "lastModified": milliseconds(BEGIN + timedelta(hours=number)), "value": value}  # fmt: skip
