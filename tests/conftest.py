"""The taps there are; everything that holds for each of them is tested for each of them."""

from __future__ import annotations

import os

import hypothesis
import pytest

from shared.tap import Tap
from shared.testing.taps import ROOT, TAPS, tap_of

pytest.register_assert_rewrite("shared.testing.contract")

from shared.testing import contract  # noqa: E402 - its asserts are to be rewritten

# No test has an absolute limit of time: on a busy machine it would fail without a fault.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

__all__ = ["ROOT", "TAPS", "tap_of"]


def pytest_addoption(parser: pytest.Parser) -> None:
    contract.pytest_addoption(parser)
    parser.addoption("--matrix", action="store_true", help="the whole fault matrix, not a sample of it")


def pytest_xdist_auto_num_workers() -> int:
    """Half again as many as there are cores: whole runs wait for sockets and for the pace of the sandbox."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


@pytest.fixture(params=TAPS)
def tap(request: pytest.FixtureRequest) -> Tap:
    return tap_of(request.param)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell exports does not reach the taps under test."""
    for name in list(os.environ):
        if name.startswith("TAP_") or name in {"LOGLEVEL", "NO_COLOR"}:
            monkeypatch.delenv(name)
