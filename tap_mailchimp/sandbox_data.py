"""The account that the sandbox serves, all derived from seed, scale and day.

Nothing is stored that can be made again: a row is a function of its number, so an account of any size costs little
until it is asked for. A later day only adds to an earlier one: rows born, changed or deleted since, events that became
visible. Lists and campaigns have modules of their own; here is what is read in one request or two.

Deliberately awkward (search for "Awkward" in the three modules): values of the wrong type, unknown fields, U+0000, lone
surrogates, nulls, absent fields, ties over page boundaries, rows that answer 404 although they are listed.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.sandbox import Row, Table, mix, salt

from .sandbox_audiences import DAY, FIRST_NAMES, HOUR, LAST_NAMES, LINK, START, STATUSES, Audience, short_id, stamp
from .sandbox_campaigns import Campaigns


class Account(Campaigns):
    """The whole account on one day. Methods named after streams give the table of one parent's rows."""

    def __init__(self, *, seed: int, scale: float, day: int, keep_all: bool = False) -> None:
        super().__init__(seed=seed, scale=scale, day=day, keep_all=keep_all)
        self.stores = self._make_stores()

    # --- Lists ---

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

    def list_abuse_reports(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/abuse-reports"""
        audience = self.audience(args)
        rows = []
        for campaign in self.all_campaigns:
            if campaign.audience is audience and campaign.has_report and not campaign.ghost:
                table = self.reports_abuse({"campaign_id": campaign.id})
                rows += [table.row(place) for place in range(table.count)]
        return Table.of([{name: row[name] for name in row if name != "list_is_active"} for row in rows])

    # --- Folders, automations, templates, pages ---

    def campaign_folders(self, args: Mapping[str, str]) -> Table:
        """/campaign-folders"""
        names = ("Newsletters", "Ünïcode / slash", "")
        return Table.of(
            [{"id": folder, "name": names[place], "count": place} for place, folder in enumerate(self.folder_ids)]
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

    # --- Shops ---

    def _make_stores(self) -> list[Row]:
        rows = []
        # Awkward: ids are the shop's own strings, of any characters; the last store's list is gone.
        ids = ["shop-1", "shöp 2/50%", "https://old.example/?a=b&c"]
        ids += [f"branch {number}" for number in range(3, round(2 + self.scale))]
        for number, store in enumerate(ids):
            audience = self.audiences[-1] if number == 2 else self.live[number % 2]
            rows.append(
                {"id": store, "list_id": audience.id, "name": f"Shop {number}", "platform": "",
                 "domain": "shop.example", "is_syncing": False, "email_address": "shop@example.com",
                 "currency_code": "EUR", "money_format": "€",
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
            "first_name": FIRST_NAMES[who & 15],
            "last_name": LAST_NAMES[(who >> 12) % 10],
            "orders_count": orders,
            "total_spent": orders * 10 + 0.5,
            "address": {"address1": "1 Main St", "address2": "", "city": "Madrid", "province": "", "province_code": "",
                        "postal_code": "28001", "country": "", "country_code": ""},
            "created_at": stamp(START - (400 - number) * DAY),
            "updated_at": stamp(self.now - 2 * HOUR if day else START - 40 * DAY + number),
            "_links": [LINK],
        }  # fmt: skip

    def ecommerce_customers(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/customers"""
        _, store = self._store(args)
        numbers = range(50 - 15 * store % 40)
        return Table.of([self._customer(number, self.day if number % 9 == 0 else 0) for number in numbers])

    def ecommerce_products(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/products"""
        identity, _ = self._store(args)
        rows = []
        for number in range(20 + self.day):
            variant = {"id": f"v{number}", "title": "only", "url": "", "sku": f"SKU/{number}", "price": 9.99,
                       "inventory_quantity": number, "image_url": "", "backorders": "", "visibility": "",
                       "created_at": stamp(START - 400 * DAY), "updated_at": stamp(START - 300 * DAY),
                       "_links": [LINK]}  # fmt: skip
            rows.append(
                {"id": f"gid://{identity}/Product/{number}", "currency_code": "EUR", "title": f"Product {number} ½",
                 "handle": "", "url": "", "description": "line 1\nline 2\ttab", "type": "", "vendor": "",
                 "image_url": "", "variants": [variant], "images": [],
                 "published_at_foreign": "" if number % 2 else stamp(START - 399 * DAY)}
            )  # fmt: skip
        return Table.of(rows)

    def ecommerce_orders(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/orders"""
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
                            "quantity": 1 + number % 3, "price": 9.99, "discount": 0, "_links": [LINK]}]}
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
