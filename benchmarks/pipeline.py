"""Records per second from a page's bytes to RECORD lines: this code, and singer-python's way, in the same run.

    python benchmarks/pipeline.py [--rounds 9] [--records 1000] [--require 50000] [--require-ratio 15]

The record has 25 fields, 3 of them objects and 4 date-times, in 1.1 KB. singer-python's way is `json.loads`, its
Transformer and `write_record`; both write to a file that forgets. Rounds take turns, so that a busy machine slows both;
medians are compared. Exits with 1 below what is required.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # not this folder: its requests.py is no library

import orjson

from shared.protocol import catalog, messages
from shared.records import fit as records
from shared.records import values
from shared.records.misfits import Misfits
from shared.streams import Stream

NOW = "2026-11-01T12:00:00.000000Z"
TEXT = {"type": ["null", "string"]}
WHEN = {"type": ["null", "string"], "format": "date-time"}
WHOLE = {"type": ["null", "integer"]}
NUMBER = {"type": ["null", "number"]}
FLAG = {"type": ["null", "boolean"]}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "email_address": TEXT,
        "unique_email_id": TEXT,
        "contact_id": TEXT,
        "full_name": TEXT,
        "web_id": WHOLE,
        "email_type": TEXT,
        "status": TEXT,
        "consents_to_messaging": FLAG,
        "merge_fields": {"type": ["null", "object"]},
        "stats": {
            "type": ["null", "object"],
            "properties": {"avg_open_rate": NUMBER, "avg_click_rate": NUMBER, "orders": WHOLE, "revenue": NUMBER},
        },
        "ip_signup": TEXT,
        "timestamp_signup": WHEN,
        "ip_opt": TEXT,
        "timestamp_opt": WHEN,
        "member_rating": WHOLE,
        "last_changed": WHEN,
        "language": TEXT,
        "vip": FLAG,
        "email_client": TEXT,
        "location": {
            "type": ["null", "object"],
            "properties": {
                "latitude": NUMBER,
                "longitude": NUMBER,
                "gmtoff": WHOLE,
                "dstoff": WHOLE,
                "country_code": TEXT,
                "timezone": TEXT,
                "region": TEXT,
            },
        },
        "created_at": WHEN,
        "source": TEXT,
        "tags_count": WHOLE,
        "note": TEXT,
    },
}
STREAM = Stream(name="members", replication_key="last_changed")


def rows(count: int) -> list[dict[str, Any]]:
    """Records as an API sends them, the same ones each time."""
    chance = random.Random(20261101)
    first = datetime(2024, 1, 1, tzinfo=timezone.utc)

    def moment() -> str:
        return (first + timedelta(seconds=chance.randrange(80_000_000))).isoformat()

    return [
        {
            "id": f"{chance.getrandbits(128):032x}",
            "email_address": f"person.{number}@example{chance.randrange(50)}.com",
            "unique_email_id": f"{chance.getrandbits(40):010x}",
            "contact_id": f"{chance.getrandbits(128):032x}",
            "full_name": chance.choice(("Ada Lovelace", "Émilie du Châtelet", "Grace Hopper", "山田 花子", "")),
            "web_id": chance.randrange(10**9),
            "email_type": "html",
            "status": chance.choice(("subscribed", "unsubscribed", "cleaned")),
            "consents_to_messaging": chance.random() < 0.7,
            "merge_fields": {"FNAME": f"Name {number}", "LNAME": "Example", "PHONE": "", "BIRTHDAY": "07/14"},
            "stats": {
                "avg_open_rate": round(chance.random(), 4),
                "avg_click_rate": round(chance.random() / 3, 4),
                "orders": chance.randrange(40),
                "revenue": round(chance.random() * 900, 2),
            },
            "ip_signup": f"203.0.113.{chance.randrange(256)}",
            "timestamp_signup": moment(),
            "ip_opt": f"198.51.100.{chance.randrange(256)}",
            "timestamp_opt": moment(),
            "member_rating": chance.randrange(1, 6),
            "last_changed": moment(),
            "language": chance.choice(("en", "de", "fr", None)),
            "vip": chance.random() < 0.05,
            "email_client": chance.choice(("Gmail", "Apple Mail", "Outlook", None)),
            "location": {
                "latitude": round(chance.uniform(-90, 90), 4),
                "longitude": round(chance.uniform(-180, 180), 4),
                "gmtoff": chance.randrange(-11, 13),
                "dstoff": chance.randrange(-11, 13),
                "country_code": chance.choice(("US", "DE", "FR", "JP")),
                "timezone": "America/New_York",
                "region": "NY",
            },
            "created_at": moment(),
            "source": "API - Generic",
            "tags_count": chance.randrange(9),
            "note": "Met at the fair, asked for the catalogue and a call back. " * 2,
        }
        for number in range(count)
    ]


def ours() -> Callable[[bytes], bytes]:
    """Page bytes → lines, as a sync does it."""
    (selection,) = catalog.choose(None, [STREAM], {"members": SCHEMA}, settings={})
    shape = records.Shape(selection, misfits=Misfits())

    def lines(content: bytes) -> bytes:
        body, care = values.parse(content)
        return messages.record_lines("members", shape.fit(body["members"], care=care), time_extracted=NOW)

    return lines


def theirs() -> Callable[[bytes], None]:
    """Page bytes → lines by singer-python's Transformer and `write_record`."""
    singer = messages.singer()
    entry = catalog.build("tap-benchmark", [STREAM], {"members": SCHEMA}, {})["streams"][0]
    metadata = singer.metadata.to_map(entry["metadata"])
    moment = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)

    def write(content: bytes) -> None:
        with singer.Transformer() as transformer:
            for row in json.loads(content)["members"]:
                record = transformer.transform(row, entry["schema"], metadata)
                singer.write_record("members", record, time_extracted=moment)

    return write


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--records", type=int, default=1000, help="records in a page")
    parser.add_argument("--pages", type=int, default=10, help="pages of ours in a round")
    parser.add_argument("--require", type=float, default=0, metavar="N", help="records a second that ours must reach")
    parser.add_argument("--require-ratio", type=float, default=0, metavar="N", help="times singer-python's way")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)

    sample = rows(arguments.records)
    content = orjson.dumps({"members": sample})
    size = len(content) / arguments.records
    lines, write = ours(), theirs()
    ours_seconds, theirs_seconds = [], []
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for _ in range(arguments.rounds):
            start = time.process_time()
            for _ in range(arguments.pages):
                nowhere.buffer.write(lines(content))
            ours_seconds.append((time.process_time() - start) / arguments.pages)
            start = time.process_time()
            with redirect_stdout(nowhere):
                write(content)
            theirs_seconds.append(time.process_time() - start)
    rate = arguments.records / statistics.median(ours_seconds)
    their_rate = arguments.records / statistics.median(theirs_seconds)
    ratio = rate / their_rate
    print(f"{len(SCHEMA['properties'])} fields, {size:,.0f} bytes a record, {arguments.records} a page, one core")
    print(f"page bytes to lines       {rate:>9,.0f} records/s")
    print(f"singer-python's way       {their_rate:>9,.0f} records/s")
    print(f"ratio                     {ratio:>9.1f}")
    if rate < arguments.require or ratio < arguments.require_ratio:
        print(f"required: {arguments.require:,.0f} records/s and a ratio of {arguments.require_ratio:g}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
