"""The description of the tap: its settings, its client, its streams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from shared.settings import Setting
from shared.tap import Tap

from . import __version__
from .client import check, connect
from .streams import STREAMS

if TYPE_CHECKING:
    from shared.sandbox import Sandbox

SETTINGS = (
    Setting(
        name="api_key",
        description="An API key with read access.",
        required=True,
        secret=True,
        label="API key",
    ),
    Setting(
        name="page_size",
        type="integer",
        description="Rows to ask for at once.",
        default=100,
        minimum=1,
        maximum=100,
    ),
)


def _sandbox(options: Mapping[str, str]) -> Sandbox:
    from .sandbox import SkeletonSandbox

    return SkeletonSandbox(options)


TAP = Tap(
    name="tap-skeleton",
    title="Skeleton",
    version=__version__,
    schemas=Path(__file__).with_name("schemas"),
    settings=SETTINGS,
    connect=connect,
    check=check,
    streams=STREAMS,
    sandbox=_sandbox,
    describe_key="An API key is made in the settings of the account.",
)
