"""The sandbox's campaigns, what their recipients did, and the reports on that.

Reports are counted from the very events that the detail endpoints list, so they agree on every day. An event is there
once its time has come; bounces show up a little later than that, as in the real API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from shared.sandbox import Row, Table, mix, salt

from .sandbox_audiences import (
    DAY,
    FIRST_NAMES,
    HOUR,
    LAST_NAMES,
    START,
    Audience,
    Audiences,
    short_id,
    spread,
    stamp,
)

VISIBLE_AFTER_SECONDS = 240
"""The longest that a bounce takes to show up in the API."""
_TYPES = ("regular", "regular", "plaintext", "regular", "variate", "absplit", "regular", "rss")
_COUNTRIES = (("US", "GA", "Georgia"), ("ES", "MD", "Madrid"), ("JP", "", ""), ("", "", ""), ("DE", "BE", "Berlin"))
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


class Campaigns(Audiences):
    """The campaigns of one day's account, on top of its lists."""

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

    @property
    def folder_ids(self) -> list[str]:
        """Ids of the campaign folders."""
        return [short_id(self.seed, "folder", place) for place in range(3)]

    # --- Campaigns and reports ---

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
        if h % 701 == 0 and (at := sent + (h >> 9) % DAY) <= now:
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
        row["merge_fields"] = {"FNAME": FIRST_NAMES[who & 15], "LNAME": LAST_NAMES[(who >> 12) % 10], "ADDRESS": ""}
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
