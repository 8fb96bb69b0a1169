"""A tap's command in this process, against a sandbox that is already there: many short runs without many starts."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..command import cli
from ..command.start import parse
from ..sandbox import Sandbox
from ..tap import Tap
from .runs import Result, given


@dataclass
class _Inside(cli.Command):
    """The command, with a sandbox that was not made for it; it starts that, and stops it at the end."""

    box: Sandbox | None = None

    def _sandbox(self) -> Sandbox | None:
        assert self.box is not None
        self.box.start()
        return self.box


def run_inside(
    tap: Tap,
    box: Sandbox,
    arguments: Sequence[str],
    *,
    config: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    folder: Path,
) -> Result:
    """What a run gives, as `run_tap` does. The waits are as much shorter as the sandbox's clock is faster."""
    began = time.monotonic()
    options = [*arguments, *given(folder, config=config, state=state)]
    read = parse(tap.name, tap.title, tap.version, oauth=False, argv=options)
    out, errors = io.BytesIO(), io.StringIO()
    with io.TextIOWrapper(out, encoding="utf-8", write_through=True) as stdout:
        with redirect_stdout(stdout), redirect_stderr(errors):
            status = _Inside(tap, read, box=box).run()
        return Result(status, out.getvalue(), errors.getvalue(), time.monotonic() - began)
