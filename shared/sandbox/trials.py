"""What the tests of every tap have to know of one: how to make its walks long, and which kinds of walk it has.

A sandbox states it as `trials`, so that a new tap registers nothing in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .routes import Refusal


@dataclass(frozen=True, kw_only=True)
class Trials:
    """How one tap is tried (see `shared.testing.contract`).

    small_pages   settings that make the tap's walks long
    walks         a stream and further settings for each kind of walk; the tap is killed within each
    options       the sandbox's options for all runs
    apart         streams that take a request per row of another, however many it has: read in runs of their own
    apart_options the sandbox's options for those runs; `scale` makes the account small
    granted       the sandbox's options where rows come and go: it may grant more requests a second than the API
    scarce        streams whose quota would have such a run wait for minutes, since the sandbox's clock is not sped up
    thorough      this tap shows the engine's promises at twenty moments, the others at a few
    fault_options the sandbox's options for an account as small as the trial of single faults allows
    fault_settings
                  settings that cut its few rows into several pages; those of `small_pages` hold too
    refused       how the vendor answers a credential that may not read something; `gone`: an id that is no more;
                  `unwelcome`: a request that it does not understand; `unavailable`: what the plan lacks, where the
                  vendor has words of its own for that
    """

    small_pages: Mapping[str, Any] = field(default_factory=dict)
    walks: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    apart_options: Mapping[str, Any] = field(default_factory=dict)
    granted: Mapping[str, Any] = field(default_factory=dict)
    scarce: tuple[str, ...] = ()
    thorough: bool = False
    fault_options: Mapping[str, Any] = field(default_factory=dict)
    fault_settings: Mapping[str, Any] = field(default_factory=dict)
    refused: Refusal = field(default_factory=lambda: Refusal(403))
    gone: Refusal = field(default_factory=lambda: Refusal(404))
    unwelcome: Refusal = field(default_factory=lambda: Refusal(400))
    unavailable: Refusal | None = None
