"""What the contract does not have: actions, contents, members and usage below their parents, objects, opt-outs.

A parent's `updated` does not follow its children (live, 2026-10), so all parents are asked in every run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.streams import Parent, Unit

from .. import checks
from ..defaults import (
    LISTED_WHOLE,
    RECENT,
    UNDER_BROADCAST,
    UNDER_CAMPAIGN,
    UNDER_NEWSLETTER,
    UNDER_SEGMENT,
    UNDER_TEMPLATE,
    stream,
    unless_gone,
)
from ..pages import after
from ..rows import (
    anywhere,
    contents,
    errors,
    hydrated,
    numbered,
    of_its_own,
    one_of,
    opted_out,
    relationships,
    usage,
    whole,
)


def every_object(unit: Unit) -> dict[str, Any]:
    """A filter is required; this one matches every object of the type that has the field."""
    identity = str(unit.parent["object_type_id"])
    field = unit.settings["objects_filter_field"]
    condition = {"type_id": identity, "field": field, "operator": "exists"}
    return {"object_type_id": identity, "filter": {"and": [{"object_attribute": condition}]}}


OBJECTS = stream(
    name="custom_objects",
    description="Objects of each type.",
    path="/objects",
    method="POST",
    params={"limit": 100},
    body=every_object,
    records="identifiers",
    parent=Parent(stream="types", keys={"object_type_id": "id"}),
    key_properties=("object_type_id", "cio_object_id"),
    next_page=after(),
    checks=checks.of_objects,
    selected=False,
    cost="1 request per type and 100 objects",
)
OF_OBJECT = {"object_type_id": "object_type_id", "cio_object_id": "cio_object_id"}
LISTED_OBJECTS = replace(OBJECTS, name="object_identifiers", hidden=True, checks=None)
HYDRATED_OBJECTS = replace(
    OBJECTS,
    path="/objects/{object_type_id}/{cio_object_id}/attributes",
    method="GET",
    params={"id_type": "cio_object_id"},
    body=None,
    records=one_of("object"),
    parent=Parent(stream=LISTED_OBJECTS.name, keys=OF_OBJECT, carry=("object_id",)),
    next_page=None,
    transform=hydrated,
    cost="1 request per object",
)
"""With `hydrate_objects`: what is listed is then read object by object."""

OF_TRIGGER = Parent(stream="broadcast_triggers", keys={"broadcast_id": "broadcast_id", "trigger_id": "id"})

CHILDREN = (
    stream(
        name="campaign_actions",
        deletions=LISTED_WHOLE,
        description="Steps and messages of campaigns, one row per language.",
        path="/campaigns/{campaign_id}/actions",
        records="actions",
        parent=UNDER_CAMPAIGN,
        key_properties=("campaign_id", "id"),
        replication_key="updated",
        lookback=RECENT,
        next_page=after(),
        aliases=("campaigns_actions",),
    ),
    stream(
        name="broadcast_actions",
        deletions=LISTED_WHOLE,
        description="Messages of broadcasts.",
        path="/broadcasts/{broadcast_id}/actions",
        records="actions",
        parent=UNDER_BROADCAST,
        key_properties=("broadcast_id", "id"),
        replication_key="updated",
        lookback=RECENT,
    ),
    stream(
        name="newsletter_contents",
        description="Variants of newsletters.",
        path="/newsletters/{newsletter_id}/contents",
        records="contents",
        parent=UNDER_NEWSLETTER,
        key_properties=("newsletter_id", "id"),
        aliases=("newsletter_variants",),
    ),
    unless_gone(
        stream(
            name="newsletter_test_groups",
            description="Groups of A/B tests.",
            path="/newsletters/{newsletter_id}/test_groups",
            records=anywhere("test_groups"),
            parent=UNDER_NEWSLETTER,
            key_properties=("newsletter_id", "id"),
            selected=False,
            cost="1 request per newsletter",
        )
    ),
    stream(
        name="transactional_contents",
        description="Variants of transactional messages, one row per language.",
        path="/transactional/{transactional_id}/contents",
        records=one_of("contents", "content"),
        parent=UNDER_TEMPLATE,
        key_properties=("transactional_id", "id"),
        selected=False,
        cost="1 request per transactional message",
    ),
    unless_gone(
        stream(
            name="broadcast_triggers",
            description="When broadcasts were triggered.",
            path="/broadcasts/{broadcast_id}/triggers",
            records="triggers",
            parent=UNDER_BROADCAST,
            key_properties=("broadcast_id", "id"),
            replication_key="created_at",
            lookback=RECENT,
            deletions=LISTED_WHOLE,
            selected=False,
            cost="1 request per broadcast",
        )
    ),
    unless_gone(
        stream(
            name="broadcast_trigger_details",
            description="How triggered broadcasts stand: the API's answer, whole.",
            path="/campaigns/{broadcast_id}/triggers/{trigger_id}",
            records=whole,
            parent=OF_TRIGGER,
            key_properties=("broadcast_id", "trigger_id"),
            selected=False,
            cost="1 request per trigger",
        )
    ),
    unless_gone(
        stream(
            name="broadcast_trigger_errors",
            description="What was wrong with the people or data of triggered broadcasts, numbered as it comes.",
            path="/campaigns/{broadcast_id}/triggers/{trigger_id}/errors",
            params={"limit": 100},
            records=errors,
            parent=OF_TRIGGER,
            key_properties=("broadcast_id", "trigger_id", "row"),
            identity=of_its_own,
            next_page=after(empty_ends=True),
            transform=numbered,
            selected=False,
            cost="1 request per trigger and 100 errors",
        )
    ),
    stream(
        name="segment_members",
        description="Who is in which segment; while a segment is being built the rows may be stale.",
        path="/segments/{segment_id}/membership",
        params={"limit": 30_000},
        records="identifiers",
        parent=UNDER_SEGMENT,
        key_properties=("segment_id", "cio_id"),
        next_page=after(),
        selected=False,
        cost="1 request per segment and 30,000 members",
        aliases=("segment_memberships",),
    ),
    stream(
        name="segment_customer_counts",
        description="How many people are in a segment.",
        path="/segments/{segment_id}/customer_count",
        parent=UNDER_SEGMENT,
        key_properties=("segment_id",),
        selected=False,
        cost="1 request per segment",
    ),
    stream(
        name="segment_usage",
        description="Which campaigns and newsletters use a segment.",
        path="/segments/{segment_id}/used_by",
        records=usage,
        parent=UNDER_SEGMENT,
        key_properties=("segment_id",),
        selected=False,
        cost="1 request per segment",
    ),
    stream(
        name="sender_usage",
        description="Which campaigns and newsletters use a sender.",
        path="/sender_identities/{sender_id}/used_by",
        records=usage,
        parent=Parent(stream="sender_identities", keys={"sender_id": "id"}),
        key_properties=("sender_id",),
        unique=True,
        selected=False,
        cost="1 request per sender",
    ),
    stream(
        name="collection_contents",
        description="Rows of collections, numbered as they come.",
        path="/collections/{collection_id}/content",
        records=contents,
        parent=Parent(stream="collections", keys={"collection_id": "id"}),
        key_properties=("collection_id", "row"),
        selected=False,
        cost="1 request per collection",
    ),
    OBJECTS,
    stream(
        name="custom_object_relationships",
        description="People related to objects.",
        path="/objects/{object_type_id}/{cio_object_id}/relationships",
        params={"id_type": "cio_object_id", "limit": 100},
        records=relationships,
        parent=Parent(stream="custom_objects", keys=OF_OBJECT),
        key_properties=("object_type_id", "cio_object_id", "cio_id"),
        next_page=after(),
        selected=False,
        cost="1 request per object",
    ),
    stream(
        name="subscription_channels",
        description="Channels of the subscription center.",
        path="/subscription_channels",
        records=anywhere("channels"),
        optional=True,
        selected=False,
    ),
    stream(
        name="optouts",
        description="People who opted out of SMS or WhatsApp, by sender.",
        path="/optouts",
        params={"limit": 1000},
        records="optouts",
        key_properties=("cio_id",),
        next_page=after(),
        transform=opted_out,
        selected=False,
    ),
)
