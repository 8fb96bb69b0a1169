"""The record of a run: `--report FILE.html`, a page that needs no network and no script, and `FILE.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from ..report import OTHER, Counts, Report, Span, harmless
from ..timestamps import UTC

_STYLE = """
:root { color-scheme: light dark; --back: #fbfbfa; --card: #fff; --ink: #1c1e21; --soft: #62676f; --line: #e2e4e8;
  --api: #2f6fde; --quota: #e0a021; --good: #24875a; --bad: #c8372d; }
@media (prefers-color-scheme: dark) { :root { --back: #14161a; --card: #1c1f25; --ink: #e8eaee; --soft: #9aa1ac;
  --line: #30343c; --api: #6ea0ff; --quota: #f0bd55; --good: #5cc492; --bad: #ff8177; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 22px; margin: 0 0 2px; } h2 { font-size: 16px; margin: 28px 0 8px; } p { margin: 0; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 8px; margin-top: 16px; }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
.cards b { display: block; font-size: 19px; font-variant-numeric: tabular-nums; }
.box { background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { padding: 5px 8px; text-align: right; white-space: nowrap; border-top: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; border-top: 0; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
td.left, th.left { text-align: left; }
td.wide { white-space: normal; overflow-wrap: anywhere; min-width: 120px; }
.wait { display: flex; width: 70px; height: 8px; border-radius: 4px; overflow: hidden; background: var(--line); }
.api { background: var(--api); } .quota { background: var(--quota); }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin: 0 4px 0 12px; }
.rows { padding: 8px 12px; }
.row { display: grid; grid-template-columns: minmax(110px, 220px) 1fr; gap: 10px; align-items: center; }
.row { min-height: 20px; }
.row span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 13px; }
.track { position: relative; height: 12px; border-radius: 4px; background: var(--line); overflow: hidden; }
.track i { position: absolute; top: 0; bottom: 0; min-width: 2px; background: var(--api); opacity: .75; }
.axis { display: flex; justify-content: space-between; font-size: 12px; color: var(--soft); }
code { font-size: 13px; overflow-wrap: anywhere; } details { margin-top: 4px; overflow-wrap: anywhere; }
ul { margin: 0; padding: 8px 12px 8px 28px; } li { margin: 4px 0; overflow-wrap: anywhere; }
@media (max-width: 600px) { .row { grid-template-columns: 112px 1fr; } main { padding: 16px 10px 32px; }
  .cards { grid-template-columns: repeat(2, 1fr); } }
"""


@dataclass(frozen=True)
class Facts:
    """What the report itself does not know of its run: the tap's version, the command as given, when it began."""

    version: str
    command: str
    began: datetime


def for_programs(report: Report, facts: Facts, now: datetime | None = None) -> str:
    """What the page says, as JSON; times in seconds, instants in UTC."""
    streams, seconds = report.account()
    made = {
        "tap": report.name,
        "version": facts.version,
        "command": facts.command,
        "began": _stamp(facts.began),
        "ended": _stamp(now or datetime.now(UTC)),
        "seconds": round(seconds, 3),
        "exit_code": report.exit_code,
        "selected": report.selected,
        "streams": [
            {
                "stream": counts.stream or None,
                "outcome": counts.outcome or None,
                "records": counts.records,
                "requests": counts.requests,
                "retries": counts.retries,
                "bytes_received": counts.size,
                "seconds_waited_for_quota": round(counts.waited, 3),
                "seconds_waited_for_api": round(counts.answered, 3),
                "bookmark_before": counts.before,
                "bookmark_after": counts.bookmark,
                "problems": list(counts.problems),
            }
            for counts in streams
        ],
        "warnings": report.notes,
    }
    return json.dumps(made, indent=2, ensure_ascii=False, default=str) + "\n"


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def page(report: Report, facts: Facts, now: datetime | None = None) -> str:
    """The page about what `report` has counted."""
    streams, seconds = report.account()
    began, ended = (each.strftime("%Y-%m-%d %H:%M:%S UTC") for each in (facts.began, now or datetime.now(UTC)))
    return "".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(report.name)}, {ended}</title><style>{_STYLE}</style><main>",
            f"<h1>{escape(report.name)} {escape(facts.version)}: {_verdict(streams)}</h1>",
            f'<p class="soft">{began} to {ended}, {_seconds(seconds)}. Exit code {report.exit_code}.</p>',
            f"<p><code>{escape(facts.command)}</code></p>",
            *_selection(report.selected),
            _cards(streams, seconds),
            "<h2>Timeline</h2>",
            *_timeline(streams, seconds),
            "<h2>Streams</h2>",
            *_table(streams),
            *_shares(report.shares.values()),
            "<h2>Left out</h2>",
            *_left_out(streams),
            "<h2>Warnings</h2>",
            *_warnings(streams, report.notes),
            "</main></html>\n",
        )
    )


def _selection(names: list[str]) -> Iterator[str]:
    if names:
        yield f'<details class="soft"><summary>{len(names)} stream{"" if len(names) == 1 else "s"} selected</summary>'
        yield f"<p>{escape(', '.join(names))}</p></details>"


def _verdict(streams: Iterable[Counts]) -> str:
    ended = [counts.outcome for counts in streams if counts.started is not None]
    short = sum(outcome not in ("complete", "unavailable") for outcome in ended)
    if short:
        return f'<span class="bad">{short} of {len(ended)} streams not complete</span>'
    return f'<span class="good">{len(ended)} stream{"" if len(ended) == 1 else "s"} complete</span>'


