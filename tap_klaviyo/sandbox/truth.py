"""What the tap must make of the sandbox's resources, by the fields of `facts.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.sandbox import Row
from shared.sandbox.kinds import facts_beside, kinds_of

FACTS: Mapping[str, Any] = facts_beside(__file__)
KINDS = {
    stream: kinds_of({**fields, **dict.fromkeys(FACTS["reports"].get(stream, {}).get("statistics", ()), "number")})
    for stream, fields in FACTS["rows"].items()
}
"""Stream → field → kind."""

Resource = Mapping[str, Any]


def flattened(resource: Resource, beside: Mapping[str, Sequence[Resource]]) -> Row:
    """A resource as a flat row, the resources `beside` it embedded under their names."""
    names = {name: resource[name] for name in ("id", "type") if resource[name] is not None}
    row: Row = {**names, **resource.get("attributes", {})}
    for name, relation in resource.get("relationships", {}).items():
        if "data" not in relation:
            continue
        data, plain = relation["data"], name.replace("-", "_")
        if isinstance(data, list):
            row[f"{plain[:-1]}_ids"] = [each["id"] for each in data]
        else:
            row[f"{plain}_id"] = data["id"] if data else None
    for name, found in beside.items():
        row[name] = [flattened(each, {}) for each in found]
    if resource["type"] == "campaign-message":
        for name in ("label", "channel", "content", "render_options"):
            row[name] = row["definition"].get(name)
    if resource["type"] == "flow-action":
        row["action_type"] = row["definition"]["type"]
        row["status"] = (row["definition"].get("data") or {}).get("status")
    if resource["type"] == "metric" and isinstance(category := row["integration"].get("category"), dict):
        row["integration"] = {**row["integration"], "category": category["category"]}
    return row
