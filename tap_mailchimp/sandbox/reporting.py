"""Results of what is no campaign in the sandbox: landing pages, surveys, ads."""

from __future__ import annotations

from collections.abc import Mapping

from shared.sandbox import Row, Table

from .content import Content
from .people import DAY, HOUR, START, WORDS, short_id, stamp


class Results(Content):
    """Methods named after streams give the table of one parent's rows."""

    def reporting_landing_pages(self, args: Mapping[str, str]) -> Table:
        """/reporting/landing-pages"""
        rows = []
        for number in range(0, 8, 2):
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

    # --- Surveys ---

    def reporting_surveys(self, args: Mapping[str, str]) -> Table:
        """/reporting/surveys"""
        return Table.of(
            [{"id": short_id(self.seed, "survey", number), "web_id": 990 + number, "list_id": self.live[0].id,
              "list_name": self.live[0].name, "title": "How was it? ½", "url": f"https://survey.example/{number}",
              "status": "published", "published_at": stamp(START - 20 * DAY), "created_at": stamp(START - 21 * DAY),
              "updated_at": stamp(self.now - HOUR), "total_responses": self._responses(number)}
             for number in range(3)]
        )  # fmt: skip

    def _responses(self, number: int) -> int:
        return (115, 0, 3)[number] + 2 * self.day

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
                   "full_name": "Ana Ruíz", "consents_to_one_to_one_messaging": True, "avatar_url": "",
                   "phone": "+15550199" if number % 3 == 0 else ""}  # fmt: skip
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
            lambda n: {"id": f"{place}{n:05}", "response_id": str(70_000 + n), "value": WORDS[n % len(WORDS)],
                       **self._respondent(n)},
        )  # fmt: skip