def _cards(streams: list[Counts], seconds: float) -> str:
    records = sum(counts.records for counts in streams)
    cards = (
        ("records", f"{records:,}"),
        ("records a second", f"{records / seconds:,.0f}" if seconds else "-"),
        ("requests", f"{sum(counts.requests for counts in streams):,}"),
        ("retries", f"{sum(counts.retries for counts in streams):,}"),
        ("received", _bytes(sum(counts.size for counts in streams))),
        ("waited for quota", _seconds(sum(counts.waited for counts in streams))),
        ("waited for the API", _seconds(sum(counts.answered for counts in streams))),
    )
    return f'<div class="cards">{"".join(f"<div><b>{value}</b>{name}</div>" for name, value in cards)}</div>'


def _table(streams: list[Counts]) -> Iterator[str]:
    yield '<div class="box"><table><tr><th>stream<th class="left">outcome<th>records<th>requests<th>retries<th>received'
    yield '<th>quota<th>API<th class="left">waits<th class="left">bookmark before<th class="left">bookmark after</tr>'
    longest = max((counts.waited + counts.answered for counts in streams), default=0) or 1
    for counts in streams:
        is_good = counts.outcome in ("complete", "unavailable", "")
        bar = "".join(
            f'<span class="{name}" style="width:{100 * part / longest:.1f}%"></span>'
            for name, part in (("quota", counts.waited), ("api", counts.answered))
        )
        yield (
            f"<tr><td>{escape(counts.stream or OTHER)}"
            f'<td class="left {"good" if is_good else "bad"}">{escape(counts.outcome) or "-"}'
            f"<td>{counts.records:,}<td>{counts.requests:,}<td>{counts.retries:,}<td>{_bytes(counts.size)}"
            f"<td>{_seconds(counts.waited)}<td>{_seconds(counts.answered)}"
            f'<td><div class="wait">{bar}</div>'
            f'<td class="left">{_instant(counts.before)}<td class="left">{_instant(counts.bookmark)}</tr>'
        )
    yield '</table></div><p class="soft"><span class="key quota"></span>waited for quota'
    yield '<span class="key api"></span>waited for the API, all requests together</p>'


def _shares(shares: Iterable[Counts]) -> Iterator[str]:
    """A row for each part of the account, those that lack something first."""
    found = sorted(shares, key=lambda counts: (not counts.problems, counts.stream))
    if not found:
        return
    yield '<h2>Parts of the account</h2><div class="box"><table><tr><th>part<th>records<th class="left">incomplete</tr>'
    for counts in found:
        lacking = f'<td class="left bad">{escape(", ".join(counts.problems))}' if counts.problems else "<td>"
        yield f"<tr><td>{escape(counts.stream)}<td>{counts.records:,}{lacking}</tr>"
    yield "</table></div>"


def _left_out(streams: list[Counts]) -> Iterator[str]:
    """What is missing, by name and reason: the rows of which parents, which pages and rows."""
    if not any(counts.missing for counts in streams):
        yield '<p class="soft">Nothing.</p>'
        return
    yield '<div class="box"><table><tr><th>stream<th class="left">what<th class="left">how<th class="left">why</tr>'
    for counts in streams:
        for each in counts.missing:
            yield f'<tr><td>{escape(counts.stream)}<td class="left wide">{escape(harmless(each.what)) or "all of it"}'
            yield f'<td class="left">{escape(each.how)}<td class="left wide">{escape(harmless(each.why))}</tr>'
        if counts.missing_more:
            yield f'<tr><td>{escape(counts.stream)}<td class="left">{counts.missing_more:,} more<td><td></tr>'
    yield "</table></div>"


def _timeline(streams: list[Counts], seconds: float) -> Iterator[str]:
    whole = seconds or 1
    yield '<div class="box rows">'
    for counts in streams:
        if not counts.units:
            continue
        units = sum(span.units for span in counts.units)
        title = f"{escape(counts.stream)}: {units:,} unit{'' if units == 1 else 's'}"
        marks = "".join(
            f'<i style="left:{100 * span.began / whole:.2f}%;width:{100 * (span.ended - span.began) / whole:.2f}%"></i>'
            for span in _joined(sorted(counts.units), whole / 500)
        )
        yield f'<div class="row" title="{title}"><span>{escape(counts.stream)}</span>'
        yield f'<div class="track">{marks}</div></div>'
    yield f'<div class="row"><span></span><div class="axis"><span>0</span><span>{_seconds(whole / 2)}</span>'
    yield f"<span>{_seconds(whole)}</span></div></div></div>"
    yield '<p class="soft">Each mark is a unit of work being read: a stream, a parent’s children, a window of time.</p>'


def _joined(spans: list[Span], gap: float) -> Iterator[Span]:
    """The spans, those that touch or nearly do as one: no eye sees more."""
    before: Span | None = None
    for span in spans:
        if before is not None and span.began <= before.ended + gap:
            before = Span(before.began, max(before.ended, span.ended))
            continue
        if before is not None:
            yield before
        before = span
    if before is not None:
        yield before


def _warnings(streams: list[Counts], notes: list[str]) -> Iterator[str]:
    texts = [
        text if not counts.stream or text.startswith(f"{counts.stream}:") else f"{counts.stream}: {text}"
        for counts in streams
        for text in counts.problems
    ]
    if not (texts or notes):
        yield '<p class="soft">None.</p>'
        return
    yield f'<div class="box"><ul>{"".join(f"<li>{escape(text)}" for text in (*texts, *notes))}</ul></div>'


def _instant(value: Any) -> str:
    return escape(str(value)[:19].replace("T", " ")) if value else "-"


def _seconds(value: float) -> str:
    if value < 100:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
