"""What may be wrong with a read that went well: fewer people than the account says, lists that are empty throughout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from shared.api.request import Request

if TYPE_CHECKING:
    from shared.api.client import Client

TOLERATED = 0.01
"""Counts of workspaces are up to two hours old."""


def requests_for_people(client: Client) -> int | None:
    """Two walks of the search, a thousand a page, and a hundred people a request; one export has few."""
    if client.settings["customers_segment_ids"] or client.settings["customers_source"] != "search":
        return None
    counts = _counted(client, "people")
    people = min(counts, default=0)
    return 2 * (people // 1000 + 1) + people // 100 + 1 if people else None


def of_people(client: Client, written: Mapping[str, int]) -> Iterator[str]:
    """A deletion during the search can hide somebody."""
    if client.settings["customers_segment_ids"] or client.settings["customers_source"] != "search":
        return
    count = sum(written.values())
    listed = _counted(client, "people")
    if listed and all(abs(count - people) > TOLERATED * people for people in listed):
        said = " or ".join(map(str, listed))
        yield f"{count} people were read, where the list of workspaces says {said}. Run again to find who was missed."


def of_suppressions(client: Client, written: Mapping[str, int]) -> Iterator[str]:
    """A domain that the account does not have gives empty lists, not an error."""
    for domain in client.settings["esp_suppression_domains"]:
        if not any(count for key, count in written.items() if key.partition("/")[2] == domain):
            yield f"nobody is suppressed at {domain}, on none of the four lists; is it a sending domain of the account?"


def of_objects(client: Client, written: Mapping[str, int]) -> Iterator[str]:
    """Which attribute every object has is not documented."""
    if not any(written.values()) and any(_counted(client, "objects")):
        field = client.settings["objects_filter_field"]
        yield f"no object has {field}, yet there are objects; set objects_filter_field to an attribute they all have."


def _counted(client: Client, name: str) -> list[int]:
    """What the workspaces say of themselves; which of them is the key's own they do not say."""
    return [int(each.get(name) or 0) for each in client.json(Request("/workspaces")).get("workspaces") or ()]
