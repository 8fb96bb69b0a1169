"""Results of what is no campaign: landing pages, surveys, ads. Everything below `/reporting`."""

from __future__ import annotations

from shared.streams import Parent

from ..defaults import oldest_first, page, stream, without

IN_SURVEY = Parent(stream="reporting_surveys", keys={"survey_id": "id"})

REPORTING_STREAMS = (
    stream(
        name="reporting_landing_pages",
        description="Results of published landing pages",
        path="/reporting/landing-pages",
        records="landing_pages",
        sparse=without("landing_pages"),
    ),
    stream(
        name="reporting_surveys",
        description="Results of published surveys",
        path="/reporting/surveys",
        records="surveys",
        sparse=without("surveys"),
        selected=False,
    ),
    stream(
        name="reporting_survey_questions",
        description="Questions of each survey, with the sums of their answers",
        path="/reporting/surveys/{survey_id}/questions",
        records="questions",
        sparse=without("questions", keep=("survey_id",)),
        parent=IN_SURVEY,
        key_properties=("survey_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per survey",
    ),
    stream(
        name="reporting_survey_responses",
        description="Who responded to each survey, and when",
        path="/reporting/surveys/{survey_id}/responses",
        records="responses",
        sparse=without("responses"),
        parent=IN_SURVEY,
        key_properties=("survey_id", "response_id"),
        identity=("response_id",),
        selected=False,
        cost="1 request per survey, and per 1000 responses to it",
    ),
    stream(
        name="reporting_survey_answers",
        description="What was answered to each question of a survey",
        path="/reporting/surveys/{survey_id}/questions/{question_id}/answers",
        records="answers",
        sparse=without("answers"),
        parent=Parent(stream="reporting_survey_questions", keys={"survey_id": "survey_id", "question_id": "id"}),
        key_properties=("survey_id", "question_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per question, and per 1000 answers to it",
    ),
    stream(
        name="facebook_ads",
        description="Facebook and Instagram ads",
        path="/reporting/facebook-ads",
        records="facebook_ads",
        params=page(**oldest_first("created_at")),
        sparse=without("facebook_ads"),
        selected=False,
    ),
)
