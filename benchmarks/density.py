"""Which takes fewer requests, one pass over all events or one for each metric, and what tap-klaviyo does.

    python benchmarks/density.py [--require-factor 1.3]

Two accounts of 28 metrics, of which 15 are wanted, over eight days: one whose events are nearly all visits to a site,
one whose events are nearly all of mails. Each is read as the tap decides, then either way in turn, each in a process
of its own. Exits with 1 when rows are missing, or when what was chosen took more requests than `factor` times
the better of both ways.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAYS = 8
WANTED = (
    "Received Email", "Clicked Email", "Opened Email", "Bounced Email", "Dropped Email", "Marked Email as Spam",
    "Unsubscribed from Email Marketing", "Subscribed to List", "Unsubscribed from List", "Clicked Text Message",
    "Subscribed to Text Messaging Marketing", "Failed to Deliver Text Message", "Received Text Message",
    "Sent Text Message", "Unsubscribed from Text Messaging Marketing",
)  # fmt: skip
OTHERS = ("Active on Site", "Viewed Product", *(f"Something else {n}" for n in range(11)))
METRICS = {f"Met{n:03}": name for n, name in enumerate((*WANTED, *OTHERS))}
ACCOUNTS = {
    # seconds between two events of a metric
    "site-heavy": {"Met015": 6.0, "Met016": 60.0, "Met000": 400.0, "Met002": 1500.0},
    "mail-heavy": {"Met000": 6.0, "Met002": 20.0, "Met001": 120.0, "Met015": 300.0},
}
STREAMS = (
    "receive", "click", "open", "bounce", "dropped_email", "mark_as_spam", "unsubscribe", "subscribe_list",
    "unsub_list", "clicked_sms", "consented_to_receive", "failed_to_deliver", "received_sms", "sent_sms",
    "unsubscribed_from_sms",
)  # fmt: skip
WAYS = {
    "as chosen": "pass",
    "one pass": "density._surplus = lambda *_: 0.0",
    "each metric": "density._surplus = lambda *_: 1e9",
}
RUN = "import sys; from tap_klaviyo import density; {way}; from tap_klaviyo.__main__ import main; sys.exit(main())"


def events(every: dict[str, float]) -> list[tuple[float, str]]:
    """(seconds since the epoch, metric) of all events, in order."""
    end = NOW.timestamp() - 60
    begin = end - (DAYS - 0.5) * 86_400
    return sorted(
        (begin + n * step, metric) for metric, step in every.items() for n in range(int((end - begin) / step))
    )


class Api(BaseHTTPRequestHandler):
    """As much of the API as events need."""

    protocol_version = "HTTP/1.1"
    there: ClassVar[list[tuple[float, str]]] = []
    requests = 0

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        if url.path == "/api/events":
            Api.requests += 1
            body = self._events(query)
        elif url.path == "/api/metrics":
            integration = {"name": "Klaviyo", "key": "klaviyo"}
            body = {
                "data": [
                    {"type": "metric", "id": metric, "attributes": {"name": name, "integration": integration}}
                    for metric, name in METRICS.items()
                ],
                "links": {},
            }
        else:
            body = {"data": [{"type": "account", "id": "a", "attributes": {"timezone": "UTC"}}], "links": {}}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _events(self, query: dict[str, str]) -> dict[str, object]:
        metric, low, high = None, 0.0, 2e10
        for clause in query["filter"].replace("),", ")\n").split("\n"):
            name, _, rest = clause.partition("(")
            value = rest.rstrip(")").partition(",")[2].strip('"')
            if name == "equals":
                metric = value
            elif name == "greater-or-equal":
                low = datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
            else:
                high = datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
        found = [each for each in self.there if low <= each[0] < high and metric in (None, each[1])]
        if query["sort"].startswith("-"):
            found.reverse()
        begin, size = int(query.get("page[cursor]", 0)), int(query["page[size]"])
        rows = [
            {
                "type": "event",
                "id": f"{name}-{second:.3f}",
                "attributes": {
                    "timestamp": int(second),
                    "datetime": datetime.fromtimestamp(int(second), timezone.utc).isoformat(),
                    "event_properties": {"Browser": "x" * 200},
                },
                "relationships": {"metric": {"data": {"type": "metric", "id": name}}},
            }
            for second, name in found[begin : begin + size]
        ]
        more = urlencode({**query, "page[cursor]": str(begin + size)})
        host = self.headers["Host"]
        following = f"http://{host}/api/events?{more}" if begin + size < len(found) else None
        return {"data": rows, "links": {"next": following}}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def read(base_url: str, way: str) -> tuple[int, int, float]:
    """The events written, the requests for them, and the seconds of one run."""
    start = (NOW - timedelta(days=DAYS)).isoformat()
    config = {"api_key": "pk_benchmark", "base_url": base_url, "start_date": start, "rate_limit_share": 1}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        command = [sys.executable, "-c", RUN.format(way=way), "--config", file.name]
        for stream in STREAMS:
            command += ["--select", stream]
        Api.requests, began = 0, time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return done.stdout.count(b'"type":"RECORD"'), Api.requests, time.monotonic() - began


def main() -> int:
    """Print what each way took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--require-factor", type=float, default=1.3)
    factor = parser.parse_args().require_factor
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    is_good = True
    for account, every in ACCOUNTS.items():
        Api.there = events(every)
        wanted = sum(METRICS[metric] in WANTED for _, metric in Api.there)
        found = {way: read(f"http://127.0.0.1:{server.server_address[1]}", code) for way, code in WAYS.items()}
        for way, (rows, requests, seconds) in found.items():
            print(f"{account:12}{way:14}{rows:>8} of {wanted} records  {requests:>5} requests  {seconds:>6.1f} s")
            is_good &= rows == wanted
        best = min(found[way][1] for way in ("one pass", "each metric"))
        is_good &= found["as chosen"][1] <= factor * best
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
