"""The one list of taps: the packages `tap_*` that lie beside `shared`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..sandbox import Sandbox
from ..tap import Tap

ROOT = Path(__file__).resolve().parent.parent.parent
"""The folder that holds `shared` and the taps: the checkout, or site-packages."""

TAPS = tuple(sorted(path.parent.name for path in ROOT.glob("tap_*/tap.py")))
"""The package of every tap."""


def tap_of(package: str) -> Tap:
    """A package's description of its tap."""
    tap = import_module(f"{package}.tap").TAP
    assert isinstance(tap, Tap)
    return tap


def sandbox_of(package: str, **options: object) -> Sandbox:
    """A tap's sandbox, not started."""
    make = tap_of(package).sandbox
    assert make is not None, f"{package} has no sandbox"
    return make({name: str(value) for name, value in options.items()})
