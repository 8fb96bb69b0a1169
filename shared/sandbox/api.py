"""The sandbox itself: from a request to its answer, starting and stopping."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, unquote

from ..errors import ConfigError
from ..process import be_quick
from .afflictions import Afflicted, Affliction, Effect, Match
from .clock import Clock
from .counts import Counts
from .options import OPTIONS, read_faults
from .routes import Answer, Call, Param, Problem, Refusal, Route, read_param
from .rows import Kept, Row, salt
from .server import REASONS, Server
from .trials import Trials

MOST_FAULTS_IN_A_ROW = 6

logger = logging.getLogger(__name__)
Own = TypeVar("Own", bound="Sandbox")


class Sandbox:
    """An API in miniature on a free loopback port. Subclasses describe the API; see the module's docstring."""

    name: ClassVar[str] = "sandbox"
    prefix: ClassVar[str] = ""
    """What of the path belongs to the base URL."""
    connections: ClassVar[int | None] = None
    quotas: ClassVar[Mapping[str, tuple[tuple[int, float], ...]]] = {}
    """Name → (requests, seconds): at most so many begun in any so many seconds of the sandbox's clock."""
    unknown_params_refused: ClassVar[bool] = True
    own_options: ClassVar[Mapping[str, tuple[Callable[[str], Any], str, str]]] = {}
    """Further options, like `OPTIONS`."""
    trials: ClassVar[Trials] = Trials()
    """What the tests of every tap have to know of this one."""

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.options = self._read_options(options or {})
        self.day: int = self.options["day"]
        self.clock = Clock(self.day, self.options["speed"])
        self.stats = Counts()
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._answers = Kept(self.options["cache"] * 1_000_000)
        self._faulted: dict[str, tuple[int, int]] = {}
        self._afflictions: list[Affliction] = []
        self._begun: dict[str, deque[float]] = {}
        self._counted: Counter[str] = Counter()
        self._server: Server | None = None
        self._port: int = self.options["port"]
        self._tree: dict[str, Any] = {}
        for route in (*self.routes(), *_OWN_ROUTES):
            node = self._tree
            for part in route.path.strip("/").split("/"):
                node = node.setdefault("{}" if part.startswith("{") else part, {})
            node.setdefault("", {})[route.method] = route

    # What a vendor's sandbox says.

    def routes(self) -> Sequence[Route]:
        """The API's endpoints."""
        raise NotImplementedError

    def authorise(self, call: Call) -> None:
        """Raise Refusal unless the request's credential is good."""

    def refuse(self, refusal: Refusal) -> Answer:
        """The API's own error for `refusal`."""
        return Answer.of({"status": refusal.status, "detail": refusal.detail}, refusal.status)

    @property
    def settings(self) -> dict[str, Any]:
        """What a config needs to talk to this sandbox."""
        return {"base_url": self.base_url}

    def records(self, stream: str, settings: Mapping[str, Any], *, stayed: bool) -> Iterable[Row]:
        """The records of `stream`, in no particular order; `stayed`: of rows alone that were there all the time."""
        raise NotImplementedError

    def truth(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """The records a faultless full read of `stream` emits on this day."""
        with self.lock:
            return list(self.records(stream, settings or {}, stayed=False))

    def stayed(self, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """With `drift`: the records of rows that were there all the time."""
        with self.lock:
            return list(self.records(stream, settings or {}, stayed=True))

    def as_read(self, stream: str) -> frozenset[str]:
        """Fields of `stream` that show something else as it was when the row was read: that they would be different
        today is no change of the row.
        """
        return frozenset()

    def at_day(self, day: int) -> Sandbox:
        """The same account on another day, not started."""
        texts = {name: str(value) for name, value in self.options.items() if name in ("scale", "seed")}
        return type(self)({**texts, "day": str(day)})

    def changed_since(self, day: int, stream: str, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """The records of `stream` that are new or different today, against those of `day`."""
        before = Counter(json.dumps(record, sort_keys=True) for record in self.at_day(day).truth(stream, settings))
        changed = []
        for record in self.truth(stream, settings):
            text = json.dumps(record, sort_keys=True)
            if before[text]:
                before[text] -= 1
            else:
                changed.append(record)
        return changed

    def prepare(self) -> None:
        """Make ahead what the first answers need, so that whoever measures a tap does not measure this."""

    # Starting and stopping.

    @property
    def root_url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """The API's address, as a config has it."""
        return self.root_url + self.prefix

    def start(self) -> None:
        """Listen on the port and serve in the background."""
        if self._server is not None:
            return
        self.stopping.clear()
        self._server = Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        self.clock.start()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and drop all connections."""
        self.stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.drop_connections()
            self._thread.join(2)
            self._server = None

    def __enter__(self: Own) -> Own:  # noqa: PYI019 - typing.Self came with Python 3.11
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def advance(self, days: int = 1) -> None:
        """Make it `days` later."""
        with self.lock:
            self.day += days
            self.clock.advance(days)
            self._answers.clear()
            self.day_changed()

    def day_changed(self) -> None:
        """Called, under the lock, when the day has moved."""

    # What befalls chosen requests.

    def afflict(self, match: Match, effect: Effect) -> Affliction:
        """Have the requests that `match` fare ill, in one way, until `heal`; see `Affliction`."""
        found = Affliction(match, effect)
        with self.lock:
            self._afflictions.append(found)
        return found

    def heal(self) -> None:
        """All is well again."""
        with self.lock:
            self._afflictions.clear()

    # From a request to its answer.

    def answer(self, call: Call, *, trusted: bool = False) -> Answer:
        """What the API says to `call`; errors are answers too. `trusted` calls need no credential."""
        try:
            if call.route is None:
                self.find(call)
            assert call.route is not None
            if not call.route.public and not trusted:
                self.authorise(call)
            if call.route.quota:
                self._count(call.route.quota)
            self.read_params(call)
            afflicted = Afflicted(self._afflictions, call)
            if (refusal := afflicted.refusal()) is not None:
                return self.refuse(refusal)
            return afflicted.changed(self._handled(call.route, call))
        except Refusal as refusal:
            return self.refuse(refusal)
        except Exception:
            logger.exception("sandbox: %s %s", call.method, call.target)
            return Answer(b"The sandbox itself failed; see its log.", 500, "text/plain")

    def _handled(self, route: Route, call: Call) -> Answer:
        keep = route.lasting and not self.options["drift"]
        if keep and (kept := self._answers.get(call.target)) is not None:
            return kept  # type: ignore[no-any-return]
        with self.lock:
            answer = route.handler(self, call)
        if keep:
            self._answers.put(call.target, answer, len(answer.body) + 500)
        return answer

    def find(self, call: Call) -> None:
        """Give `call` its route; raises Refusal when there is none."""
        node, values = self._tree, []
        # Placeholders may hold an encoded slash, so the path is split before it is decoded.
        for part in call.path.strip("/").split("/"):
            text = unquote(part)
            if text in node and text:
                node = node[text]
            elif "{}" in node and text:
                values.append(text)
                node = node["{}"]
            else:
                raise Refusal(404)
        methods: dict[str, Route] = node.get("", {})
        if not methods:
            raise Refusal(404)
        if call.method not in methods:
            raise Refusal(405)
        call.route = route = methods[call.method]
        names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        call.args = dict(zip(names, values, strict=True))

    def read_params(self, call: Call) -> None:
        """Check the query against the route's parameters and read it into `call.params`."""
        route = call.route
        assert route is not None
        call.query = parse_qsl(call.target.partition("?")[2], keep_blank_values=True)
        for name, text in call.query:
            param = route.params.get(name)
            if param is None:
                if self.unknown_params_refused or self.options["strict"]:
                    raise Refusal(400, f"{name} is unknown", problems=[Problem(name, Param(), text, known=False)])
                self.stats.ignored[f"{route.path} {name}"] += 1
            else:
                call.params[name] = read_param(name, param, text)
        for name, param in route.params.items():
            if name not in call.params:
                if param.required:
                    raise Refusal(400, f"{name} is missing", problems=[Problem(name, param, None)])
                if param.default is not None:
                    call.params[name] = param.default

    def _count(self, quota: str) -> None:
        now = self.clock.now().timestamp()
        with self.lock:
            begun = self._begun.setdefault(quota, deque())
            rates = self.quotas[quota]
            longest = max(seconds for _, seconds in rates)
            while begun and begun[0] <= now - longest:
                begun.popleft()
            for count, seconds in rates:
                recent = [at for at in begun if at > now - seconds]
                if len(recent) >= count:
                    raise Refusal(429, wait_seconds=recent[-count] + seconds - now)
            begun.append(now)
            self._counted[quota] += 1

    @property
    def quota_seconds(self) -> float:
        """The least time that the quotas allow for the requests so far."""
        counted = dict(self._counted)
        return max(
            ((asked - 1) // count * seconds for name, asked in counted.items() for count, seconds in self.quotas[name]),
            default=0.0,
        )

    def fault(self, call: Call) -> str | None:
        """The fault this request meets, if any: one it was afflicted with, or by seed, request and how often it was
        made.
        """
        if (named := Afflicted(self._afflictions, call).fault()) is not None:
            return named
        faults: dict[str, float] = self.options["faults"]
        if not faults or call.target.startswith("/__sandbox__/"):
            return None
        key = f"{call.method} {call.target} {salt(0, call.body) if call.body else ''}"
        with self.lock:
            seen, row = self._faulted.get(key, (0, 0))
            draw = salt(self.options["seed"], "fault", key, seen) / 2**64
            met = None
            for name, chance in faults.items():
                if draw < chance:
                    met = name
                    break
                draw -= chance
            if row >= MOST_FAULTS_IN_A_ROW:
                met = None
            self._faulted[key] = (seen + 1, row + 1 if met else 0)
        return met

    def faulty_answer(self, fault: str, call: Call) -> Answer:
        """The answer of a fault that answers at all."""
        if fault == "html":
            return Answer(b"<html><body><h1>Please wait</h1></body></html>", 200, "text/html")
        if fault == "empty":
            return Answer()
        if fault in ("429", "retry-after"):
            answer = self.refuse(Refusal(429))
            headers = [header for header in answer.headers if header[0].lower() != "retry-after"]
            headers += [("Retry-After", "1")] if fault == "retry-after" else []
            return Answer(answer.body, 429, answer.content_type, tuple(headers))
        status = int(fault)
        if status < 500:
            return Answer(b"", status, "text/html")
        if salt(0, call.target) % 2:
            page = f"<html><head><title>{status}</title></head><body>{REASONS.get(status, 'Error')}</body></html>"
            return Answer(page.encode(), status, "text/html")
        return self.refuse(Refusal(status))

    def _read_options(self, texts: Mapping[str, str]) -> dict[str, Any]:
        known = {**OPTIONS, **self.own_options}
        if unknown := sorted(texts.keys() - known.keys()):
            raise ConfigError(f"sandbox option {', '.join(unknown)} is unknown: known are {', '.join(known)}")
        options: dict[str, Any] = {}
        for name, (read, default, _) in known.items():
            text = str(texts.get(name, default)).strip()
            try:
                options[name] = read(text) if text or read in (str, read_faults) else None
            except (ValueError, KeyError):
                raise ConfigError(f"sandbox option {name}={text} cannot be read") from None
        for name in ("scale", "speed"):
            if not options[name] or options[name] <= 0:
                raise ConfigError(f"sandbox option {name} must be more than 0")
        if options["connections"] is None:
            options["connections"] = self.connections
        return options


def _show_statistics(sandbox: Sandbox, call: Call) -> Answer:
    shown = {**sandbox.stats.summary(), "quota_seconds": sandbox.quota_seconds}
    if call.params.get("log"):
        shown["log"] = list(sandbox.stats.log)
    return Answer.of(shown)


def _next_day(sandbox: Sandbox, call: Call) -> Answer:
    sandbox.advance(call.params["days"])
    return Answer.of({"day": sandbox.day, "now": str(sandbox.clock)})


_OWN_ROUTES = (
    Route(path="/__sandbox__/stats", handler=_show_statistics, params={"log": Param("boolean")}, public=True),
    Route(
        path="/__sandbox__/day",
        handler=_next_day,
        method="POST",
        params={"days": Param("integer", default=1, least=0)},
        public=True,
    ),
)


def serve(sandbox_class: Callable[[Mapping[str, str]], Sandbox], arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is JSON: the base URL and the config to use."""
    own = getattr(sandbox_class, "own_options", {})
    parser = argparse.ArgumentParser(description="Serve an API in miniature, for trying things out.")
    for name, (_, default, text) in {**OPTIONS, **own}.items():
        parser.add_argument(f"--{name}", metavar="VALUE", help=f"{text} (default: {default or 'none'})")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        sandbox = sandbox_class(given)
    except ConfigError as error:
        parser.error(str(error))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    sandbox.prepare()
    be_quick()
    with sandbox:
        sys.stdout.write(json.dumps({"base_url": sandbox.base_url, "config": sandbox.settings}) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0
