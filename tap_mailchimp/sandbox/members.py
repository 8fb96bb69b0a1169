"""What the sandbox knows of a single member, and members as contacts of every channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.sandbox import Row, Table, salt

from .audiences import Audiences
from .people import DAY, HOUR, START, STATUSES, WORDS, Audience, short_id, spread, stamp

WITH_MANY, MANY = 17, 120
"""A member of the first list who did so many things: more than a small page."""


class Contacts(Audiences):
    """Methods named after streams give the table of one member's rows."""

    def _number(self, args: Mapping[str, str]) -> tuple[Audience, int]:
        """The member that a path names by the hash of the address."""
        audience = self.audience(args)
        places: dict[str, int] | None = self._kept.get(("hashes", audience.id))
        if places is None:
            numbers = self.members(audience).numbers
            places = {self.person(audience, number)[1]: number for number in numbers}
            self._kept.put(("hashes", audience.id), places, len(places))
        return audience, places[args["email_id"]]

    def _member(self, args: Mapping[str, str]) -> tuple[int, Row]:
        """The number and the row of that member."""
        audience, number = self._number(args)
        return number, self.member(audience, number, self.members(audience))

    def member_tags(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/tags: also those beyond the 50 that a member's row shows."""
        number, member = self._member(args)
        tags = [*member["tags"], *({"id": n, "name": f"tag {n}"} for n in range(50, member["tags_count"]))]
        return Table.of([{**tag, "date_added": stamp(START - 90 * DAY + number)} for tag in tags])

    def member_notes(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/notes"""
        number, member = self._member(args)
        if "last_note" not in member:
            return Table.of([])
        last = member["last_note"]
        base = {"list_id": args["list_id"], "email_id": member["id"], "contact_id": member["contact_id"],
                "created_by": last["created_by"], "updated_at": last["created_at"]}  # fmt: skip
        rows = [{**base, "id": last["note_id"], "created_at": last["created_at"], "note": last["note"]}]
        if number % 2:
            # Edited every day, which does not move the member's last_changed.
            text = f"nul \x00 inside {self.day}"
            rows.append({**base, "id": last["note_id"] + 1_000_000, "created_at": "", "note": text})
        return Table.of(rows)

    # What moves without the member's last_changed: on a later day, one in seven has done something more.

    def _moments(self, args: Mapping[str, str], what: str, most: int) -> tuple[int, list[int]]:
        """Bits of a member, and when something happened to them, newest first; days after the first bring more."""
        audience, number = self._number(args)
        h = spread(salt(0, what) ^ audience.salt + number)
        count = MANY if number == WITH_MANY and audience.number == 0 else h % most
        moments = [START - 1 - (h >> 8) % (90 * DAY) - place * HOUR for place in range(count)]
        if count > 1:
            moments[1] = moments[0]  # Awkward: the same twice, in one second
        late = [START + (day - 1) * DAY + (h >> 8) % DAY for day in range(self.day, 0, -1) if (h + day) % 7 == 0]
        return h, [*late, *moments]

    def member_activity(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/activity: the newest 50."""
        h, moments = self._moments(args, "activity", 4)
        kinds = ("open", "click", "ecomm", "sent", "bounce")

        def row(place: int) -> Row:
            action = kinds[(moments[place] + h) % 5]
            found: Row = {"action": action, "timestamp": stamp(moments[place]), "title": f"No {h % 9}: ünïcode 🎉"}
            if action != "ecomm":  # Awkward: no campaign led to it
                found |= {"campaign_id": short_id(self.seed, "campaign", h % 9), "parent_campaign": "", "type": "hard"}
            return found | ({"url": "https://shop.example/é?q=a b"} if action == "click" else {})

        return Table(min(len(moments), 50), row)

    def member_activity_feed(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/activity-feed: every kind has fields of its own."""
        h, moments = self._moments(args, "feed", 6)
        campaign = {"campaign_id": short_id(self.seed, "campaign", h % 9), "campaign_title": "No 1 ½"}
        line = {"id": "1", "product_id": "p", "product_title": "½", "quantity": 2, "price": 9.99, "discount": 0}
        kinds: tuple[tuple[str, Row], ...] = (
            ("open", campaign),
            ("click", {**campaign, "link_clicked": "https://shop.example/é?q=a b"}),
            ("bounce", {**campaign, "bounce_type": "soft", "bounce_has_open_activity": False}),
            ("note", {"note_id": "7", "note_text": "nul \x00 inside", "created_by": "Ana", "updated_at_timestamp": ""}),
            ("order", {"order_id": "1", "store_name": "Shöp", "order_total": "€9.99", "order_items": [line]}),
            ("event", {"event_name": "ran", "event_properties": ["a", "b"]}),
            ("generic_signup", {"signup_category": ""}),
            ("new_in_2027", {"beta": {"x": 1}}),  # Awkward: a kind that nobody knows yet
        )

        def row(place: int) -> Row:
            kind, fields = kinds[(moments[place] + h) % 8]
            return {"activity_type": kind, "created_at_timestamp": stamp(moments[place]), **fields}

        return Table(len(moments), row)

    def member_events(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/events"""
        h, moments = self._moments(args, "events", 3)
        moments += moments[-1:]  # Awkward: some come three times

        def row(place: int) -> Row:
            properties = None if h % 5 == 0 else {"sku": f"SKU/{moments[place] % 9}", "★": "x"}
            return {"occurred_at": stamp(moments[place]), "name": "purchased", "properties": properties}

        return Table(len(moments), row)

    def member_goals(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/goals"""
        h, moments = self._moments(args, "goals", 3)
        return Table.of(
            [{"goal_id": place, "event": "visited", "data": WORDS[(h + place) % len(WORDS)],
              "last_visited_at": stamp(moment)} for place, moment in enumerate(reversed(moments))]
        )  # fmt: skip

    # --- As contacts of every channel ---

    def audience_contacts(self, args: Mapping[str, str]) -> Table:
        """/audiences/{audience_id}/contacts"""
        audience = self.audience({"list_id": args["audience_id"]})

        def make() -> Table:
            members = self.members(audience)
            numbers = [number for number in members.numbers if STATUSES[members.status[number]] != "archived"]

            def row(place: int) -> Row:
                member = self.member(audience, numbers[place], members)
                channel = {"email": member["email_address"], "hashed_email": member["id"], "source": member["source"],
                           "marketing_consent": {"status": "confirmed"},
                           "effective_subscription_status": {"value": member["status"]}}  # fmt: skip
                return {"audience_id": audience.id, "id": member["contact_id"], "created_at": member["timestamp_opt"],
                        "last_updated_at": changed[place], "status": "active", "source": member["source"],
                        "language": member["language"], "tags": [tag["name"] for tag in member["tags"]],
                        "merge_fields": member.get("merge_fields"), "email_channel": channel,
                        "sms_channel": None}  # fmt: skip

            def touch(place: int, now: datetime) -> None:
                changed[place] = stamp(int(now.timestamp()))

            changed = [stamp(members.changed[number]) for number in numbers]
            return Table(len(numbers), row, {"last_updated_at": changed}, touch)

        return self.keep(("contacts", audience.id), make)
