"""The account that the sandbox serves, all derived from seed, scale and day; and what is the account's alone.

Nothing is stored that can be made again: a row is a function of its number, so an account of any size costs little
until it is asked for. A later day only adds to an earlier one: rows born, changed or deleted since, events that became
visible. Each subject has a module, as in the tap, and a class on top of those that it refers to: `people`,
`_events`, `_campaigns`, `_reports`, `_audiences`, `_members`, `_ecommerce`, `_content`, `_reporting`.

Deliberately awkward (search for "Awkward" in them): values of the wrong type, unknown fields, U+0000, lone surrogates,
nulls, absent fields, ties over page boundaries, rows that answer 404 although they are listed.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.sandbox import Row, Table

from .people import DAY, HOUR, START, WORDS, short_id, stamp
from .reporting import Results


class Account(Results):
    """The whole account on one day. Methods named after streams give the table of one parent's rows."""

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

    def chimp_chatter(self, args: Mapping[str, str]) -> Table:
        """/activity-feed/chimp-chatter: newest first. Awkward: two of one second and title."""
        rows = []
        for number in range(12 + 2 * self.day, 0, -1):
            kind = ("lists:new-subscriber", "lists:imports")[number // 2 % 2]
            rows.append(
                {"title": "" if number % 6 == 0 else f"{self.live[0].name} ✓", "message": f"No {number}", "type": kind,
                 "update_time": stamp(START - 13 * HOUR + number // 2 * HOUR), "url": "", "campaign_id": "",
                 "list_id": self.live[0].id}
            )  # fmt: skip
        return Table.of(rows)

    def verified_domains(self, args: Mapping[str, str]) -> Table:
        """/verified-domains"""
        names = ("example.com", "bücher.example", "shop.example", "mail.example.net")
        return Table.of([{"domain": name, "verified": n == 0, "authenticated": False, "verification_sent": "",
                          "status": "VERIFIED" if n == 0 else "PENDING", "is_free_email_provider": n == 3,
                          "verification_email": f"a@{name}"} for n, name in enumerate(names)])  # fmt: skip

    def connected_sites(self, args: Mapping[str, str]) -> Table:
        """/connected-sites"""
        return Table.of([{"foreign_id": f"site{n}", "store_id": store["id"], "platform": "", "domain": store["domain"],
                          "is_pixel_enabled": n == 0,
                          "site_script": store["connected_site"]["site_script"], "created_at": store["created_at"],
                          "updated_at": store["updated_at"]} for n, store in enumerate(self.stores)])  # fmt: skip

    def account_exports(self, args: Mapping[str, str]) -> Table:
        """/account-exports"""
        return Table.of(
            [{"export_id": 10 + n, "started": stamp(START - (20 - n) * DAY), "size_in_bytes": 4096 * n,
              "finished": "" if n == 2 else stamp(START - (20 - n) * DAY + HOUR),
              "download_url": "" if n == 2 else f"https://exports.example/{n}.zip?Signature=s3cr3t"}
             for n in range(3)]
        )  # fmt: skip

    def authorized_apps(self, args: Mapping[str, str]) -> Table:
        """/authorized-apps"""
        return Table.of([{"id": 70 + n, "name": f"App {n} ✓", "description": "", "users": ["acme"] * n}
                         for n in range(3)])  # fmt: skip

    def batches(self, args: Mapping[str, str]) -> Table:
        """/batches: those of other applications; the tap's own stand beside them."""
        return Table.of(
            [{"id": short_id(self.seed, "batch of others", n), "status": "finished", "total_operations": 3 + n,
              "finished_operations": 3 + n, "errored_operations": n, "submitted_at": stamp(START - 2 * DAY),
              "completed_at": stamp(START - 2 * DAY + HOUR), "response_body_url": "https://s3.example/x?Signature=s3cr3t"}
             for n in range(2)]
        )  # fmt: skip

    # --- The old inbox ---

    def conversations(self, args: Mapping[str, str]) -> Table:
        """/conversations"""
        rows = []
        for number in range(3):
            messages = [self._message(number, n) for n in range(number + 1)]
            rows.append(
                {"id": short_id(self.seed, "talk", number), "message_count": len(messages), "campaign_id": "",
                 "list_id": self.live[0].id, "unread_messages": 0, "from_label": "Bo", "from_email": "bo@example.com",
                 "subject": "Re: No 1",
                 "last_message": {name: messages[-1][name] for name in ("from_label", "from_email", "subject",
                                                                        "message", "read", "timestamp")}}
            )  # fmt: skip
        return Table.of(rows)

    def _message(self, number: int, place: int) -> Row:
        return {"id": short_id(self.seed, "talk", number, place),
                "conversation_id": short_id(self.seed, "talk", number),
                # Awkward: the contract says integer here, elsewhere ids of lists are text.
                "list_id": 360_000 if place % 2 else self.live[0].id, "from_label": "Bo",
                "from_email": "bo@example.com", "subject": "Re: No 1", "message": WORDS[place], "read": place > 0,
                "timestamp": stamp(START - 10 * DAY + number * HOUR + place)}  # fmt: skip

    def conversation_messages(self, args: Mapping[str, str]) -> Table:
        """/conversations/{conversation_id}/messages"""
        number = list(self.conversations({}).column("id")).index(args["conversation_id"])
        return Table.of([self._message(number, place) for place in range(number + 1)])
