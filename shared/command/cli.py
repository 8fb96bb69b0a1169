"""The Singer command line: arguments, logging, signals, exit codes. Knows neither requests nor records.

`--version` and `--help` answer within 100 ms, so whatever is heavy is imported in the function that needs it.

Exit codes: 0 all selected streams complete; 1 some stream failed or was refused; 2 bad config, state, catalog or
arguments; 3 credential refused; 130 and 143 after SIGINT and SIGTERM; 141 when stdout was closed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import CatalogError, ConfigError, StateError, Stopped, TapError, unable

if TYPE_CHECKING:
    from types import FrameType

    from ..api.client import Client, Context
    from ..evidence.recorder import Recorder
    from ..protocol.selection import Selection
    from ..protocol.state import State
    from ..report import Report
    from ..sandbox import Sandbox
    from ..streams import Stream
    from ..tap import Tap
    from . import discovery
    from .config import Config

GRACE_SECONDS = 4.5
"""After the first signal a run has so long to end by itself; a target that reads no more must not hold it longer."""
BROKEN_PIPE = 141
LONGEST_LINE = 500
"""Characters of the line that says why a command fails."""


def run(tap: Tap, arguments: argparse.Namespace) -> NoReturn:
    """The whole life of a tap's command once its arguments are known; ends the process."""
    _open_standard_streams()
    command = Command(tap, arguments)
    if sys.stdout is None:
        _leave(BROKEN_PIPE, command.signals)
    try:
        code = command.run()
        sys.stdout.flush()
    except BrokenPipeError:
        _leave(BROKEN_PIPE, command.signals)
    except KeyboardInterrupt:
        _leave(128 + signal.SIGINT, command.signals)
    except OSError as error:  # what stdout still held
        command.fail(unable(error) or str(error))
        code = 1
    command.signals.wait_for_renewal()
    sys.exit(code)


def _leave(code: int, signals: _Signals) -> NoReturn:
    """End at once: threads that are in the middle of a request, and a closed stdout, are no reason to wait. Only a
    token that is being renewed is.
    """
    for stream in (sys.stderr, sys.stdout):
        with suppress(OSError, AttributeError):
            stream.flush()
    signals.wait_for_renewal()
    os._exit(code)


def _open_standard_streams() -> None:
    """See that the numbers of stdin, stdout and stderr are taken: else a file or socket would get one, and the text."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process lives


def say(text: str) -> None:
    """Write to stderr; one that is full or closed ends no run."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text)


# Signals


