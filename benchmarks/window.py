"""How much memory tap-iterable needs for one export window of very many events.

    python benchmarks/window.py [--rows 1000000] [--equal 25] [--require-megabytes 150]

A server that makes rows as it sends them answers one window, unsorted, chunked, every `equal`-th row the same as the
one before; the tap runs in a process of its own. Memory is the largest resident size of that process. Exits with 1 when
a row is missing or more memory was needed than is required.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder: its requests.py is no library
ROWS_A_CHUNK = 500


def rows(count: int, equal: int) -> Iterator[bytes]:
    """The window's lines, some hundreds at a time."""
    agent = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    for start in range(0, count, ROWS_A_CHUNK):
        lines = []
        for place in range(start, min(start + ROWS_A_CHUNK, count)):
            number = place - 1 if place % equal == equal - 1 else place
            chance = number * 2_654_435_761 % 4_294_967_296
            lines.append(
                f'{{"email":"user{chance % 99_991}@example.com","createdAt":"2026-10-{1 + chance % 28:02d} '
                f'{chance % 24:02d}:{chance % 60:02d}:{number % 60:02d} +00:00","campaignId":{chance % 977},'
                f'"templateId":{chance % 1009},"messageId":"{chance:032x}","ip":"66.249.84.{chance % 255}",'
                f'"userAgent":"{agent}","userAgentDevice":"Gmail","proxySource":"Gmail","isBot":false,'
                f'"itblInternal":{{"documentCreatedAt":"2026-10-30 08:02:12 +00:00"}}}}\n'
            )
        yield "".join(lines).encode()


class Api(BaseHTTPRequestHandler):
    """As much of the API as a run of one stream asks for."""

    protocol_version = "HTTP/1.1"
    count = equal = 0

    def do_GET(self) -> None:
        """Answer."""
        if urlsplit(self.path).path == "/api/export/data.json":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for lines in rows(self.count, self.equal):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(lines), lines))
            self.wfile.write(b"0\r\n\r\n")
            return
        body = b'{"channels":[],"fields":{"email":"string"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Run the tap once and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--equal", type=int, default=25)
    parser.add_argument("--require-megabytes", type=float)
    arguments = parser.parse_args()
    Api.count, Api.equal = arguments.rows, arguments.equal
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "api_key": "0123456789abcdef0123456789abcdef",
        "base_url": f"http://127.0.0.1:{server.server_port}",
        "start_date": "2026-10-01",
        "end_date": "2026-11-01",
        "api_window_in_days": 366,
        "export_mode": "stream",
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.json")
        file.write_text(json.dumps(config))
        began = time.monotonic()
        tap = subprocess.Popen(
            [sys.executable, "-m", "tap_iterable", "--config", str(file), "--select", "email_open"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert tap.stdout is not None
        found = sum(line.startswith(b'{"type":"RECORD"') for line in tap.stdout)
        _, status, usage = os.wait4(tap.pid, 0)
        seconds = time.monotonic() - began
    server.shutdown()
    megabytes = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{found:,} records, {seconds:.0f} s, {cpu:.0f} s of CPU, {megabytes:.0f} MB at most")
    if status or found != arguments.rows:
        sys.exit(f"{arguments.rows:,} records were expected, status {os.waitstatus_to_exitcode(status)}")
    if arguments.require_megabytes and megabytes > arguments.require_megabytes:
        sys.exit(f"missed: {megabytes:.0f} MB are more than {arguments.require_megabytes:g}")


if __name__ == "__main__":
    main()
