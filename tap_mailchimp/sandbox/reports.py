"""The sandbox's reports, counted from the very events that the detail endpoints list: they agree on every day."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.sandbox import Row, Table

from .campaigns import Campaigns
from .events import Campaign, Event
from .people import FIRST_NAMES, HOUR, LAST_NAMES, short_id, stamp

_COUNTRIES = (
    ("US", "GA", "Georgia"), ("ES", "MD", "Madrid"), ("JP", "", ""), ("", "", ""), ("DE", "BE", "Berlin"),
    ("JP", "", ""),  # Awkward: regions without a name share one
)  # fmt: skip


class Reports(Campaigns):
    """Methods named after streams give the table of one campaign's rows."""

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
            "list_stats": {"sub_rate": 12, "unsub_rate": 0.5, "open_rate": 64.7, "click_rate": 3.2,
                           "proxy_excluded_open_rate": 41.5},
            "timeseries": [
                {"timestamp": stamp(campaign.sent - campaign.sent % HOUR + hour * HOUR), "emails_sent": 0,
                 "unique_opens": hour, "recipients_clicks": 0, "proxy_excluded_unique_opens": hour // 2}
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

    def _base(self, campaign: Campaign, place: int) -> Row:
        address, hashed, _ = self.recipient(campaign, place)
        return {
            "campaign_id": campaign.id,
            "list_id": campaign.audience.id,
            "list_is_active": not campaign.audience.deleted,
            # Awkward: a recipient without the id, which is the hash of the address.
            "email_id": "" if place == 5 else hashed,
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

    # --- What recipients did ---

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

    # --- Sums ---

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

    def reports_click_details_members(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/click-details/{url_id}/members"""
        urls = self.reports_click_details(args)
        url = next((row for row in map(urls.row, range(urls.count)) if row["id"] == args["url_id"]), None)
        if url is None:
            raise KeyError(args["url_id"])

        def make(campaign: Campaign) -> Table:
            clicks: dict[int, int] = {}
            for place, found in self.activity(campaign).events.items():
                if count := sum(event[2] == url["url"] for event in found):
                    clicks[place] = count
            places = list(clicks)

            def row(at: int) -> Row:
                base = self._report_base(campaign, places[at])
                return {**base, "url_id": url["id"], "clicks": clicks[places[at]], "contact_status": "subscribed"}

            return Table(len(places), row)

        return self._of_campaign(f"clicks of {url['id']}", args, make)

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
            # Awkward: twice no name, as of addresses that were deleted.
            rows += [{**rows[0], "domain": "", "emails_sent": sent} for sent in (1, 2) if rows]
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

    def reports_ecommerce_product_activity(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/ecommerce-product-activity"""

        def make(campaign: Campaign) -> Table:
            return Table.of(
                # Awkward: variants without a SKU share the title of their product.
                [{"title": f"Product {place // 2} ½", "sku": "", "image_url": "", "total_revenue": 9.99 * place,
                  "total_purchased": place, "currency_code": "USD", "recommendation_total": 0,
                  "recommendation_purchased": 0}
                 for place in range(campaign.number % 4)]
            )  # fmt: skip

        return self._of_campaign("products", args, make)

    def reports_advice(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/advice"""

        def make(campaign: Campaign) -> Table:
            # Awkward: the same remark twice.
            remarks = ("opens are good", "send more often", "send more often")[: campaign.number % 4]
            return Table.of([{"type": "neutral", "message": text} for text in remarks])

        return self._of_campaign("advice", args, make)

    def reports_eepurl(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/eepurl: one row."""
        campaign = self.campaign(args)
        clicked = stamp(campaign.sent and campaign.sent + HOUR)
        place = {"country": "ES", "region": "MD"}
        told = {"status": "Läs!", "screen_name": "acme", "status_id": "7", "datetime": clicked, "is_retweet": False}
        return Table.of(
            [{"eepurl": f"http://eepurl.example/{campaign.id}", "campaign_id": campaign.id, "total_items": 1,
              "twitter": {"tweets": 1, "first_tweet": clicked, "last_tweet": "", "retweets": 0, "statuses": [told]},
              "clicks": {"clicks": self.day, "first_click": clicked, "last_click": "", "locations": [place]},
              "referrers": [{"referrer": "https://t.example/", "clicks": 1, "first_click": clicked,
                             "last_click": clicked}]}]
        )  # fmt: skip

    def reports_sub_reports(self, args: Mapping[str, str]) -> Table:
        """/reports/{campaign_id}/sub-reports"""

        def make(campaign: Campaign) -> Table:
            count = {"rss": 3, "variate": 2}.get(campaign.type, int(campaign.was_resent))
            whole = self._report(campaign)
            return Table.of([{**whole, "id": short_id(campaign.id, "part", place)} for place in range(count)])

        return self._of_campaign("parts", args, make)


def _entry(event: Event) -> Row:
    moment, action, url, ip, kind = event
    if action == "bounce":
        return {"action": action, "type": kind, "timestamp": stamp(moment)}
    if url is None:
        return {"action": action, "timestamp": stamp(moment), "ip": ip}
    return {"action": action, "timestamp": stamp(moment), "url": url, "ip": ip}
