"""The sandbox's campaigns and automations, as `/campaigns` and `/automations` show them."""

from __future__ import annotations

from collections.abc import Mapping

from shared.sandbox import Row, Table, salt

from .events import Campaign, Mailings
from .people import DAY, HOUR, START, WORDS, short_id, stamp


class Campaigns(Mailings):
    """Methods named after streams give the table of one parent's rows."""

    @property
    def folder_ids(self) -> list[str]:
        """Ids of the campaign folders."""
        return [short_id(self.seed, "folder", place) for place in range(3)]

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
        if campaign.was_resent:
            again = {"id": short_id(campaign.id, "part", 0), "web_id": 3_000_000 + number, "status": "sent",
                     "shortcut_type": "to_non_openers", "send_time": stamp(campaign.sent + DAY)}  # fmt: skip
            row["resend_shortcut_usage"] = {"shortcut_campaigns": [again], "original_campaign": None}
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

    def campaign_content(self, args: Mapping[str, str]) -> Table:
        """/campaigns/{campaign_id}/content: one row."""
        campaign = self.campaign(args)
        text = f"Hello *|FNAME|* 🎉\nNo {campaign.number}"
        html = f"<html><body>{text}{' word' * (campaign.number * 50)}</body></html>"
        row: Row = {"plain_text": text, "html": html, "archive_html": html}
        if campaign.type == "variate":
            row["variate_contents"] = [{"content_label": "A", "plain_text": text, "html": html}]
        if campaign.number == 1:
            row["html"] = None
        return Table.of([row])

    def campaign_checklists(self, args: Mapping[str, str]) -> Table:
        """/campaigns/{campaign_id}/send-checklist: one row; campaigns that were sent have none."""
        campaign = self.campaign(args)
        if campaign.status not in ("save", "paused", "schedule"):
            raise KeyError(campaign.id)
        items = [{"type": "warning", "id": 501, "heading": "Subject", "details": "You have no subject line ✉"}]
        return Table.of([{"is_ready": campaign.number % 2 == 0, "items": items}])

    def campaign_feedback(self, args: Mapping[str, str]) -> Table:
        """/campaigns/{campaign_id}/feedback"""
        campaign = self.campaign(args)
        return Table.of(
            [{"feedback_id": campaign.number * 10 + place, "parent_id": 0, "block_id": place, "source": "web",
              "message": WORDS[(campaign.number + place) % len(WORDS)], "created_by": "Ana", "is_complete": False,
              "created_at": stamp(campaign.created + place), "updated_at": "", "campaign_id": campaign.id}
             for place in range(campaign.number % 3)]
        )  # fmt: skip

    def campaign_folders(self, args: Mapping[str, str]) -> Table:
        """/campaign-folders"""
        names = ("Newsletters", "Ünïcode / slash", "")
        return Table.of(
            [{"id": folder, "name": names[place], "count": place} for place, folder in enumerate(self.folder_ids)]
        )  # fmt: skip

    # --- Automations ---

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
            "recipients": {"list_id": audience.id, "list_is_active": True, "list_name": audience.name, "store_id": "",
                           "segment_opts": {"match": "any", "saved_segment_id": 7, "conditions": [{"field": "aim"}]}},
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

    def add_automation_reports(self) -> None:
        """Let e-mails of automations have reports, which no list of reports shows. (Reference 3.7, unconfirmed)"""
        workflows = self.automations({})
        for number, workflow in enumerate(map(workflows.row, range(workflows.count))):
            emails = self.automation_emails({"workflow_id": workflow["id"]})
            for email in map(emails.row, range(emails.count)):
                audience = self.live[number % 2]
                self.campaigns_by_id[email["id"]] = Campaign(
                    number=100_000 + email["web_id"], id=email["id"], type="automation", status="sent",
                    created=START - 300 * DAY, sent=START - 290 * DAY, audience=audience, first=0,
                    count=min(60, audience.size), salt=salt(self.seed, "events", email["id"]),
                )  # fmt: skip

    def automation_email_queue(self, args: Mapping[str, str]) -> Table:
        """/automations/{workflow_id}/emails/{email_id}/queue"""
        emails = self.automation_emails(args)
        email = next((row for row in map(emails.row, range(emails.count)) if row["id"] == args["email_id"]), None)
        if email is None:
            raise KeyError(args["email_id"])
        rows = []
        for number in range(email["position"] * 2):
            address, hashed, _ = self.person(self.live[0], number)
            rows.append(
                {"id": hashed, "workflow_id": args["workflow_id"], "email_id": email["id"],
                 "list_id": email["recipients"]["list_id"], "email_address": address,
                 "next_send": stamp(self.now + HOUR)}
            )  # fmt: skip
        return Table.of(rows)

    def automation_removed_subscribers(self, args: Mapping[str, str]) -> Table:
        """/automations/{workflow_id}/removed-subscribers"""
        emails = self.automation_emails(args)
        rows = []
        for number in range(3 + self.day):
            address, hashed, _ = self.person(self.live[0], number)
            rows.append(
                {"id": hashed, "workflow_id": args["workflow_id"], "list_id": emails.row(0)["recipients"]["list_id"],
                 "email_address": address}
            )  # fmt: skip
        return Table.of(rows)

    # --- Other channels ---

    def sms_campaigns(self, args: Mapping[str, str]) -> Table:
        """/sms-campaigns"""
        return Table.of(
            [{"id": short_id(self.seed, "sms", n), "web_id": str(5000 + n), "name": f"SMS {n} ☎", "status": "sent",
              "channel": ("sms", "whatsapp")[n % 2], "list_id": 360_000, "recipient_count": 12, "is_send_now": True,
              "create_time": stamp(START - (40 - n) * DAY), "send_time": "" if n == 3 else stamp(START - 30 * DAY),
              "updated_at": stamp(self.now - HOUR), "expire_time": "", "folder_id": "", "segments": [n],
              "excluded_segments": []}
             for n in range(4 + self.day)]
        )  # fmt: skip

    def sms_campaign_content(self, args: Mapping[str, str]) -> Table:
        """/sms-campaigns/{sms_campaign_id}/content: one row; whatever the id, an empty one (users, 2026)."""
        place = list(self.sms_campaigns({}).column("id")).index(args["sms_campaign_id"])
        return Table.of(
            [{"message_body": f"No {place} ☎ https://shop.example/s", "estimated_segments": 1 + place % 2,
              "merge_fields": ["FNAME"], "media": [{"url": "https://mcusercontent.example/1.png"}] if place else [],
              "source": {"type": "editor", "id": ""}}]
        )  # fmt: skip
