"""The sandbox's rows and endpoints of the streams that few need: what is no audience, no campaign's core, no order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from shared.sandbox import Param, Row, Table, mix, salt

from .sandbox_audiences import DAY, HOUR, START, STATUSES, short_id, stamp
from .sandbox_campaigns import Campaign
from .sandbox_data import Account
from .sandbox_pages import CURSOR, UNPAGED, Endpoint, Filter, endpoint, equal, in_list, in_report, in_store, times

_WORDS = ("great", "“quoted”, with comma", "ünïcode 🎉", "nul \x00 inside", "")


class WholeAccount(Account):
    """The account with everything in it. Methods named after streams give the table of one parent's rows."""

    # --- Below campaigns ---

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
            count = {"rss": 3, "variate": 2}.get(campaign.type, 0)
            whole = self._report(campaign)
            return Table.of([{**whole, "id": short_id(campaign.id, "part", place)} for place in range(count)])

        return self._of_campaign("parts", args, make)

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

    def campaign_feedback(self, args: Mapping[str, str]) -> Table:
        """/campaigns/{campaign_id}/feedback"""
        campaign = self.campaign(args)
        return Table.of(
            [{"feedback_id": campaign.number * 10 + place, "parent_id": 0, "block_id": place, "source": "web",
              "message": _WORDS[(campaign.number + place) % len(_WORDS)], "created_by": "Ana", "is_complete": False,
              "created_at": stamp(campaign.created + place), "updated_at": "", "campaign_id": campaign.id}
             for place in range(campaign.number % 3)]
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

    # --- Below lists and shops ---

    def list_webhooks(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/webhooks"""
        audience = self.audience(args)
        events = {"subscribe": True, "unsubscribe": False, "profile": True, "cleaned": False, "upemail": True,
                  "campaign": False}  # fmt: skip
        return Table.of(
            [{"id": short_id(audience.id, "hook", place), "list_id": audience.id, "events": events,
              "url": "https://hooks.example/?a=1&b=ü", "sources": {"user": True, "admin": False, "api": place == 0}}
             for place in range(audience.number % 3)]
        )  # fmt: skip

    def list_signup_forms(self, args: Mapping[str, str]) -> Table:
        """/lists/{list_id}/signup-forms"""
        audience = self.audience(args)
        # Awkward: a form without an address of its own.
        url = "" if audience.number == 2 else f"https://acme.us6.list-manage.example/subscribe?id={audience.id}"
        return Table.of(
            [{"list_id": audience.id, "signup_form_url": url, "header": {"text": audience.name, "image_width": "0"},
              "contents": [{"section": "signup_message", "value": "Hi!"}],
              "styles": [{"selector": "page", "options": [{"property": "color", "value": "#fff"}]}]}]
        )  # fmt: skip

    def ecommerce_promo_rules(self, args: Mapping[str, str]) -> Table:
        """/ecommerce/stores/{store_id}/promo-rules"""
        _, store = self._store(args)
        return Table.of(
            [{"id": f"rule {number}/%", "title": "Spring ☀", "description": "10 % off", "type": "percentage",
              "starts_at": stamp(START - 30 * DAY), "ends_at": "" if number else stamp(START + 30 * DAY),
              "amount": 0.1, "target": "total", "enabled": number == 0,
              "created_at_foreign": stamp(START - 40 * DAY), "updated_at_foreign": stamp(START - 39 * DAY)}
             for number in range(2 - store % 2)]
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

    # --- Members ---

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

    # --- Folders, files and sites ---

    def template_folders(self, args: Mapping[str, str]) -> Table:
        """/template-folders"""
        return Table.of([{"id": short_id(self.seed, "folder of templates", n), "name": _WORDS[n], "count": n}
                         for n in range(2)])  # fmt: skip

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
        return Table.of([{"id": n, "name": _WORDS[n], "file_count": n * 10 + self.day, "created_by": "Ana",
                          "created_at": stamp(START - 400 * DAY)} for n in range(3)])  # fmt: skip

    def verified_domains(self, args: Mapping[str, str]) -> Table:
        """/verified-domains"""
        return Table.of([{"domain": name, "verified": n == 0, "authenticated": False, "verification_sent": "",
                          "verification_email": f"a@{name}"}
                         for n, name in enumerate(("example.com", "bücher.example"))])  # fmt: skip

    def connected_sites(self, args: Mapping[str, str]) -> Table:
        """/connected-sites"""
        return Table.of([{"foreign_id": f"site{n}", "store_id": store["id"], "platform": "", "domain": store["domain"],
                          "site_script": store["connected_site"]["site_script"], "created_at": store["created_at"],
                          "updated_at": store["updated_at"]} for n, store in enumerate(self.stores)])  # fmt: skip

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

    # --- Surveys ---

    def reporting_surveys(self, args: Mapping[str, str]) -> Table:
        """/reporting/surveys"""
        return Table.of(
            [{"id": short_id(self.seed, "survey", number), "web_id": 990 + number, "list_id": self.live[0].id,
              "list_name": self.live[0].name, "title": "How was it? ½", "url": f"https://survey.example/{number}",
              "status": "published", "published_at": stamp(START - 20 * DAY), "created_at": stamp(START - 21 * DAY),
              "updated_at": stamp(self.now - HOUR), "total_responses": self._responses(number)}
             for number in range(2)]
        )  # fmt: skip

    def _responses(self, number: int) -> int:
        return (115, 0)[number] + 2 * self.day

    def _survey(self, args: Mapping[str, str]) -> int:
        return list(self.reporting_surveys({}).column("id")).index(args["survey_id"])

    def reporting_survey_questions(self, args: Mapping[str, str]) -> Table:
        """/reporting/surveys/{survey_id}/questions"""
        number = self._survey(args)
        kinds = ("pickOne", "range", "text")
        return Table.of(
            [{"id": str(number * 10 + place), "survey_id": args["survey_id"], "query": f"Question {place}?",
              "type": kind, "total_responses": self._responses(number), "is_required": place == 0,
              "has_other": False, "other_label": "", "options": [{"id": "1", "label": "yes ✓", "count": 3}],
              "average_rating": 4.5 if kind == "range" else None,
              "contact_counts": {"new": 1, "known": 2, "unknown": 3}}
             for place, kind in enumerate(kinds)]
        )  # fmt: skip

    def _respondent(self, number: int) -> Row:
        address, hashed, who = self.person(self.live[0], number)
        contact = {"email_id": hashed, "contact_id": f"{who:016x}", "status": "Subscribed", "email": address,
                   "full_name": "Ana Ruíz", "consents_to_one_to_one_messaging": True, "avatar_url": ""}  # fmt: skip
        return {"contact": contact if number % 5 else None, "is_new_contact": number % 9 == 0,
                "submitted_at": stamp(START - 15 * DAY + number * 60)}  # fmt: skip

    def reporting_survey_responses(self, args: Mapping[str, str]) -> Table:
        """/reporting/surveys/{survey_id}/responses: paging is not in the contract, all come."""
        return Table(
            self._responses(self._survey(args)), lambda n: {"response_id": str(70_000 + n), **self._respondent(n)}
        )

    def reporting_survey_answers(self, args: Mapping[str, str]) -> Table:
        """/reporting/surveys/{survey_id}/questions/{question_id}/answers"""
        place = list(self.reporting_survey_questions(args).column("id")).index(args["question_id"])
        return Table(
            self._responses(self._survey(args)),
            lambda n: {"id": f"{place}{n:05}", "response_id": str(70_000 + n), "value": _WORDS[n % len(_WORDS)],
                       **self._respondent(n)},
        )  # fmt: skip

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

    def facebook_ads(self, args: Mapping[str, str]) -> Table:
        """/reporting/facebook-ads"""
        return Table.of(
            [{"id": short_id(self.seed, "ad", n), "web_id": 6000 + n, "name": f"Ad {n}", "type": "facebook",
              "status": "completed", "create_time": stamp(START - (53 - n) * DAY),
              "start_time": stamp(START - 49 * DAY),
              "end_time": "", "published_time": stamp(START - 49 * DAY), "updated_at": stamp(START - 48 * DAY),
              "paused_at": "", "canceled_at": None, "budget": {"duration": 7, "total_amount": 10.5},
              "audience": {"type": "Custom Audience"}, "recipients": {}, "report_summary": {"clicks": self.day}}
             for n in range(3)]
        )  # fmt: skip

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
                "from_email": "bo@example.com", "subject": "Re: No 1", "message": _WORDS[place], "read": place > 0,
                "timestamp": stamp(START - 10 * DAY + number * HOUR + place)}  # fmt: skip

    def conversation_messages(self, args: Mapping[str, str]) -> Table:
        """/conversations/{conversation_id}/messages"""
        number = list(self.conversations({}).column("id")).index(args["conversation_id"])
        return Table.of([self._message(number, place) for place in range(number + 1)])


of_member = partial(Endpoint, parent=("list_members", {"email_id": "id", "member_last_changed": "last_changed"}))

FURTHER_ENDPOINTS = (
    of_member(stream="member_tags", path="/lists/{list_id}/members/{email_id}/tags", key="tags"),
    of_member(
        stream="member_notes",
        path="/lists/{list_id}/members/{email_id}/notes",
        key="notes",
        envelope=("list_id", "email_id"),
        sort={"created_at": "created_at", "updated_at": "updated_at", "note_id": "id"},
    ),
    Endpoint(
        stream="audience_contacts",
        path="/audiences/{audience_id}/contacts",
        key="contacts",
        parent=("lists", {"audience_id": "id"}),
        filters={
            f"{name}_{edge}": Filter(Param("date-time"), column, test)
            for name, column in (("created", "created_at"), ("updated", "last_updated_at"))
            for edge, test in (("since", ">"), ("before", "<="))
        },
        sort={"updated_at": "last_updated_at", "created_at": "created_at"},
        paged=CURSOR,
    ),
    Endpoint(
        stream="reports_click_details_members",
        path="/reports/{campaign_id}/click-details/{url_id}/members",
        key="members",
        parent=("reports_click_details", {"url_id": "id"}),
        envelope=("campaign_id",),
    ),
    in_report(stream="reports_advice", path="/reports/{campaign_id}/advice", key="advice", paged=UNPAGED),
    in_report(stream="reports_eepurl", path="/reports/{campaign_id}/eepurl", key=""),
    in_report(stream="reports_sub_reports", path="/reports/{campaign_id}/sub-reports", key="reports", paged=UNPAGED),
    Endpoint(stream="campaign_content", path="/campaigns/{campaign_id}/content", key="",
             parent=("campaigns", {"campaign_id": "id"})),
    Endpoint(stream="campaign_feedback", path="/campaigns/{campaign_id}/feedback", key="feedback",
             parent=("campaigns", {"campaign_id": "id"}), envelope=("campaign_id",), paged=UNPAGED),
    Endpoint(stream="automation_email_queue", path="/automations/{workflow_id}/emails/{email_id}/queue", key="queue",
             parent=("automation_emails", {"email_id": "id"}), envelope=("workflow_id", "email_id"), paged=UNPAGED),
    Endpoint(stream="automation_removed_subscribers", path="/automations/{workflow_id}/removed-subscribers",
             key="subscribers", parent=("automations", {"workflow_id": "id"}), envelope=("workflow_id",),
             paged=UNPAGED),
    in_list(stream="list_webhooks", path="/lists/{list_id}/webhooks", key="webhooks", paged=UNPAGED),
    in_list(stream="list_signup_forms", path="/lists/{list_id}/signup-forms", key="signup_forms", paged=UNPAGED),
    endpoint(stream="template_folders", path="/template-folders", key="folders"),
    in_store(stream="ecommerce_promo_rules", path="/ecommerce/stores/{store_id}/promo-rules", key="promo_rules"),
    Endpoint(stream="ecommerce_promo_codes",
             path="/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes", key="promo_codes",
             parent=("ecommerce_promo_rules", {"promo_rule_id": "id"}), envelope=("store_id",)),
    endpoint(stream="reporting_surveys", path="/reporting/surveys", key="surveys"),
    Endpoint(stream="reporting_survey_questions", path="/reporting/surveys/{survey_id}/questions", key="questions",
             parent=("reporting_surveys", {"survey_id": "id"}), paged=UNPAGED),
    Endpoint(stream="reporting_survey_responses", path="/reporting/surveys/{survey_id}/responses", key="responses",
             parent=("reporting_surveys", {"survey_id": "id"}), paged=UNPAGED),
    Endpoint(stream="reporting_survey_answers",
             path="/reporting/surveys/{survey_id}/questions/{question_id}/answers", key="answers",
             parent=("reporting_survey_questions", {"question_id": "id"}), paged=UNPAGED),
    endpoint(stream="sms_campaigns", path="/sms-campaigns", key="sms_campaigns"),
    endpoint(stream="facebook_ads", path="/reporting/facebook-ads", key="facebook_ads",
             sort={"created_at": "create_time", "updated_at": "updated_at", "end_time": "end_time"}),
    endpoint(stream="conversations", path="/conversations", key="conversations",
             filters=equal("list_id", "campaign_id")),
    Endpoint(stream="conversation_messages", path="/conversations/{conversation_id}/messages",
             key="conversation_messages", parent=("conversations", {"conversation_id": "id"}),
             envelope=("conversation_id",), filters=times("timestamp"),
             paged=UNPAGED),
    endpoint(stream="file_manager_files", path="/file-manager/files", key="files",
             filters={**times("created_at"), **equal("type", "created_by")},
             sort={"added_date": "created_at", "name": "name", "size": "size"}),
    endpoint(stream="file_manager_folders", path="/file-manager/folders", key="folders",
             filters={**times("created_at"), **equal("created_by")}),
    endpoint(stream="verified_domains", path="/verified-domains", key="domains", paged=UNPAGED),
    endpoint(stream="chimp_chatter", path="/activity-feed/chimp-chatter", key="chimp_chatter"),
    endpoint(stream="connected_sites", path="/connected-sites", key="sites"),
)  # fmt: skip
