"""The last word of a run that was stopped: what still runs for it at the API is ended."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable

from ..api.client import Client
from ..errors import QuotaError, Stopped, TapError
from ..protocol.state import State
from .run import Run

SECONDS = 2.5
"""A stopped process has five in all."""
PAUSE_SECONDS = 0.3


def cancel(runs: Iterable[Run], state: State, client: Client, log: logging.Logger) -> None:
    """End what the state says is under way, as far as the API's quota and the time left allow."""
    left = deque(
        (run.name, run.stream.cancel, resume)
        for run in runs
        if run.stream.cancel
        for resume in ((state.member(run.name, "resume") or {}).get("units") or {}).values()
    )
    until = time.monotonic() + SECONDS
    while left:
        name, end, resume = left.popleft()
        try:
            end(client.parting(), resume)
        except QuotaError as error:
            if time.monotonic() > until:
                log.warning("%s Not cancelled: that and %d more.", error, len(left))
                return
            left.appendleft((name, end, resume))
            time.sleep(PAUSE_SECONDS / client.speed)
        except (TapError, Stopped) as error:
            log.warning("%s: could not cancel what is running at the API: %s", name, error)
