"""What the tap must make of the sandbox's rows, worked out without any of the tap's code.

The field lists are the reference's own: int, str, bool, ts (unix seconds), json (any object), text (json as text). They
and the tap's schemas are written twice on purpose: a test that compares both finds the slips of either.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

from shared.sandbox import Row

PERSON = "{cio_id:str id:str email:str}"
ACTION = """id:int parent_action_id:int deduplicate_id:str name:str layout:str type:str created:ts updated:ts body:str
    body_amp:str body_plain:str body_json:str language:str editor:str sending_state:str from:str from_id:int
    reply_to:str reply_to_id:int preprocessor:str recipient:str recipient_environment_id:int subject:str
    preheader_text:str bcc:str cc:str fake_bcc:bool headers:text image_url:str url:str method:str request_method:str
    send_to_unsubscribed:bool sender_identity_id:int tracked:bool multi_language_branch_action_id:int"""
USED = "campaigns:[int] sent_newsletters:[int] draft_newsletters:[int]"
STEPS = "actions:[{id:int type:str}] msg_templates:[{id:int type:str}]"
FIELDS = {
    "broadcasts": f"""id:int deduplicate_id:str name:str description:str type:str state:str active:bool created:ts
        updated:ts first_started:ts created_by:str tags:[str] {STEPS} msg_template_ids:[json] filter_segment_ids:[int]
        trigger_segment_ids:[int] event_name:str event_type:str""",
    "campaigns": f"""id:int deduplicate_id:str name:str description:str type:str state:str active:bool created:ts
        updated:ts first_started:ts created_by:str tags:[str] {STEPS} filter_segment_ids:[int]
        trigger_segment_ids:[int] event_name:str event_type:str date_attribute:str frequency:str start_hour:int
        start_minutes:int timezone:str use_customer_timezone:bool audience:{{type:int person_filters:text
        relationship_filters:text}} object_type_id:int object_attribute_triggers:text
        relationship_attribute_triggers:text filter_object_attributes:str filter_relationship_attributes:str
        webhook_id:int scheduled_start:ts scheduled_start_should_backfill:bool scheduled_stop:ts
        scheduled_stop_should_sunset:bool""",
    "newsletters": """id:int deduplicate_id:str name:str type:str created:ts updated:ts sent_at:ts content_ids:[int]
        recipient_segment_ids:[int] subscription_topic_id:int tags:[str] subject:str msg_template_ids:[int]
        expires_after:int recipient_file_status:str recipient_file_error:str""",
    "transactional_messages": """id:int name:str description:str trigger_name:str send_to_unsubscribed:bool
        link_tracking:bool open_tracking:bool hide_message_body:bool queue_drafts:bool created_at:ts updated_at:ts""",
    "segments": """id:int deduplicate_id:str name:str description:str state:str progress:int type:str tags:[str]
        conditions:json created_at:ts updated_at:ts""",
    "exports": """id:int deduplicate_id:str user_id:int user_email:str total:int type:str failed:bool description:str
        downloads:int created_at:ts updated_at:ts status:str""",
    "snippets": "name:str value:str updated_at:ts",
    "collections": "id:int name:str schema:[str] rows:int bytes:int created_at:ts updated_at:ts",
    "sender_identities": """id:int deduplicate_id:str name:str email:str address:str phone:str template_type:str
        auto_generated:bool hidden:bool""",
    "reporting_webhooks": """id:int name:str type:str endpoint:str events:[str] disabled:bool full_resolution:bool
        with_content:bool""",
    "ip_addresses": "id:str ip_address:str",
    "topics": "id:int identifier:str name:str description:str subscribed_by_default:bool",
    "workspaces": """id:int name:str messages_sent:int billable_messages_sent:int people:int object_types:int
        objects:int""",
    "types": "id:str name:str singular_name:str slug:str singular_slug:str icon:str enabled:bool",
    "eps_suppression": """id:str suppression_type:str domain:str category:str email:str created:ts reason:str
        status:str""",
    "customers": f"""id:str cio_id:str email:str identifiers:{PERSON} attributes:json timestamps:json unsubscribed:bool
        devices:[{{id:str platform:str last_used:ts attributes:json}}]""",
    "messages": f"""id:str deduplicate_id:str type:str created:ts recipient:str subject:str customer_id:str
        customer_identifiers:{PERSON} metrics:json failure_message:str campaign_id:int broadcast_id:int
        newsletter_id:int action_id:int parent_action_id:int content_id:int transactional_message_id:int
        msg_template_id:int message_template_id:int trigger_event_id:str forgotten:bool tracked_responses:json
        draft:bool""",
    "activities": f"""id:str type:str timestamp:ts name:str url:str customer_id:str customer_identifiers:{PERSON}
        delivery_id:str delivery_type:str data:json""",
    "campaign_actions": f"campaign_id:int {ACTION}",
    "broadcast_actions": f"broadcast_id:int {ACTION}",
    "newsletter_contents": f"newsletter_id:int {ACTION}",
    "transactional_contents": f"transactional_id:int {ACTION}",
    "newsletter_test_groups": "newsletter_id:int id:int name:str label:str winner:bool content_ids:[int]",
    "broadcast_triggers": "id:int broadcast_id:int created_at:ts processed_at:ts",
    "segment_members": "segment_id:int cio_id:str id:str email:str",
    "segment_customer_counts": "segment_id:int count:int",
    "segment_usage": f"segment_id:int {USED}",
    "sender_usage": f"sender_id:int {USED}",
    "collection_contents": "collection_id:int row:int data:json",
    "custom_objects": """object_type_id:str cio_object_id:str object_id:str attributes:json timestamps:json
        object_type_disabled:bool""",
    "custom_object_relationships": """object_type_id:str cio_object_id:str cio_id:str id:str email:str
        object_type_disabled:bool""",
    "subscription_channels": "id:int name:str description:str type:str subscribed_by_default:bool",
    "optouts": "cio_id:str customer_id:str optouts:[{channel:str from:str}]",
}
_COUNTERS = """attempted bounced clicked converted created deferred delivered drafted dropped failed human_clicked
    human_opened link_untracked machine_clicked open_untracked opened prefetch_opened replied sent spammed suppressed
    topic_unsubscribed tracking_consent_denied tracking_consent_granted undeliverable unsubscribed untracked
    responses_2xx responses_3xx responses_4xx responses_5xx"""


def _counted(names: str) -> str:
    return " ".join(["resolution:str period_start:instant", *(f"{name}:int" for name in names.split())])


_COUNTED = _counted(_COUNTERS)
_CLICKS = "link_id:int href:str resolution:str period_start:instant clicked:int human_clicked:int machine_clicked:int"
_JOURNEY = "started activated exited_early finished converted never_activated messaged"
FIELDS |= {
    f"{name}_metrics": " ".join([*(f"{key}:int" for key in keys), _COUNTED])
    for name, keys in {
        "campaign": ("campaign_id",),
        "campaign_action": ("campaign_id", "action_id"),
        "broadcast": ("broadcast_id",),
        "broadcast_action": ("broadcast_id", "action_id"),
        "newsletter": ("newsletter_id",),
        "newsletter_content": ("newsletter_id", "content_id"),
        "transactional": ("transactional_id",),
    }.items()
}
FIELDS |= {
    f"{name}_link_metrics": f"{name}_id:int {_CLICKS}"
    for name in ("campaign", "broadcast", "newsletter", "transactional")
}
FIELDS["campaign_journey_metrics"] = f"campaign_id:int {_counted(_JOURNEY)}"
Kind = Any
_TOKEN = re.compile(r"[A-Za-z_0-9]+|[{}\[\]:]")


def _kind(tokens: list[str]) -> Kind:
    token = tokens.pop(0)
    if token == "[":
        inner = _kind(tokens)
        tokens.pop(0)
        return [inner]
    if token != "{":
        return token
    fields: dict[str, Kind] = {}
    while tokens[0] != "}":
        name = tokens.pop(0)
        tokens.pop(0)
        fields[name] = _kind(tokens)
    tokens.pop(0)
    return fields


KINDS: dict[str, dict[str, Kind]] = {name: _kind(_TOKEN.findall(f"{{{text}}}")) for name, text in FIELDS.items()}


def record(stream: str, row: Row) -> Row:
    """The record of a row: the stream's fields, null where the row has none, and what is unknown in `_extra`."""
    kinds = KINDS[stream]
    made: Row = {name: _fit(row.get(name), kind) for name, kind in kinds.items()}
    if extra := {name: _clean(value) for name, value in row.items() if name not in kinds}:
        made["_extra"] = extra
    return made


def _fit(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if isinstance(kind, list):
        return [_fit(part, kind[0]) for part in value]
    if isinstance(kind, dict):
        return {name: _fit(part, kind[name]) for name, part in value.items()}
    if kind == "ts":
        return instant(value) if value else None
    if kind == "int":
        return int(value)
    if kind in ("text", "str") and not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return _clean(value)


def instant(seconds: int) -> str:
    """Unix seconds as the tap writes them."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def _clean(value: Any) -> Any:
    """Without the character that databases refuse."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_clean(name): _clean(part) for name, part in value.items()}
    return [_clean(part) for part in value] if isinstance(value, list) else value
