"""Who is in the account, and what happened: metrics, events, profiles, from the seed, the scale and the day alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from shared.sandbox import EPOCH, Row, Table, mix, salt

from .metrics import FUTURE, METRICS

ZONE = ZoneInfo("Pacific/Auckland")
"""The account's: there it is tomorrow when the sandbox begins."""
START = datetime(2026, 5, 1, tzinfo=timezone.utc)
START_DATE = "2026-05-01T00:00:00Z"
DAY = 86_400
NOW = int(EPOCH.timestamp())
BEGIN = int(START.timestamp())
TIED = 40
"""So many events of one metric share a second, as those of a campaign do."""
REASONS = ("HARD_BOUNCE", "INVALID_EMAIL", "SPAM_COMPLAINT", "UNSUBSCRIBE", "USER_SUPPRESSED")
CHANNELS = ("email", "sms", "mobile_push")
NAMES = ("Zoë", "Łukasz", "李雷", "O'Brien", "Ana\0Maria", "", "Ünal 🌻", "Smith")
DECENT = tuple(name.replace("\0", " ") for name in NAMES)
STRANGE_DAYS = 20
STRANGE_PROFILES = 1
"""What no target can store (U+0000, integers of 71 bits) stands in early events, today's, and the first profiles: as in
life most pages are free of it, and are read in the quicker way.
"""

KEPT_EVENTS = 20_000
"""As many are made before anything is asked, and kept: a server that answers at once is what the API is."""

Resource = dict[str, Any]