class _Signals:
    """The first SIGINT or SIGTERM asks the run to end, a second one ends it; neither while a token is renewed."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.number = 0
        self.renewing = threading.Lock()
        self._is_gentle = True

    @contextmanager
    def caught(self, *, is_gentle: bool) -> Iterator[None]:
        """While the block runs; elsewhere the signals do what they always do. Not `is_gentle`: the first one ends it,
        since nothing half done is to be kept.
        """
        self._is_gentle = is_gentle
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait_for_renewal(self) -> None:
        """Waits until no token is being renewed, within the grace; from then on none will be."""
        self.renewing.acquire(timeout=GRACE_SECONDS)

    def _handle(self, number: int, _: FrameType | None) -> None:
        is_last = bool(self.number) or not self._is_gentle
        self.number = self.number or number
        self.stop.set()
        if is_last and self.renewing.acquire(blocking=False):
            os._exit(128 + number)
        # Writing to a target that has stopped reading blocks for ever; nothing but this thread would then be left.
        timer = threading.Thread(target=self._end, args=(128 + number, is_last), daemon=True)
        try:
            timer.start()
        except RuntimeError:  # no more threads: the run ends by itself, or by the next signal
            self._is_gentle = False

    def _end(self, code: int, is_last: bool) -> None:
        if is_last:
            self.wait_for_renewal()
        else:
            time.sleep(GRACE_SECONDS)
        os._exit(code)


# Commands


@dataclass
class Command:
    """What the command was asked for, and all that it takes to do it."""

    tap: Tap
    arguments: argparse.Namespace
    mask: Callable[[str], str] = str
    log_format: str = "text"
    account: str | None = None
    signals: _Signals = field(default_factory=_Signals)
    began: float = field(default_factory=time.time)

    def run(self) -> int:
        """Do what was asked for; the exit code."""
        arguments = self.arguments
        if arguments.about:
            from ..protocol.messages import Writer
            from .about import about

            Writer().text(about(self.tap, arguments.format))
            return 0
        self._set_up_logging()
        others = (arguments.discover, arguments.test, arguments.plan is not None, arguments.authorize)
        if not (arguments.config or arguments.env or arguments.sandbox is not None or any(others)):
            from .welcome import welcome

            say(welcome(self.tap))
            return ConfigError.exit_code
        try:
            with self.signals.caught(is_gentle=not any(others)):
                if arguments.discover:
                    return self._discover()
                if arguments.test:
                    return self._test()
                if arguments.plan is not None:
                    return self._plan()
                if arguments.authorize:
                    return self._authorize()
                return self._sync()
        except TapError as error:
            self.fail(str(error))
            self._end_if_signalled()
            return error.exit_code
        except Stopped:
            self._end_if_signalled()
            return 1
        except (BrokenPipeError, KeyboardInterrupt):
            raise
        except Exception as error:  # our own bug: one line for the user, the traceback for who asks for it
            self._end_if_signalled()
            if text := unable(error):
                self.fail(text)
                return 1
            name = self.tap.name
            self.fail(
                f"unexpected {type(error).__name__}: {error}. This is a bug in {name}; --log-level debug shows where."
            )
            logging.getLogger(name).debug("traceback", exc_info=True)
            return 1

    def _discover(self) -> int:
        from ..protocol import catalog
        from ..protocol.messages import Writer
        from . import discovery

        with self._surroundings(is_partial=True) as (config, context):
            if config.is_complete:
                with closing(self.tap.connect(context)) as client:
                    streams, schemas = discovery.discover(self.tap, client)
            else:
                context.report.log.info("without a credential in the config, the catalog holds what every account has")
                streams, schemas = discovery.discover(self.tap, None)
            Writer().catalog(catalog.build(self.tap.name, streams, schemas, config.settings))
        return 0

    def _test(self) -> int:
        from ..report import columns, harmless
        from . import discovery

        table = [("stream", "endpoint", "result", "")]
        with self._surroundings() as (config, context), closing(self.tap.connect(context)) as client:
            with discovery.test_patience(client):
                self.tap.check(client)
            streams, schemas, _ = discovery.of_account(self.tap, client, is_wanted=frozenset().__contains__)
            names = [selection.stream.name for selection in self._choose(streams, schemas, config)]
            for found in discovery.test(self.tap, client, streams, names):
                table.append((found.stream, found.endpoint, found.word, harmless(self._masked(found.detail))))
            say("\n".join(columns(table)) + "\n")
        words = {row[2] for row in table[1:]}
        is_refused = "forbidden" in words and config.settings["fail_on_forbidden"]
        return 1 if "failed" in words or is_refused else 0

    def _plan(self) -> int:
        from ..protocol.messages import Writer
        from . import shards

        with self._surroundings() as (config, context), closing(self.tap.connect(context)) as client:
            streams, selections, _ = self._chosen(client, config)
            found = shards.shards(client, streams, selections, config.settings, self.arguments.plan)
            Writer().text(json.dumps({"tap": self.tap.name, "shards": found}, indent=2))
        return 0

    def _authorize(self) -> int:
        import webbrowser

        from . import authorize

        with self._surroundings(is_partial=True) as (config, context):
            authorize.authorize(
                self.tap,
                config,
                open_browser=webbrowser.open,
                stdin=sys.stdin,
                stderr=sys.stderr,
                renewing=context.renewing,
            )
        return 0

    def _sync(self) -> int:
        from ..protocol.batch import batch_files
        from ..protocol.messages import Writer
        from ..sync import sync
        from . import progress
        from .preview import Preview

        rows = self.arguments.preview
        with self._surroundings() as (config, context), closing(self.tap.connect(context)) as client:
            state = self._state(config)
            streams, selections, missing = self._chosen(client, config)
            self._adopt(state, streams, client, context.report)
            report = context.report
            report.selected = [selection.stream.name for selection in selections]
            settings = config.settings if rows is None else {**config.settings, "batch": None}
            preview = None if rows is None else Preview(selections, rows, report, context.stop)
            writer = preview or Writer(batches=batch_files(settings))
            with self._summary(report):
                with progress.live(report, is_shown=self._is_watched()):
                    code = sync.run(
                        tap=self.tap,
                        client=client,
                        streams=streams,
                        selections=selections,
                        state=state,
                        writer=writer,
                        settings=settings,
                        report=report,
                        stop=context.stop,
                        missing=missing,
                    )
                    writer.flush()
                    self._tell_masks(report, selections, config)
                code = report.exit_code = preview.end(code) if preview else code
            self._end_if_signalled()
        return code

    def _tell_masks(self, report: Report, selections: Sequence[Selection], config: Config) -> None:
        from ..protocol.patterns import masks_met

        for pattern, how, paths in masks_met((dict(each.masked) for each in selections), config.settings):
            if paths:
                more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
                report.fact(f"mask {pattern} ({how}): {', '.join(paths[:10])}{more}")
            else:
                report.warn("", f"mask {pattern} ({how}) met no field of the streams read: check its spelling")

    def _chosen(
        self, client: Client, config: Config
    ) -> tuple[Sequence[Stream], Sequence[Selection], Mapping[str, TapError]]:
        """The streams of this account, whose credential is checked, those to read, and those that cannot be, though
        they are selected. The account's own fields are asked only for those to read.
        """
        from ..process import be_quick
        from ..protocol import catalog
        from ..protocol.messages import singer
        from . import discovery

        def load() -> None:
            singer()
            be_quick()

        streams, schemas = discovery.known(self.tap)
        before = self._choose(streams, schemas, config, is_partial=True)
        known, wanted = {stream.name for stream in streams}, {selection.stream.name for selection in before}
        # While the first request is under way; what is worked out before it keeps nobody waiting after it either.
        loading = threading.Thread(target=load)
        loading.start()
        self.account = self.tap.check(client)
        streams, schemas, missing = discovery.of_account(
            self.tap, client, is_wanted=lambda name: name in wanted or name not in known, known_schemas=schemas
        )
        loading.join()
        for name in catalog.lost(self._catalog(), streams, self.arguments.select, self.arguments.exclude):
            missing[name] = CatalogError(
                f"{name}: the catalog selects this stream, and the account has it no longer (or could not be asked). "
                "Run --discover, and deselect the stream if it is gone."
            )
        selections = self._choose(streams, schemas, config, before=before)
        self._say_what_patterns_took([selection.stream for selection in selections])
        return streams, selections, missing

    def _say_what_patterns_took(self, streams: Sequence[Stream]) -> None:
        """Streams that are off by default cost more; a pattern may take them without its author's knowing."""
        for pattern in self.arguments.select:
            if taken := [
                stream.name
                for stream in streams
                if not stream.selected and stream.name != pattern and fnmatchcase(stream.name, pattern)
            ]:
                logging.getLogger(self.tap.name).info(
                    "--select %s takes streams that are off by default too: %s", pattern, ", ".join(taken)
                )

    def _is_watched(self) -> bool:
        from .progress import is_terminal

        return self.log_format == "text" and not self.arguments.no_progress and is_terminal(sys.stderr, os.environ)

    def _has_metrics(self) -> bool:
        """METRIC lines are for programs: a person is told by the live view and the table at the end."""
        level = logging.getLogger(self.tap.name).level
        return self.log_format == "json" or level <= logging.DEBUG or not sys.stderr.isatty()

    def _is_preview_shown(self) -> bool:
        return self.arguments.preview is not None and sys.stdout.isatty()

    # What commands have in common

    @contextmanager
    def _surroundings(self, *, is_partial: bool = False) -> Iterator[tuple[Config, Context]]:
        """The config and the context of this run, and the sandbox while it lasts, if one is asked for."""
        from ..report import Report

        sandbox = self._sandbox()
        try:
            config = self._config(sandbox, is_partial=is_partial)
            # Imported only now: it is heavy, and a wrong config is said sooner.
            from ..api.client import Context, present

            recorder = self._recorder(sandbox)
            context = Context(
                settings=config.settings,
                report=Report(self.tap.name, has_metrics=self._has_metrics()),
                stop=self.signals.stop,
                save=config.save if config.settings.get("persist_tokens", True) else lambda _: None,
                reload=config.reload if config.path is not None else None,
                speed=float(sandbox.options.get("speed") or 1) if sandbox is not None else 1.0,
                lock_path=config.path.with_name(f"{config.path.name}.lock") if config.path is not None else None,
                secrets=config.secrets,
                renewing=self.signals.renewing,
                today=sandbox.clock.now if sandbox is not None else present,
                watch=recorder,
            )
            self.mask = context.masks.mask
            if self.tap.adapt is not None:
                self.tap = self.tap.adapt(self.tap, config.settings)
            self._set_up_logging(config)
            for text in config.unknown:
                context.report.warn("", text)
            try:
                yield config, context
            finally:
                if recorder is not None:
                    self._write_shapes(recorder, context.report)
        finally:
            if sandbox is not None:
                sandbox.stop()

    def _recorder(self, sandbox: Sandbox | None) -> Recorder | None:
        if not self.arguments.shapes:
            return None
        from ..evidence.recorder import Recorder

        # What a sandbox calls its fields is no secret, and is to be found again in what is expected of it.
        return Recorder(self.tap, salt=b"" if sandbox is not None else None)

    def _write_shapes(self, recorder: Recorder, report: Report) -> None:
        try:
            recorder.write(self.arguments.shapes)
        except OSError as error:
            report.log.warning("the shapes could not be written to %s: %s", self.arguments.shapes, error.strerror)

    def _sandbox(self) -> Sandbox | None:
        if self.arguments.sandbox is None:
            return None
        from ..sandbox import read_options

        assert self.tap.sandbox is not None  # or the option would not be there
        try:
            sandbox = self.tap.sandbox(read_options(self.arguments.sandbox))
        except ValueError as error:
            raise ConfigError(f"--sandbox {self.arguments.sandbox}: {error}.") from error
        sandbox.start()
        return sandbox

    def _config(self, sandbox: Sandbox | None, *, is_partial: bool) -> Config:
        from . import config

        files = [*self.arguments.config, *([config.ENV] if self.arguments.env else [])]
        if sandbox is None:
            return config.read(self.tap, files, environ=os.environ, is_partial=is_partial)
        return config.read(
            self.tap,
            files,
            environ=os.environ,
            supplied=sandbox.settings,
            forced={"base_url": sandbox.base_url},
            now=sandbox.clock.now,
            is_partial=is_partial,
        )

    def _choose(
        self,
        streams: Sequence[Stream],
        schemas: discovery.Schemas,
        config: Config,
        *,
        is_partial: bool = False,
        before: Sequence[Selection] = (),
    ) -> Sequence[Selection]:
        from ..protocol import catalog

        return catalog.choose(
            self._catalog(),
            streams,
            schemas,
            select=self.arguments.select,
            exclude=self.arguments.exclude,
            settings=config.settings,
            is_partial=is_partial,
            before=before,
        )

    def _catalog(self) -> Any:
        return _parsed(self.arguments.catalog, CatalogError) if self.arguments.catalog else None

    def _state(self, config: Config) -> State:
        from ..protocol.state import State, read_file

        path: str | None = self.arguments.state
        value: Any = {}
        if path and os.path.lexists(path):
            value = read_file(path)
        elif path:
            logging.getLogger(self.tap.name).info("there is no state file %s: a first run, everything is read", path)
        if self.tap.read_state is not None and isinstance(value, dict):
            try:
                value = self.tap.read_state(value, config.settings)
            except (TypeError, AttributeError, ValueError, LookupError, ArithmeticError):
                raise StateError(
                    "state: it has no shape that this tap knows; correct it or run without state"
                ) from None
        return State.read(value)

    def _adopt(self, state: State, streams: Sequence[Stream], client: Client, report: Report) -> None:
        """Make the state that of this run: of this tap and account, with names and bookmarks as they are now."""
        names = {stream.name: stream.aliases for stream in streams}
        state.belong(self.tap.name, self.account, (*names, *(alias for each in names.values() for alias in each)))
        state.adopt(names)
        for text in state.begin(client.now(), {stream.name: stream.replication_key for stream in streams}):
            report.warn("", text)
        self._forget(state, list(names))

    def _forget(self, state: State, names: Sequence[str]) -> None:
        for pattern in self.arguments.full_refresh:
            matched = [name for name in names if fnmatchcase(name, pattern)]
            if not matched:
                raise ConfigError(f"--full-refresh {pattern}: no stream is called like that.")
            for name in matched:
                state.forget(name)

    def _set_up_logging(self, config: Config | None = None) -> None:
        from ..report import configure

        prefix = self.tap.name.upper().replace("-", "_")
        environ = os.environ.get(f"{prefix}_LOGLEVEL") or os.environ.get("LOGLEVEL") or ""
        usual = "error" if self._is_preview_shown() else "info"
        level = logging.getLevelName((self.arguments.log_level or environ or usual).upper())
        if config is not None:
            self.log_format = config.settings["log_format"]
        configure(
            self.tap.name,
            log_format=self.log_format,
            level=level if isinstance(level, int) else logging.INFO,
            mask=self._masked,
        )
        for severity, text in config.notes if config is not None else ():
            logging.getLogger(self.tap.name).log(severity, "%s", text)

    @contextmanager
    def _summary(self, report: Report) -> Iterator[None]:
        """Says at the end of the block how each stream went, however it ended; but nothing when nobody listens."""
        try:
            yield
        except BrokenPipeError:
            raise
        except BaseException as error:
            report.exit_code = error.exit_code if isinstance(error, TapError) else 1
            self._summarise(report)
            raise
        self._summarise(report)

    def _summarise(self, report: Report) -> None:
        if self.arguments.report:
            self._write_reports(report)
        if self._is_preview_shown():
            say(self._masked("".join(f"{line}\n" for line in report.problems())))
            return
        if self.log_format == "text":
            say(self._masked(report.summary()))
            return
        for row in report.rows():
            text = f"{row['stream']}: {row['records']} records, {row['requests']} requests"
            report.log.info("%s", text, extra={"stream_name": row["stream"], "summary": row})

    def _write_reports(self, report: Report) -> None:
        from . import report_page

        if self.signals.number:
            report.exit_code = 128 + self.signals.number
        command = shlex.join([self.tap.name, *sys.argv[1:]])
        about = report_page.Facts(
            version=self.tap.version, command=command, began=datetime.fromtimestamp(self.began, timezone.utc)
        )
        for path in self.arguments.report:
            made = report_page.for_programs if path.lower().endswith(".json") else report_page.page
            text = self._masked(made(report, about))
            try:
                # Not through a link, which another user of the machine may have put there.
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
                with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                report.log.warning("the report could not be written to %s: %s", path, error.strerror)

    def fail(self, text: str) -> None:
        """Say why the command ends, in one line."""
        from ..report import harmless

        text = harmless(self._masked(" ".join(text.split())))
        room = LONGEST_LINE - len(f"{self.tap.name}: ")
        text = text if len(text) <= room else f"{text[: room - 1]}…"
        if self.log_format == "json":
            logging.getLogger(self.tap.name).error("%s", text)
        else:
            say(f"{self.tap.name}: {text}\n")

    def _masked(self, text: str) -> str:
        return self.mask(text)

    def _end_if_signalled(self) -> None:
        if self.signals.number:
            # Workers may be in the middle of a request, and are not waited for.
            _leave(128 + self.signals.number, self.signals)


# Files


def _parsed(path: str, error_class: type[TapError]) -> Any:
    from ..files import UnfitError, parsed, read_text

    try:
        return parsed(read_text(path))
    except UnfitError as error:
        raise error_class(f"{path} is not JSON: {error}.") from error
    except (OSError, ValueError) as error:
        raise error_class(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
