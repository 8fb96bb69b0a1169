"""Invented attributes for the resources that have nothing odd about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.sandbox import Row, mix
from shared.sandbox.kinds import Kind

from .truth import FACTS, KINDS

KINDS_OF_ROWS = {
    "campaigns": ("campaign", 24),
    "lists": ("list", 6),
    "segments": ("segment", 5),
    "flows": ("flow", 5),
    "flow_messages": ("flow-message", 1),
    "templates": ("template", 23),
    "tags": ("tag", 5),
    "tag_groups": ("tag-group", 2),
    "accounts": ("account", 0),
    "catalog_items": ("catalog-item", 60),
    "catalog_variants": ("catalog-variant", 110),
    "catalog_categories": ("catalog-category", 3),
    "coupons": ("coupon", 3),
    "coupon_codes": ("coupon-code", 130),
    "forms": ("form", 4),
    "form_versions": ("form-version", 2),
    "images": ("image", 30),
    "reviews": ("review", 45),
    "universal_content": ("template-universal-content", 7),
    "push_tokens": ("push-token", 25),
    "custom_metrics": ("custom-metric", 2),
    "metric_properties": ("metric-property", 3),
    "web_feeds": ("web-feed", 4),
    "webhooks": ("webhook", 2),
    "tracking_settings": ("tracking-setting", 0),
    "profile_import_jobs": ("profile-bulk-import-job", 9),
    "data_sources": ("data-source", 2),
    "object_types": ("object-type", 2),
    "object_records": ("object-record", 12),
    "billing_usage": ("billing-usage", 4),
    "text_messaging_senders": ("text-messaging-sender", 12),
    "brand_colors": ("brand-color", 3),
    "brand_logos": ("brand-logo", 3),
    "brand_buttons": ("brand-button", 3),
    "brand_social_groups": ("brand-social-group", 3),
}
"""Stream → the type of its resources, and how many there are at scale 1 (0: one, whatever the scale)."""

_WORDS = ("Été ☀", "plain", "", "with \0 nul", "🌻 flower", "O'Brien & Søn", "a" * 200, "2026")
CHOICES: Mapping[str, Sequence[Any]] = FACTS["choices"]
"""Attributes of which the specification says what they may be."""
NEVER_NULL = frozenset(FACTS["never_null"])
"""Attributes that it says are always there."""

_NOT_ATTRIBUTES = ("id", "type", "tags", "channel", "campaign-messages", "definition", "profile_count")
MOVES = ("updated", "updated_at")


def filled(stream: str, chance: int, moved: str, number: int) -> Row:
    """Attributes of one resource by the fields of its stream; `moved` is when it was last changed."""
    made: Row = {}
    for place, (name, kind) in enumerate(KINDS[stream].items()):
        if name in _NOT_ATTRIBUTES or (name.endswith(("_id", "_ids")) and name != "external_id"):
            continue
        made[name] = moved if name in MOVES else _value(kind, mix(chance, place), moved, f"{stream}.{name}")
    if "definition" in KINDS[stream]:
        made["definition"] = {"type": "block", "data": {"n": chance % 5, "text": _WORDS[chance % len(_WORDS)]}}
        if stream == "custom_metrics":
            made["definition"] = {"aggregation_method": "count", "metric_groups": [{"metric_id": "AbCdEf"}]}
        if stream == "segments":
            made["definition"] = {"condition_groups": [{"conditions": [{"type": "profile-metric"}]}]}
    if "name" in made:
        made["name"] = f"{made['name'] or 'unnamed'} {number} {chance % 1000}"
    if stream == "images":
        made["size"] = chance % 10**6
    if number % 11 == 10:
        made["not_yet_known"] = {"since": moved}
    return made


def _value(kind: Kind, chance: int, moved: str, path: str) -> Any:
    if path in CHOICES:
        return CHOICES[path][chance % len(CHOICES[path])]
    if chance % 6 == 0 and kind != "boolean" and path not in NEVER_NULL and not path.endswith("[]"):
        return None
    if isinstance(kind, dict):
        return {
            name: _value(part, mix(chance, n), moved, f"{path}.{name}") for n, (name, part) in enumerate(kind.items())
        }
    if isinstance(kind, list):
        return [_value(kind[0], mix(chance, n), moved, f"{path}[]") for n in range(chance % 3)]
    if kind == "date-time":
        return moved if chance % 3 else f"{moved[:19]}.5Z"
    simple: dict[str, Any] = {
        "string": _WORDS[(chance >> 8) % len(_WORDS)],
        "integer": chance % 500,
        "number": (chance % 10_000) / 100,
        "boolean": chance % 2 == 0,
        "object": {"key": chance % 9, "list": [None, "ü"]},
    }
    return simple[kind]
