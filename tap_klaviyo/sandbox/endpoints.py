"""The collections that the sandbox serves, as `facts.json` has them; beside it, which relations tell their linkage
unasked, and which collections hang under which others.
"""

from __future__ import annotations

from collections.abc import Mapping

from .query import Endpoint
from .truth import FACTS

_ALWAYS: Mapping[str, tuple[str, ...]] = {
    "campaigns": ("campaign-messages",),
    "events": ("profile", "metric"),
    "campaign_messages": ("campaign", "template", "image"),
    "flow_messages": ("flow-action", "template"),
    "messages_of_campaigns": ("campaign",),
    "tags": ("tag-group",),
    "coupon_codes": ("coupon", "profile"),
    "form_versions": ("form",),
    "reviews": ("item", "events"),
    "custom_metrics": ("metrics",),
}
_PARENTS = {
    "list_profiles": ("lists", "list_id"),
    "segment_profiles": ("segments", "segment_id"),
    "campaign_messages": ("campaigns", "campaign_id"),
    "flow_messages": ("flow_actions", "flow_action_id"),
    "catalog_category_items": ("catalog_categories", "category_id"),
    "form_versions": ("forms", "form_id"),
    "metric_properties": ("metrics", "metric_id"),
    "object_records": ("object_types", "object_type_id"),
}
"""Stream → the one whose rows it hangs under, and how its path names their id."""
BY_STREAM = {
    stream: Endpoint(stream, facts, _ALWAYS.get(stream, ()), _PARENTS.get(stream))
    for stream, facts in FACTS["streams"].items()
}
ENDPOINTS = tuple(BY_STREAM.values())
