"""What the sandbox knows of a single member, and members as contacts of every channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.sandbox import Row, Table

from .sandbox_audiences import Audiences
from .sandbox_people import DAY, START, STATUSES, stamp


class Contacts(Audiences):
    """Methods named after streams give the table of one member's rows."""

    def _member_by_hash(self, args: Mapping[str, str]) -> tuple[int, Row]:
        """The number and the row of the member that a path names."""
        audience = self.audience(args)
        members = self.members(audience)
        places: dict[str, int] | None = self._kept.get(("hashes", audience.id))
        if places is None:
            places = {self.person(audience, number)[1]: number for number in members.numbers}
            self._kept.put(("hashes", audience.id), places, len(places))
        number = places[args["email_id"]]
        return number, self.member(audience, number, members)

    def member_tags(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/tags: also those beyond the 50 that a member's row shows."""
        number, member = self._member_by_hash(args)
        tags = [*member["tags"], *({"id": n, "name": f"tag {n}"} for n in range(50, member["tags_count"]))]
        return Table.of([{**tag, "date_added": stamp(START - 90 * DAY + number)} for tag in tags])

    def member_notes(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/members/{email_id}/notes"""
        number, member = self._member_by_hash(args)
        if "last_note" not in member:
            return Table.of([])
        last = member["last_note"]
        base = {"list_id": args["list_id"], "email_id": member["id"], "contact_id": member["contact_id"],
                "created_by": last["created_by"], "updated_at": last["created_at"]}  # fmt: skip
        rows = [{**base, "id": last["note_id"], "created_at": last["created_at"], "note": last["note"]}]
        if number % 2:
            rows.append({**base, "id": last["note_id"] + 1_000_000, "created_at": "", "note": "nul \x00 inside"})
        return Table.of(rows)

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