def stamp(seconds: int) -> str:
    """Unix seconds as the API writes most date-times."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


@lru_cache
def short_id(*parts: Any) -> str:
    """Six letters and digits, as lists, metrics and templates have them."""
    text = base64.b32encode(salt(7, *parts).to_bytes(8, "big")).decode()
    return text[:5] + text[5].lower()


class People:
    """Metrics, events and profiles of one day.

    `gone_profile`: an event of a deleted profile says null, or nothing ("missing"). `is_odd`: there are values that the
    specification does not allow.
    """

    def __init__(self, *, seed: int, scale: float, day: int, gone_profile: str = "null", is_odd: bool = True) -> None:
        self.seed, self.scale, self.day, self.gone_profile = seed, scale, day, gone_profile
        self.is_odd = is_odd
        self._tables: dict[Any, Table] = {}
        self._event_times: dict[str, list[tuple[int, int]]] = {}
        self.side_loaded: dict[Any, Row] = {}
        """What `included` has held, as it goes out."""
        self._events: dict[tuple[int, int, int], Resource] = {}

    def chance(self, *names: Any) -> int:
        """64 bits for a place in the account."""
        return mix(self.seed, salt(0, *names))

    def count(self, base: int) -> int:
        """`base` at the account's scale."""
        return max(1, round(base * self.scale)) if base else 0

    # Metrics and events

    @cached_property
    def metrics(self) -> list[Resource]:
        """The metrics there are today."""
        made = []
        for number, (first, later, integration, _) in enumerate(METRICS):
            if not first and not self.day:
                continue
            category: Any = "API" if integration == "API" else "Internal"
            made.append(
                {
                    "type": "metric",
                    "id": short_id(self.seed, "metric", number),
                    "attributes": {
                        "name": later if self.day else first,
                        "created": stamp(BEGIN - DAY * (900 - number)),
                        "updated": stamp(BEGIN - DAY * (400 - number)),
                        "integration": {
                            "object": "integration",
                            "id": "0eMvjm" if integration == "Klaviyo" else short_id(integration),
                            "name": integration,
                            "category": {"object": "category", "id": 1, "category": category}
                            if number % 3
                            else category,
                            **({"key": "klaviyo"} if integration == "Klaviyo" else {}),
                        },
                    },
                    "relationships": {"flow-triggers": {}},
                    "_number": number,
                }
            )
        return made

    def times(self, metric: str) -> list[tuple[int, int]]:
        """(second, number) of each of a metric's events, in order."""
        if metric not in self._event_times:
            number = next(each["_number"] for each in self.metrics if each["id"] == metric)
            self._event_times[metric] = sorted(self._times(number))
        return self._event_times[metric]

    def _times(self, number: int) -> Iterator[tuple[int, int]]:
        base = self.count(METRICS[number][3])
        span = NOW - 900 - BEGIN
        ties = TIED if base >= 2 * TIED else 2
        for n in range(base):
            yield BEGIN + self.chance("event", number, n // ties if n % 3 else -n) % span, n
        n = base
        for day in range(1, self.day + 1):
            begin = NOW + (day - 1) * DAY
            new = 6 if base else 3
            for place in range(new):
                yield begin + 3600 + self.chance("new", number, day, place // 2) % (DAY - 7200), n
                n += 1
            if base:
                yield begin - 3 * DAY + place, n  # late, within the look-back
                yield NOW - 900 - (day - 1) * DAY, n + 1  # late too, in a second that has been read
                n += 2
        if METRICS[number][0] in FUTURE:
            yield NOW + 40 * DAY, 10_000_000

    def event(self, metric: Resource | None, second: int, number: int) -> Resource:
        """One event; without a metric where that cannot be resolved any more."""
        place = (metric["_number"] if metric else 999, second, number)
        made = self._events.get(place) or self._event(metric, *place)
        if len(self._events) < KEPT_EVENTS:
            self._events[place] = made
        return made

    def _event(self, metric: Resource | None, source: int, second: int, number: int) -> Resource:
        chance = self.chance("what", source, number)
        profile = self.profile_number(chance)
        is_strange = second < BEGIN + STRANGE_DAYS * DAY or second >= NOW
        names = NAMES if is_strange else DECENT
        properties: Row = {
            "$event_id": f"{second}:{number}",
            "$message": f"01HXSMS{chance % 9}",
            "Campaign Name": names[chance % len(names)],
            "$value": (None, 12.5, 0, 2**70 if is_strange else 2**40, "12,50")[chance % 5],
            "nested": {"a.b": [1, {"": None}], "emoji": "🌻"},
        }
        if chance % 7 == 0:
            properties["URL"] = "https://example.org/?q=a b&ü=" + ("\0" if is_strange else "ö")
        if source < len(METRICS) and METRICS[source][0] == "Merged Profile":
            gone = self.profile_id(10**6 + number)
            properties |= {
                "$event_id": f"merge_tombstone:{gone}:{self.profile_id(profile)}",
                "$extra": {"KlaviyoID": gone} if number % 3 else None,
            }
        identifier = f"{short_id(self.seed, 'event', source)}{number}"
        relations: Row = {
            "metric": {"data": {"type": "metric", "id": metric["id"]} if metric else None},
            "attributions": {"data": [{"type": "attribution", "id": identifier}] if chance % 5 == 0 else []},
        }
        if self.has_profile(profile):
            relations["profile"] = {"data": {"type": "profile", "id": self.profile_id(profile)}}
        elif self.gone_profile == "null":
            relations["profile"] = {"data": None}
        return {
            "type": "event",
            "id": identifier,
            "attributes": {
                "timestamp": second,
                "event_properties": properties if chance % 31 else None,
                "datetime": stamp(second),
                "uuid": f"{chance % 2**32:08x}-b6f1-11f1-8001-2b9e64a1c7d0",
            },
            "relationships": relations,
        }

    @cached_property
    def all_times(self) -> list[tuple[int, int, int]]:
        """(second, index of the metric, number) of every event; index -1: its metric is gone."""
        made = [
            (second, place, number)
            for place, metric in enumerate(self.metrics)
            for second, number in self.times(metric["id"])
        ]
        return sorted([*made, *((BEGIN + DAY * n, -1, n) for n in range(1, 6))])

    # Profiles

    @property
    def profile_count(self) -> int:
        """All numbers of profiles that ever were."""
        return self.count(240) + 3 * self.day

    def profile_number(self, chance: int) -> int:
        """A profile that was there from the beginning."""
        return (chance >> 7) % self.count(240)

    def profile_id(self, number: int) -> str:
        """A ULID-like id."""
        return f"01HZ{self.chance('profile', number) % 10**12:012d}{number:010d}"

    def has_profile(self, number: int) -> bool:
        """Whether a profile is there today, neither deleted nor merged."""
        return not 1 <= number % 101 <= self.day and number % 53 != 52

    def profile(self, number: int) -> Resource | None:
        """A profile, None when it was deleted or merged."""
        base, day = self.count(240), self.day
        if not self.has_profile(number):
            return None
        chance = self.chance("profile", number)
        updated = BEGIN + chance % (NOW - 900 - BEGIN)
        if number >= base:
            updated = NOW + (number - base) // 3 * DAY + 5000
        is_strange = number < STRANGE_PROFILES
        name = (NAMES if is_strange else DECENT)[chance % len(NAMES)]
        for each in range(1, day + 1):
            if number % 40 == each and number < base:
                updated, name = NOW + (each - 1) * DAY + 7000 + number % 3, f"changed {each}"
        reasons = [REASONS[(chance + n) % 5] for n in range((0, 0, 0, 1, 2)[chance % 5])]
        suppression = [
            {"reason": reason, "timestamp": stamp(BEGIN - DAY * (n + 1))} for n, reason in enumerate(reasons)
        ]
        excluded = [
            {"list_id": short_id(self.seed, "lists", "", 3 + n), "reason": REASONS[n], "timestamp": stamp(BEGIN - n)}
            for n in range((number % 13 == 4) + (number % 26 == 4))
        ]
        attributes: Row = {
            "email": None if number % 17 == 3 else f"p{number}+tag@example.org",
            "phone_number": None if number % 3 else f"+1555{number:07d}",
            "external_id": None,
            "first_name": name,
            "last_name": None,
            "organization": "Ä & Sons",
            "locale": "de-DE",
            "title": None,
            "image": None,
            "created": stamp(BEGIN - DAY * 30),
            "updated": stamp(updated) if number % 97 != 13 else None,
            "last_event_date": "" if self.is_odd and number % 9 == 0 else f"{stamp(BEGIN)[:19]}.25Z",
            "location": {"city": "Genève", "latitude": "" if number % 2 else 46.2, "longitude": None, "ip": None},
            "properties": {
                "vip": True,
                "Taille": ["M", "L"],
                "big": 2**65 if is_strange else 2**40,
                "$consent": {"x.y": None},
            },
        }
        if number % 60 == 1:
            attributes["new_field"] = {"unknown": [1]}
        return {
            "type": "profile",
            "id": self.profile_id(number),
            "attributes": attributes,
            "relationships": {"lists": {}, "segments": {}},
            "_more": {
                "subscriptions": {
                    "email": {
                        "marketing": {
                            "can_receive_email_marketing": not reasons,
                            "consent": "SUBSCRIBED",
                            "consent_timestamp": None,
                            "suppression": suppression,
                            "list_suppressions": excluded,
                        }
                    },
                    "sms": None,
                },
                "predictive_analytics": {"historic_clv": 93.87, "churn_probability": None},
            },
            "_filter": {
                "subscriptions.email.marketing.suppression.reason": reasons,
                "subscriptions.email.marketing.list_suppressions.list_id": [each["list_id"] for each in excluded],
            },
        }

    @cached_property
    def profiles(self) -> list[Resource]:
        """Those there are today."""
        return [found for number in range(self.profile_count) if (found := self.profile(number)) is not None]
