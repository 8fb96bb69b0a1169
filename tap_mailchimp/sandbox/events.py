"""Which campaigns were sent to whom, and what the recipients did with them.

An event is there once its time has come; bounces show up a little later than that, as in the real API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.sandbox import mix, salt

from .people import DAY, HOUR, START, Audience, People, short_id, spread

VISIBLE_AFTER_SECONDS = 240
"""The longest that a bounce takes to show up in the API."""
_TYPES = ("regular", "regular", "plaintext", "regular", "variate", "absplit", "regular", "rss")
_SENT_HOURS_AGO = (5, 30, 4 * 24, 9 * 24)
"""When the newest campaigns of day 0 went out: their events are still coming in."""


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

    @property
    def was_resent(self) -> bool:
        """Sent again to those who did not open it."""
        return self.has_report and not self.ghost and self.type == "regular" and self.number % 5 == 0

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


class Mailings(People):
    """The campaigns of one day's account as they were sent, on top of its lists."""

    def __init__(self, *, seed: int, scale: float, day: int, keep_all: bool) -> None:
        super().__init__(seed=seed, scale=scale, day=day, keep_all=keep_all)
        self._sums: dict[str, Activity] = {}
        self.all_campaigns = self._make_campaigns()
        self.campaigns_by_id = {campaign.id: campaign for campaign in self.all_campaigns}

    def _make_campaigns(self) -> list[Campaign]:
        """One campaign a day is deleted, and takes its reports along; `daily` new ones come."""
        base, daily = max(12, round(24 * self.scale)), max(1, round(self.scale))
        numbers = range(base + daily * self.day)
        return [
            self._plan(number, base, daily)
            for number in numbers
            if not (number % 5 == 3 and 0 < (number - 3) // 5 <= self.day)
        ]

    def _created(self, number: int, base: int, daily: int) -> int:
        h = mix(salt(self.seed, "campaign"), number)
        if number >= base:
            return START + (number - base) // daily * DAY + 3 * HOUR + h % (6 * HOUR)
        if number >= base - len(_SENT_HOURS_AGO):
            return START - _SENT_HOURS_AGO[base - 1 - number] * HOUR - 2 * HOUR
        if number % 12 == 11:  # Awkward: two in one second
            return self._created(number - 1, base, daily)
        return START - 400 * DAY * (base - number) // base + h % DAY

    def _plan(self, number: int, base: int, daily: int) -> Campaign:
        h = mix(salt(self.seed, "campaign"), number)
        created = self._created(number, base, daily)
        status, sent = "sent", created + 2 * HOUR
        if number < base - len(_SENT_HOURS_AGO):
            if number % 8 == 2:
                status, sent = "save", 0
            elif number % 24 == 5:  # goes out within the first day
                sent = START + 6 * HOUR
                status = "sent" if sent <= self.now else "schedule"
            elif number % 24 == 15:
                status, sent = "paused", 0
            elif number % 24 == 21:
                status = "canceled"
        targets = [audience for audience in self.live if audience.size]
        audience, count = targets[h % len(targets)], 40 + h % 330
        if number == 0:
            audience, count = self.audiences[-1], 100
        elif number % 24 == 3:
            audience, count = targets[0], 2100
        elif number % 24 == 9:
            audience, count = targets[min(1, len(targets) - 1)], 1250
        count = min(count, audience.size * 4 // 5)
        return Campaign(
            number=number,
            id=short_id(self.seed, "campaign", number),
            type=_TYPES[number % 8],
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

    def campaign(self, args: Mapping[str, str]) -> Campaign:
        """The campaign that a path names; KeyError when there is none, or it is gone although still listed."""
        campaign = self.campaigns_by_id[args["campaign_id"]]
        if campaign.ghost:
            raise KeyError(campaign.id)
        return campaign

    def reported(self) -> list[Campaign]:
        """The campaigns that have a report, newest first."""
        return [campaign for campaign in self.all_campaigns[::-1] if campaign.has_report]

    # --- Events ---

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
        done = Activity({})
        if campaign.silent or not campaign.has_report:
            return done
        for place in range(campaign.count):
            self._first_days(campaign, place, done)
        for day in range(1, self.day + 1):
            self._stir(campaign, day, done)
        for found in done.events.values():
            found.sort(key=lambda event: event[0])
        _sum_up(done)
        return done

    def _first_days(self, campaign: Campaign, place: int, done: Activity) -> None:
        """What one recipient does after the mail has come, as far as that has happened by now."""
        sent, now, h = campaign.sent, self.now, spread(campaign.salt + place)
        if h % 59 == 0 and (at := sent + (h >> 8) % (3 * DAY)) <= now:
            done.unsubscribed.append((place, at))
        if h % 61 == 0 and (at := sent + (h >> 9) % DAY) <= now:
            done.abuse.append((place, at))
        if h >> 59 == 0:
            hard = h >> 8 & 1
            at = sent + (20 + (h >> 9) % 300 if hard else 300 + (h >> 9) % (4 * DAY))
            if at + (h >> 30) % VISIBLE_AFTER_SECONDS <= now:
                done.events[place] = [(at, "bounce", None, None, "hard" if hard else "soft")]
        elif h >> 54 & 31 < 13:
            found = [event for event in _visit(campaign, h, sent + 60) if event[0] <= now]
            if found:
                done.events[place] = found

    def _stir(self, campaign: Campaign, day: int, done: Activity) -> None:
        """On some days an old campaign stirs again: late opens and clicks, a bounce, somebody who leaves."""
        begin, h = START + (day - 1) * DAY, mix(campaign.salt, day)
        if campaign.sent > begin or h % 4 or not campaign.count:
            return
        for place in range(h % 37, campaign.count, 37):
            old = done.events.get(place, [])
            if not old or old[0][1] != "bounce":
                again = spread(campaign.salt + place + (day << 32))
                done.events[place] = old + _visit(campaign, again, begin + 1, DAY - 2 * HOUR)
        # Awkward: it bounced the day before, but that only became visible now.
        place = h % campaign.count
        if campaign.sent < begin - DAY and place not in done.events:
            done.events[place] = [(begin - 100, "bounce", None, None, "soft")]
        place = (h >> 20) % campaign.count
        if all(place != gone for gone, _ in done.unsubscribed):
            done.unsubscribed.append((place, begin + h % DAY))


def _visit(campaign: Campaign, h: int, earliest: int, longest: int = 0) -> list[Event]:
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
