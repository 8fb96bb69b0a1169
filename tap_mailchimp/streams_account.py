"""Streams of the account at large that few need: folders, files, surveys, conversations, promotions. Off by default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from shared.pagination import Row
from shared.streams import Parent, Record, Unit

from .parts import IN_LIST, IN_STORE, as_text, filled, numbered, oldest_first, page, since, stream, without

IN_SURVEY = Parent(stream="reporting_surveys", keys={"survey_id": "id"})


def whole_row(row: Row) -> str:
    """News have no id: only what is equal in everything is a repeat."""
    return json.dumps(row, sort_keys=True)


def news(rows: Sequence[Row], unit: Unit) -> Iterator[Record]:
    """News with a number that tells those of one second, type and title apart."""
    named = list(filled("type", "title")(rows, unit))
    return numbered("_index", "update_time", "type", "title")(named, unit)


ACCOUNT_STREAMS = (
    stream(
        name="list_webhooks",
        description="Webhooks of each audience",
        path="/lists/{list_id}/webhooks",
        records="webhooks",
        sparse=without("webhooks"),
        parent=IN_LIST,
        key_properties=("list_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per list",
    ),
    stream(
        name="list_signup_forms",
        description="Signup forms of each audience",
        path="/lists/{list_id}/signup-forms",
        records="signup_forms",
        sparse=without("signup_forms"),
        parent=IN_LIST,
        key_properties=("list_id", "signup_form_url"),
        transform=filled("signup_form_url"),
        selected=False,
        cost="1 request per list",
    ),
    stream(
        name="template_folders",
        description="Folders of templates",
        path="/template-folders",
        records="folders",
        sparse=without("folders"),
        selected=False,
    ),
    # Promotions
    stream(
        name="ecommerce_promo_rules",
        description="Promotions of each shop",
        path="/ecommerce/stores/{store_id}/promo-rules",
        records="promo_rules",
        sparse=without("promo_rules"),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per shop",
    ),
    stream(
        name="ecommerce_promo_codes",
        description="Codes of each promotion",
        path="/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes",
        records="promo_codes",
        sparse=without("promo_codes"),
        parent=Parent(stream="ecommerce_promo_rules", keys={"store_id": "store_id", "promo_rule_id": "id"}),
        key_properties=("store_id", "promo_rule_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per promotion, and per 1000 codes of it",
    ),
    # Surveys
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
    # Other channels
    stream(
        name="sms_campaigns",
        description="Campaigns by SMS and WhatsApp",
        path="/sms-campaigns",
        records="sms_campaigns",
        sparse=without("sms_campaigns"),
        optional=True,
        selected=False,
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
    stream(
        name="conversations",
        description="Threads of the old inbox",
        path="/conversations",
        records="conversations",
        sparse=without("conversations"),
        optional=True,
        selected=False,
    ),
    stream(
        name="conversation_messages",
        description="Messages of the old inbox",
        path="/conversations/{conversation_id}/messages",
        records="conversation_messages",
        sparse=without("conversation_messages"),
        parent=Parent(stream="conversations", keys={"conversation_id": "id"}),
        key_properties=("conversation_id", "id"),
        identity=("id",),
        transform=as_text("list_id"),  # the contract says integer, ids of lists are text
        selected=False,
        cost="1 request per conversation",
    ),
    # Files and sites
    stream(
        name="file_manager_files",
        description="Images and other files",
        path="/file-manager/files",
        records="files",
        params=page(**oldest_first("added_date")),
        sparse=without("files"),
        replication_key="created_at",
        since=since("since_created_at"),
        selected=False,
    ),
    stream(
        name="file_manager_folders",
        description="Folders of files",
        path="/file-manager/folders",
        records="folders",
        sparse=without("folders"),
        selected=False,
    ),
    stream(
        name="verified_domains",
        description="Domains that e-mail may come from",
        path="/verified-domains",
        records="domains",
        sparse=without("domains"),
        key_properties=("domain",),
        selected=False,
    ),
    stream(
        name="connected_sites",
        description="Web sites with Mailchimp's script on them",
        path="/connected-sites",
        records="sites",
        sparse=without("sites"),
        key_properties=("foreign_id",),
        selected=False,
    ),
    # News
    stream(
        name="chimp_chatter",
        description="What happened in the account lately: new subscribers, imports, profile updates",
        path="/activity-feed/chimp-chatter",
        records="chimp_chatter",
        sparse=without("chimp_chatter"),
        key_properties=("update_time", "type", "title", "_index"),
        identity=whole_row,
        transform=news,
        selected=False,
    ),
)
