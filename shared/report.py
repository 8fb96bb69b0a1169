"""What is said about a run on stderr: counters, log lines about streams, METRIC lines, the table at the end.

The one place where requests, records, retries and waits are counted; everything here may be called from any thread.
Nothing is ever written to stdout. `singer.get_logger` and `singer.metrics` are not used: they configure logging anew at
each call (240 µs, and the root logger reset), so the METRIC lines are printed here in singer-python's format.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TextIO

METRIC_SECONDS = 60
"""The cadence of METRIC lines, singer-python's own."""

SILENCE_SECONDS = 10
"""After so long without anything a stream's waiting is said."""
WAITING = "waiting until the API's limits allow the next request."

NO_STREAM = ""
"""Requests that belong to no stream: a credential check, the account's fields."""


OTHER = "(other requests)"
"""How those are called in tables."""

UNITS_KEPT = 256
"""Spans that a stream's timeline keeps; where there are more, neighbours become one."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """When one unit, or several that became one, was read: seconds since the run began."""

    began: float
    ended: float
    units: int = 1


@dataclass(frozen=True, slots=True)
class Missing:
    """What a run left out: one parent's rows, a page, a row; "" is all of the stream. `how` in a word, `why` in a
    sentence.
    """

    what: str
    how: str
    why: str


@dataclass
class Counts:
    """What happened to one stream so far."""

    stream: str
    records: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    waiting: int = 0
    started: float | None = None
    finished: float | None = None
    outcome: str = ""
    bookmark: str | None = None
    problems: dict[str, None] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    missing_more: int = 0
    repeated: int = 0
    size: int = 0
    answered: float = 0.0
    before: str | None = None
    units: list[Span] = field(default_factory=list)
    progressed: float | None = None
    """When anything last came of it."""
    obstacle: str = "no answer yet"
    """Why nothing comes at the moment."""
    silence_told: float | None = None
    # Since the last METRIC lines:
    new_records: int = 0
    timings: dict[int | None, tuple[int, float]] = field(default_factory=dict)


class Report:
    """Counts and says what a run does. `name` is the tap's: its logger, and the head of every failure line."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic, has_metrics: bool = True) -> None:
        self.name = name
        self._has_metrics = has_metrics
        self.selected: list[str] = []
        """The streams that are to be read."""
        self.exit_code = 0
        self.log = logging.getLogger(name)
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[str, Counts] = {}
        self._began = self._metrics_at = clock()
        self._is_answered = False
        self.host = "the API"
        self._facts: list[str] = []
        self.shares: dict[str, Counts] = {}
        """Counts of each part of the account (a client), by its name; `problems` are streams of which it lacks rows."""
        self.notes: list[str] = []
        """What was said at the end about values and fields, with counts."""

    def _counts(self, stream: str) -> Counts:
        counts = self._streams.get(stream)
        if counts is None:
            counts = self._streams.setdefault(stream, Counts(stream))
        return counts

    def share(self, part: str, *, records: int = 0, missing: str = "") -> None:
        """Of this part of the account so many records came, or something of the stream `missing` did not."""
        with self._lock:
            counts = self.shares.setdefault(part, Counts(part))
            counts.records += records
            counts.problems.update({missing: None} if missing else {})

    def warn(self, stream: str, text: str) -> None:
        """A WARNING about a stream, said once and again under the table at the end; no failure."""
        line = _labelled(stream, text)
        with self._lock:
            if line in self.notes:
                return
            self.notes.append(line)
        self.log.warning("%s", line)

    # What happens to a stream

    def stream_started(self, stream: str, *, bookmark: str | None = None) -> None:
        """The stream's first unit begins; `bookmark` is where the run before this one ended."""
        with self._lock:
            counts = self._counts(stream)
            counts.started, counts.before = self._clock(), bookmark
        self.log.info("%s: started", stream, extra={"stream_name": stream})

    def stream_finished(self, stream: str, *, outcome: str, bookmark: str | None = None) -> None:
        """The stream has ended: complete, incomplete, refused, failed, unavailable or gone."""
        with self._lock:
            counts = self._counts(stream)
            counts.finished, counts.outcome, counts.bookmark = self._clock(), outcome, bookmark
            seconds = counts.finished - (counts.started if counts.started is not None else counts.finished)
            records, requests, repeated = counts.records, counts.requests, counts.repeated
            points = self._take_points(counts)
        for point in points:
            self._metric(stream, point)
        self.log.info(
            "%s: %s, %d records, %d requests, %.1f s%s",
            stream,
            outcome,
            records,
            requests,
            seconds,
            f", bookmark {bookmark}" if bookmark else "",
            extra={"stream_name": stream},
        )
        if repeated:
            self.fact(f"{stream}: {repeated:,} rows came again under a key that was met before, and were left off.")

    def unit(self, stream: str, seconds: float) -> None:
        """A unit that took so long has just ended."""
        with self._lock:
            spans = self._counts(stream).units
            ended = self._clock() - self._began
            spans.append(Span(max(0.0, ended - seconds), ended))
            if len(spans) >= UNITS_KEPT:
                spans.sort()
                pairs = zip(spans[::2], spans[1::2], strict=True)
                spans[:] = [Span(a.began, max(a.ended, b.ended), a.units + b.units) for a, b in pairs]

    def fact(self, text: str) -> None:
        """Something that is as it should be, said once at the end."""
        with self._lock:
            self._facts.append(text)
        self.log.info("%s", text)

    def note(self, text: str) -> None:
        """Something about values or fields, said at the end."""
        self.warn("", text)

    def records(self, stream: str, count: int) -> None:
        """`count` records were written."""
        with self._lock:
            counts = self._counts(stream)
            counts.records += count
            counts.new_records += count

    def repeated(self, stream: str, count: int) -> None:
        """`count` rows were dropped, since their keys had been met, elsewhere than where two pages overlap."""
        if count > 0:
            with self._lock:
                self._counts(stream).repeated += count

    def problem(self, stream: str, text: str, *, is_known: bool = False) -> None:
        """Something the user should know at the end too; the same text once. `is_known`: it was told of another."""
        with self._lock:
            problems = self._counts(stream).problems
            is_new = text not in problems
            problems[text] = None
        if is_new and not is_known:
            self.log.warning("%s", _labelled(stream, text), extra={"stream_name": stream})

    def missing(self, stream: str, found: Iterable[Missing], *, more: int = 0) -> None:
        """What was left out, and how much more there was. Only the page about the run shows it one by one."""
        with self._lock:
            counts = self._counts(stream)
            counts.missing.extend(found)
            counts.missing_more += more

    # What happens to a request

    def request(
        self,
        stream: str,
        *,
        method: str,
        path: str,
        status: int | None,
        seconds: float,
        request_id: str = "",
        size: int = 0,
    ) -> None:
        """One request was answered with `size` bytes on the wire, or failed (`status` None or 0)."""
        status = status or None
        with self._lock:
            counts = self._counts(stream)
            counts.requests += 1
            counts.size += size
            counts.answered += seconds
            number, total = counts.timings.get(status, (0, 0.0))
            counts.timings[status] = (number + 1, total + seconds)
            if status is not None and status < 400:
                counts.progressed, counts.silence_told, counts.obstacle = self._clock(), None, "no answer yet"
                self._is_answered = True
        if self.log.isEnabledFor(logging.DEBUG):
            self.log.debug(
                "%s: %s %s %s %.3f s%s",
                stream or "account",
                method,
                path,
                "no answer" if status is None else status,
                seconds,
                f" [{request_id}]" if request_id else "",
                extra={"stream_name": stream},
            )

    def retry(self, stream: str, reason: str, seconds: float = 0.0) -> None:
        """A request is sent again in so many seconds. While nothing was answered at all, this is a WARNING."""
        with self._lock:
            counts = self._counts(stream)
            counts.retries += 1
            counts.obstacle = reason
        level = logging.DEBUG if self._is_answered else logging.WARNING
        text = f"{self.host}: {reason} Asked again in {seconds:.1f} s."
        self.log.log(level, "%s", _labelled(stream, text), extra={"stream_name": stream})

    def silences_due(self) -> None:
        """Say which streams have brought nothing for ten seconds, and again each minute; may be called at any time."""
        now = self._clock()
        with self._lock:
            silent = []
            for counts in self._streams.values():
                since = counts.progressed if counts.progressed is not None else counts.started
                if counts.started is None or counts.finished is not None or since is None:
                    continue
                if now - since >= SILENCE_SECONDS and now - (counts.silence_told or -METRIC_SECONDS) >= METRIC_SECONDS:
                    counts.silence_told = now
                    silent.append((counts.stream, now - since, counts.obstacle if not counts.waiting else WAITING))
        if not silent:
            return
        stream, seconds, obstacle = max(silent, key=lambda each: each[1])
        others = f" So of {len(silent) - 1} more streams." if len(silent) > 1 else ""
        self.log.info("%s: nothing has come from %s for %.0f s: %s%s", stream, self.host, seconds, obstacle, others)

    def waited(self, stream: str, seconds: float) -> None:
        """A request had to wait for quota."""
        if seconds > 0:
            with self._lock:
                self._counts(stream).waited += seconds

    def waiting(self, stream: str, is_waiting: bool) -> None:
        """A request begins or stops waiting for quota; only the live view asks for it."""
        with self._lock:
            self._counts(stream).waiting += 1 if is_waiting else -1

    def job(self, stream: str, *, job_type: str, seconds: float, succeeded: bool = True) -> None:
        """An export job or batch at the API has ended."""
        status = "succeeded" if succeeded else "failed"
        tags = {"job_type": job_type, "status": status}
        self._metric(stream, {"type": "timer", "metric": "job_duration", "value": seconds, "tags": tags})

    # What is said

    def metrics_due(self) -> None:
        """Print METRIC lines when a minute has passed since the last ones; call it as often as you like."""
        if self._clock() - self._metrics_at < METRIC_SECONDS:
            return
        with self._lock:
            self._metrics_at = self._clock()
            running = [counts for counts in self._streams.values() if counts.finished is None]
            points = [(counts.stream, point) for counts in running for point in self._take_points(counts)]
        for stream, point in points:
            self._metric(stream, point)

    @staticmethod
    def _take_points(counts: Counts) -> list[dict[str, Any]]:
        """A counter of the records and a timer per status, of what happened since the last time."""
        endpoint = {"endpoint": counts.stream or "account"}
        points: list[dict[str, Any]] = []
        if counts.started is not None:
            points.append(
                {"type": "counter", "metric": "record_count", "value": counts.new_records, "tags": dict(endpoint)}
            )
        for status, (number, total) in counts.timings.items():
            # singer-python prints one timer a request, a line each. Here one stands for all requests of the minute
            # that ended alike: its value is their mean, the tag `requests` their number.
            tags: dict[str, Any] = dict(endpoint)
            if status is not None:
                tags["http_status_code"] = status
            tags["status"] = "succeeded" if status is not None and status < 400 else "failed"
            tags["requests"] = number
            points.append({"type": "timer", "metric": "http_request_duration", "value": total / number, "tags": tags})
        counts.new_records = 0
        counts.timings = {}
        return points

    def _metric(self, stream: str, point: dict[str, Any]) -> None:
        if self._has_metrics:
            self.log.info("METRIC: %s", json.dumps(point), extra={"stream_name": stream, "metric_info": point})

    def snapshot(self) -> list[tuple[Counts, float]]:
        """The streams under way, each with the seconds since its start."""
        with self._lock:
            now = self._clock()
            return [
                (Counts(c.stream, c.records, c.requests, c.retries, c.waited, c.waiting), now - c.started)
                for c in self._streams.values()
                if c.started is not None and c.finished is None
            ]

    def rows(self) -> list[dict[str, Any]]:
        """One row a stream for the table at the end, in the order they were met; the account's own requests last."""
        with self._lock:
            ordered = sorted(self._streams.values(), key=lambda counts: counts.stream == NO_STREAM)
            return [
                {
                    "stream": counts.stream or OTHER,
                    "outcome": counts.outcome,
                    "records": counts.records,
                    "bookmark": counts.bookmark,
                    "requests": counts.requests,
                    "retries": counts.retries,
                    "waited": round(counts.waited, 1),
                    "problems": list(counts.problems),
                }
                for counts in ordered
            ]

    def account(self) -> tuple[list[Counts], float]:
        """All that was counted, for the page about the run; and its seconds so far."""
        with self._lock:
            ordered = sorted(self._streams.values(), key=lambda counts: counts.stream == NO_STREAM)
            return [replace(counts, units=list(counts.units)) for counts in ordered], self._clock() - self._began

    def totals(self) -> str:
        """How far the run is: `12 of 35 streams, 1,234 records, 56 requests, 1:05`."""
        with self._lock:
            every = list(self._streams.values())
            seconds = self._clock() - self._began
            ended = sum(counts.finished is not None for counts in every)
            of = len(self.selected) or sum(counts.started is not None for counts in every)
            records, requests = sum(counts.records for counts in every), sum(counts.requests for counts in every)
        return f"{ended} of {of} streams, {records:,} records, {requests:,} requests, {span(seconds)}"

    def problems(self) -> list[str]:
        """Each problem, in a line of its own."""
        return [
            harmless(f"{self.name}: {_labelled(row['stream'], text)}")
            for row in self.rows()
            for text in row["problems"]
        ]

    def summary(self) -> str:
        """The table at the end, without columns that hold nothing; below it each problem in a line of its own."""
        rows = self.rows()
        shown: list[tuple[str, list[str]]] = [
            ("stream", [harmless(row["stream"]) for row in rows]),
            ("records", [f"{row['records']:,}" for row in rows]),
            ("bookmark", [row["bookmark"] or "" for row in rows]),
            ("requests", [f"{row['requests']:,}" for row in rows]),
            ("retries", [f"{row['retries']:,}" if row["retries"] else "" for row in rows]),
            ("quota wait", [f"{row['waited']:.1f} s" if row["waited"] else "" for row in rows]),
            ("problems", [str(len(row["problems"]) or "") for row in rows]),
            ("", [row["outcome"] for row in rows]),
        ]
        shown = [(name, cells) for name, cells in shown if any(cells)]
        right = [index for index, (name, _) in enumerate(shown) if name not in ("stream", "bookmark", "")]
        table = [[name for name, _ in shown], *zip(*(cells for _, cells in shown), strict=True)]
        lines = [*columns(table, right=right)]
        lines += [self.totals(), *self.problems()]
        lines += [harmless(f"{self.name}: warning: {text}") for text in self.notes]
        lines += [harmless(f"{self.name}: {text}") for text in self._facts]
        return "\n".join(lines) + "\n"


