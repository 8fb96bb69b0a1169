"""What the sandbox's campaigns and pages are made of: templates, landing pages, files."""

from __future__ import annotations

from collections.abc import Mapping

from shared.sandbox import Row, Table, mix, salt

from .ecommerce import Shops
from .people import DAY, HOUR, START, WORDS, short_id, stamp


class Content(Shops):
    """Methods named after streams give their tables."""

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

    def template_default_content(self, args: Mapping[str, str]) -> Table:
        """/templates/{template_id}/default-content: one row, of the account's own templates."""
        number = int(args["template_id"]) - 40_000
        if not 0 <= number < 12:
            raise KeyError(args["template_id"])
        return Table.of([{"sections": {"header": f"<h1>Hi {number} ½</h1>", "repeat_1:0:body": ""}}])

    def template_folders(self, args: Mapping[str, str]) -> Table:
        """/template-folders"""
        return Table.of([{"id": short_id(self.seed, "folder of templates", n), "name": WORDS[n], "count": n}
                         for n in range(4)])  # fmt: skip

    def landing_pages(self, args: Mapping[str, str]) -> Table:
        """/landing-pages"""
        rows = []
        for number in range(8):
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

    def landing_page_content(self, args: Mapping[str, str]) -> Table:
        """/landing-pages/{page_id}/content: one row."""
        place = list(self.landing_pages({}).column("id")).index(args["page_id"])
        return Table.of([{"html": f"<html>Näme {place}</html>", "json": '{"blocks": []}' if place else None}])

    def file_manager_files(self, args: Mapping[str, str]) -> Table:
        """/file-manager/files"""
        base = 140

        def row(number: int) -> Row:
            h = mix(salt(self.seed, "file"), number)
            created = START - 1 - h % (300 * DAY) if number < base else START + (number - base) // 3 * DAY + h % DAY
            is_image = number % 4 > 0
            size = 600 if is_image else 0
            url = f"https://mcusercontent.example/{number}/ü.png"
            return {"id": 9000 + number, "folder_id": number % 3, "type": "image" if is_image else "file",
                    "name": f"file {number}.png", "full_size_url": url, "thumbnail_url": url if is_image else "",
                    "size": h % 90_000, "created_at": stamp(created), "created_by": "Ana", "width": size,
                    "height": size}  # fmt: skip

        return self.keep(("files",), lambda: Table(base + 3 * self.day, row))

    def file_manager_folders(self, args: Mapping[str, str]) -> Table:
        """/file-manager/folders"""
        return Table.of([{"id": n, "name": WORDS[n], "file_count": n * 10 + self.day, "created_by": "Ana",
                          "created_at": stamp(START - 400 * DAY)} for n in range(3)])  # fmt: skip
