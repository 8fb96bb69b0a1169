"""What exported rows are: their types, by what events are told apart, and what becomes of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared.api.request import Row
from shared.streams import Record

IDENTITY = (
    "email", "userId", "itblUserId", "messageId", "campaignId", "templateId", "eventName", "id", "url", "hrefIndex",
    "clickedUrl", "ip", "userAgent", "recipientState", "status", "reason", "signupSource", "unsubSource",
    "emailListIds", "emailListId", "userListIds", "channelIds", "channelId", "messageTypeIds", "platformEndpoint",
    "replyToMessageId", "seenMessageId", "smsMessage", "placementId", "total",
)  # fmt: skip
"""What tells events apart, besides their type and `createdAt`. Never what changes later: `itblInternal`, `isBot`,
labels, names."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """One type of data: its name at the API, whether its rows are events in want of an id, what becomes of a row."""

    data_type: str
    is_event: bool = True
    shape: Callable[[Row], Record] | None = None
    only: tuple[str, ...] = ()
    """Fields that are enough, where not all are wanted."""

    def unwanted(self, deselected: Iterable[str]) -> list[str]:
        """The fields that need not be sent, since nobody selected their columns and nothing is worked out of them."""
        needed = {"createdAt", "profileUpdatedAt", "dataFields", *IDENTITY}
        return sorted(name for name in deselected if name not in needed and name[0] != "_" and "," not in name)


def with_transactional_data(row: Row) -> Record:
    """`transactionalData` is JSON text on the wire, and may be anything."""
    from shared.records.values import parse

    data = row.get("transactionalData")
    if isinstance(data, str):
        try:
            found = parse(data.encode("utf-8", "surrogatepass"))[0]
        except ValueError:
            found = None
        row["transactionalData"] = found if isinstance(found, dict) else {"_raw": data}
    return row


def with_own_fields(*declared: str) -> Callable[[Row], Record]:
    """Puts an event's own fields, wherever they stand, into `dataFields`."""
    known = frozenset((*declared, "_event_id", "dataFields"))

    def shape(row: Row) -> Record:
        own = {name: row.pop(name) for name in [name for name in row if name not in known]}
        inside = row.get("dataFields")
        if own:
            row["dataFields"] = {**own, **inside} if isinstance(inside, dict) else own
        return row

    return shape
