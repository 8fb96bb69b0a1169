"""Which campaigns are news. The list is read whole in every run, and hardly any change of it moves a time."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from typing import Any

from shared.streams import Anyway, Record, Unit

logger = logging.getLogger("tap-iterable")

NOT_FINAL = ("Scheduled", "Starting", "Running", "Ready", "Recurring", "Recalling")
PRINT_BYTES = 5


def is_new(record: Record, unit: Unit) -> bool:
    """Whether anything of a campaign differs from what it was: one that ends, or is given a label, may move no time.
    Without a memory of the last run's campaigns, by the times that they have, of which the end does not move
    `updatedAt`.
    """
    made = _print(record)
    unit.scratch.setdefault("prints", set()).add(made)
    if record.get("campaignState") == "Recurring":
        unit.scratch.setdefault("recurring", set()).add(record.get("id"))
    unit.scratch.setdefault("named", set()).add(record.get("recurringCampaignId"))
    if unit.since is None:
        return True
    if unit.mark is not None:
        if "known" not in unit.scratch:
            unit.scratch["known"] = unpacked(unit.mark)
        return made not in unit.scratch["known"]
    if record.get("campaignState") in NOT_FINAL:
        return True
    start = record.get("startAt")
    times = [record.get("updatedAt"), record.get("createdAt"), record.get("endedAt")]
    times.append(start if start and start <= unit.now else None)
    return max((time for time in times if time), default=unit.since) >= unit.since


def _print(record: Record) -> bytes:
    """Five bytes that stand for all of a record."""
    text = json.dumps(record, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=PRINT_BYTES).digest()


def remembered(unit: Unit) -> Anyway:
    """Campaigns are read whole in every run; what they were is kept, to tell which of them changed."""
    return Anyway(_memory)


def _memory(unit: Unit) -> str | None:
    """What is kept of a list that is complete. Whether it has the campaigns that a recurring one made is not
    documented, so a recurring one without any is told of.
    """
    alone = sorted(unit.scratch.get("recurring", set()) - unit.scratch.get("named", set()))
    if alone:
        logger.warning(
            "campaigns: the list has no campaign of the recurring ones %s. If these have sent any, the list does not "
            "show them.",
            ", ".join(map(str, alone[:20])),
        )
    return base64.b64encode(b"".join(sorted(unit.scratch.get("prints", ())))).decode() or None


def unpacked(mark: Any) -> frozenset[bytes]:
    """What the state remembers of campaigns; nothing where that cannot be read, so that all are written."""
    try:
        data = base64.b64decode(mark, validate=True)
    except (TypeError, ValueError):
        return frozenset()
    return frozenset(data[at : at + PRINT_BYTES] for at in range(0, len(data), PRINT_BYTES))
