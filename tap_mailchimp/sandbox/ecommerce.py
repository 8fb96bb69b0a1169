"""The sandbox's shops."""

from __future__ import annotations

from collections.abc import Mapping

from shared.sandbox import Row, Table, mix, salt

from .members import Contacts
from .people import DAY, FIRST_NAMES, HOUR, LAST_NAMES, LINK, START, stamp


class Shops(Contacts):
    """Methods named after streams give the table of one shop's rows."""

    def __init__(self, *, seed: int, scale: float, day: int, keep_all: bool) -> None:
        super().__init__(seed=seed, scale=scale, day=day, keep_all=keep_all)
        self.stores = self._make_stores()

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
            "sms_phone_number": f"+1555{number:04}" if number % 4 == 0 else "",
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
                 "cart_id": f"cart {number}", "financial_status": "paid" if paid else "pending",
                 "fulfillment_status": "", "currency_code": "EUR",
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

    # --- Promotions ---

    def ecommerce_promo_rules(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/promo-rules"""
        _, store = self._store(args)
        return Table.of(
            [{"id": f"rule {number}/%", "title": "Spring ☀", "description": "10 % off", "type": "percentage",
              "starts_at": stamp(START - 30 * DAY), "ends_at": "" if number else stamp(START + 30 * DAY),
              "amount": 0.1, "target": "total", "enabled": number == 0,
              "created_at_foreign": stamp(START - 40 * DAY), "updated_at_foreign": stamp(START - 39 * DAY)}
             for number in range(3 - store % 2)]
        )  # fmt: skip

    def ecommerce_promo_codes(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes"""
        rules = self.ecommerce_promo_rules(args)
        if args["promo_rule_id"] not in rules.column("id"):
            raise KeyError(args["promo_rule_id"])
        count = 130 if args["promo_rule_id"].startswith("rule 0") else 2
        return self.keep(
            ("codes", args["store_id"], args["promo_rule_id"]),
            lambda: Table(
                count + self.day,
                lambda number: {
                    "id": f"code/{number}", "code": f"SAVE{number}", "redemption_url": "https://shop.example/?c=1",
                    "usage_count": number % 7 + self.day, "enabled": number % 5 > 0, "updated_at_foreign": "",
                    "created_at_foreign": stamp(START - 38 * DAY),
                },
            ),
        )  # fmt: skip