def span(seconds: float) -> str:
    """A time taken, for people: `0:07`, `1:02:30`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _labelled(stream: str, text: str) -> str:
    return text if not stream or text.startswith(f"{stream}:") else f"{stream}: {text}"


def columns(table: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> Iterable[str]:
    """The lines of a plain-text table; the columns named in `right` are aligned to the right."""
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    for row in table:
        cells = (
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


# Logging

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    r"""`text` with control characters as `\x1b`: one from outside could forge a line, or talk to the terminal."""

    def shown(found: re.Match[str]) -> str:
        code = ord(found[0])
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    return _CONTROLS.sub(shown, text)


def configure(
    name: str, *, log_format: str = "text", level: int = logging.INFO, mask: Callable[[str], str] = str
) -> None:
    """Send the tap's log lines to stderr, as text or as JSON, with secrets masked whoever wrote them."""
    handler = StderrHandler()
    handler.setFormatter(JsonFormatter(mask, app_name=name) if log_format == "json" else TextFormatter(mask))
    for logger in (logging.getLogger(name), logging.getLogger(name.replace("-", "_")), logging.getLogger("shared")):
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler  # not generic at run time before Python 3.11


class StderrHandler(_StreamHandler):
    """Writes to what is `sys.stderr` at the moment: the live view puts itself in between while it is shown."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Nothing: a stderr that is full or closed ends no run, and there is nowhere else to say so."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError("the stream is always sys.stderr")


class TextFormatter(logging.Formatter):
    """`INFO METRIC: {...}`: singer-python's own layout, which log parsers know."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__("%(levelname)s %(message)s")
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = harmless(self._mask(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return "\n".join(harmless(self._mask(line)) for line in super().formatException(ei).split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the members of Meltano's SDK's structured logs, which Meltano shows as its own."""

    def __init__(self, mask: Callable[[str], str], *, app_name: str) -> None:
        super().__init__()
        self._mask = mask
        self._app_name = app_name

    def format(self, record: logging.LogRecord) -> str:
        metric = getattr(record, "metric_info", None)
        line = {
            "level": record.levelname.lower(),
            "pid": record.process,
            "logger_name": record.name,
            "ts": record.created,
            "thread_name": record.threadName,
            "app_name": self._app_name,
            "stream_name": getattr(record, "stream_name", None) or None,
            "message": "METRIC" if metric else harmless(self._mask(record.getMessage())),
            "extra": getattr(record, "summary", None) or {},
        }
        if metric:
            line["metric_info"] = metric
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = {
                "type": record.exc_info[0].__name__,
                "module": record.exc_info[0].__module__,
                "message": str(record.exc_info[1]),
                "traceback": self.formatException(record.exc_info).splitlines(),
            }
        return self._mask(json.dumps(line, ensure_ascii=False, default=str))
