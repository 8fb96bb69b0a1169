"""The taps there are; everything that holds for each of them is tested for each of them."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from shared.tap import Tap

TAPS = ("tap_campaign_monitor", "tap_customerio", "tap_iterable", "tap_klaviyo", "tap_mailchimp")
"""The package of every tap."""

THOROUGH = "tap_mailchimp"
"""The tap that shows the engine's promises at twenty moments; the others at a few, so that all tests take minutes."""

SMALL_PAGES: dict[str, dict[str, Any]] = {
    "tap_campaign_monitor": {"page_size": 100},
    "tap_customerio": {"messages_window_days": 10},
    "tap_iterable": {"page_size": 20, "api_window_in_days": 60, "max_window_in_days": 150},
    "tap_klaviyo": {"page_size": 20},
    "tap_mailchimp": {"page_size": 100},
}
"""Settings that make a tap's walks long."""

GRANTED: dict[str, dict[str, Any]] = {"tap_customerio": {"rate": 1000}}
"""Options of a sandbox that grants more requests a second than its API, where that alone would make a test long."""

SCARCE: dict[str, tuple[str, ...]] = {"tap_klaviyo": ("metric_properties",)}
"""Streams whose quota would have a run wait for minutes where the sandbox's clock is that of the wall."""

WALKS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "tap_iterable": (
        ("list_users", {}),
        ("email_send", {}),
        ("email_send", {"export_mode": "job"}),
        ("metadata", {}),
    ),
    "tap_klaviyo": (
        ("receive", {"event_window_days": 8}),
        ("profiles", {}),
        ("events", {}),
    ),
    "tap_mailchimp": (
        ("list_members", {}),
        ("list_segment_members", {}),
        ("reports_email_activity", {}),
        ("reports_email_activity", {"email_activity_mode": "batch"}),
        ("audience_contacts", {}),
        ("member_tags", {}),
    ),
    "tap_customerio": (("eps_suppression", {}),),
    "tap_campaign_monitor": (("list_active_subscribers", {}), ("campaign_opens", {}), ("campaign_recipients", {})),
}
"""Each kind of walk of a tap: a stream that is read that way, and the settings for it."""

APART: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "tap_mailchimp": (
        ("member_activity", "member_activity_feed", "member_events", "member_goals"),
        {"scale": 0.02},
    ),
}
"""Streams that take a request per row of another, however large it is: read apart from all others, in an account of the
size that the sandbox's options say.
"""

ROOT = Path(__file__).parent.parent


def pytest_xdist_auto_num_workers() -> int:
    """Half again as many as there are cores: whole runs wait for sockets and for the pace of the sandbox."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


def tap_of(package: str) -> Tap:
    """A package's description of its tap."""
    tap = import_module(f"{package}.tap").TAP
    assert isinstance(tap, Tap)
    return tap


@pytest.fixture(params=TAPS)
def tap(request: pytest.FixtureRequest) -> Tap:
    return tap_of(request.param)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell exports does not reach the taps under test."""
    for name in list(os.environ):
        if name.startswith("TAP_") or name in {"LOGLEVEL", "NO_COLOR"}:
            monkeypatch.delenv(name)
