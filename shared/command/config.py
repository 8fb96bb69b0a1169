"""Where settings come from and go to: files, the environment, secret files; saved when tokens rotate.

Sources are merged setting by setting, later ones win; a setting's aliases are resolved within each source first, so a
later file's alias beats an earlier file's own name. An empty string and null mean "not given": Meltano and shells pass
them for what the user left out. (A setting may say that null is a value.)
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..files import UnfitError, parsed, read_text
from ..settings import COMMON, PERSIST_TOKENS, START_DATE, Setting, brief, cast, is_unset, wrong
from ..tap import json_schema, settings_of
from ..timestamps import UTC

if TYPE_CHECKING:
    from ..tap import Tap

ENV = "ENV"
"""The word that stands for the environment where a config file is expected."""

MOST_PROBLEMS = 8
"""So many are said at once."""

# Settings of Meltano's SDK that would change the data: a run that ignored them would look right and not be.
_REFUSED = {
    "stream_maps": (
        "is not supported: leave fields out with --select and --exclude, hash or drop them with `mask`, "
        "or put Meltano's mapper (meltano-map-transformer) between tap and target"
    ),
}
# Companions of the above, without effect alone.
_IGNORED = {"stream_map_config", "faker_config"}


@dataclass(kw_only=True)
class Config:
    """What was read.

    settings    every declared setting by name, cast, with defaults; date-times as canonical instants
    path        the last config file, None when there was none
    secrets     the values never to be shown
    is_complete False when what is required is missing, which only a partial read lets pass
    notes       (logging level, text) to log once logging is set up
    unknown     a sentence for each setting that is ignored, for the start and the end of a run
    """

    settings: dict[str, Any]
    path: Path | None = None
    secrets: list[str] = field(default_factory=list)
    is_complete: bool = True
    notes: list[tuple[int, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _origins: dict[str, _Origin] = field(default_factory=dict)
    _secret_names: frozenset[str] = frozenset()
    _read_again: Callable[[], Config]
    _log: logging.Logger = field(default=logging.getLogger(__name__))

    def __repr__(self) -> str:
        return f"Config(path={self.path}, settings={sorted(self.settings)})"

    def save(self, changes: Mapping[str, Any]) -> None:
        """Put `changes` into the files that held the old values, new names into the last config file.

        Each file is replaced whole, with mode 0600. Where that cannot be, one warning says so without the values. The
        settings of this run change in any case.
        """
        self.settings.update(changes)
        self.secrets += [value for name, value in changes.items() if name in self._secret_names and value]
        by_file: dict[Path, dict[str, Any]] = {}
        lost = []
        for name, value in changes.items():
            origin = self._origins.get(name, _Origin("", name, self.path))
            if origin.secret_file is not None:
                self._replace(origin.secret_file, f"{value}\n", [name])
            elif origin.path is not None:
                by_file.setdefault(origin.path, {})[origin.key] = value
            else:
                lost.append(name)
        for path, members in by_file.items():
            try:
                # Read again: another process may have changed the file since.
                content = _read_file(path)
            except ConfigError as error:
                self._log.warning("%s could not be saved: %s", _listed(members), error)
                continue
            for key, value in members.items():
                _put(content, key, value)
            self._replace(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n", list(members))
        if lost:
            self._log.warning(
                "%s changed, but came from no config file, so the next run will miss the new value. "
                "Give it in a file with --config.",
                _listed(lost),
            )

    def reload(self) -> Mapping[str, Any]:
        """The settings as their files have them now: another process may have renewed a token. Empty if unreadable."""
        try:
            return self._read_again().settings
        except ConfigError:
            return {}

    def _replace(self, path: Path, text: str, names: Sequence[str]) -> None:
        try:
            _write_private(path, text)
        except OSError as error:
            self._log.warning(
                "%s could not be saved to %s (%s), so the next run will miss the new value. "
                "Make the file and its folder writable.",
                _listed(names),
                path,
                error.strerror or error,
            )


@dataclass(frozen=True)
class _Origin:
    """Where a setting's value was given: under which key of which file, or in which variable."""

    where: str
    key: str
    path: Path | None = None
    secret_file: Path | None = None


@dataclass
class _Given:
    """The raw values of all sources, by setting name; `unknown` members by their own."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, _Origin] = field(default_factory=dict)
    unknown: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def put(self, name: str, value: Any, origin: _Origin) -> None:
        self.values[name] = value
        self.origins[name] = origin

    def blame(self, name: str, sentence: str) -> str:
        """A sentence about a setting, with where it was given before it."""
        origin = self.origins.get(name)
        return f"{origin.where}: {sentence}" if origin is not None else sentence


def variable(tap_name: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{tap_name}_{name}".upper().replace("-", "_").replace(".", "_")


def read(
    tap: Tap,
    files: Sequence[str],
    *,
    environ: Mapping[str, str],
    supplied: Mapping[str, Any] | None = None,
    forced: Mapping[str, Any] | None = None,
    is_partial: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Config:
    """The settings from `files` (paths, or the word ENV), checked; raises one ConfigError that names every problem.

    `supplied` (a sandbox's settings) fills in what is not given; its secrets only where no secret is given at all, so
    that two credentials never meet. `forced` stands whatever is given. A partial read lets pass what is missing, for
    what works without: discovery.
    """
    declared = settings_of(tap)
    secret_names = frozenset(setting.name for setting in declared if setting.secret)
    given = _gather(tap, declared, files, environ)
    has_secret = not (secret_names - {"mask_salt"}).isdisjoint(given.values)
    no_credential = {"mask_salt", *([tap.authorize.client_secret] if tap.authorize is not None else [])}
    has_credential = not (secret_names - no_credential).isdisjoint(given.values)
    for name, value in (supplied or {}).items():
        if name not in given.values and not (has_secret and name in secret_names):
            given.put(name, value, _Origin("the sandbox", name))
    for name, value in (forced or {}).items():
        given.put(name, value, _Origin("the sandbox", name))

    config = Config(
        settings={},
        path=given.path,
        _origins=given.origins,
        _secret_names=secret_names,
        _read_again=partial(
            read, tap, files, environ=environ, supplied=supplied, forced=forced, is_partial=True, now=now
        ),
        _log=logging.getLogger(tap.name),
    )
    problems = [f"{name} {_REFUSED[name]}" for name, value in given.unknown.items() if name in _REFUSED and value]
    problems += _cast_all(declared, given, config)
    if not problems:
        problems = [given.blame(name, sentence) for name, sentence in wrong(declared, config.settings, now())]
    missing = [
        s.name for s in declared if s.required and config.settings[s.name] is None and s.name not in given.values
    ]
    if is_partial and not problems:
        missing = [name for name in missing if name != "start_date"]  # only a sync begins somewhere
        if missing:
            config.is_complete = False
            return config
    hint = f" {tap.describe_key}" if tap.describe_key and not has_secret and not supplied else ""
    if missing:
        places = f"{given.path or 'a file given with --config'}, or {_listed([variable(tap.name, n) for n in missing])}"
        problems.append(f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing (in {places} with ENV)")
    if problems:
        shown = [
            *problems[:MOST_PROBLEMS],
            *([f"and {more} more"] if (more := len(problems) - MOST_PROBLEMS) > 0 else []),
        ]
        raise ConfigError(f"{'; '.join(shown)}.{hint if missing else ''} See {tap.name} --about for all settings.")
    if tap.validate is not None:
        try:
            config.settings = tap.validate(config.settings)
        except ConfigError as error:
            if not is_partial or has_credential or supplied:
                raise ConfigError(f"{error}{hint}") from error
            config.is_complete = False
    return config


# Reading the sources


def _gather(tap: Tap, declared: Sequence[Setting], files: Sequence[str], environ: Mapping[str, str]) -> _Given:
    given = _Given()
    for file in files:
        if file == ENV:
            _take_environment(tap.name, declared, given, environ)
        else:
            given.path = Path(file)
            _remove_left_over(given.path)
            _take_file(given.path, declared, given)
    return given


def _take_file(path: Path, declared: Sequence[Setting], given: _Given) -> None:
    content = _read_file(path)
    known: set[str] = set()
    for setting in declared:
        keys = (setting.name, *setting.aliases)
        known.update(key.split(".")[0] for key in keys)
        for key in keys:
            value = _get(content, key)
            if not is_unset(setting, value) or (setting.null and value is None and key in content):
                given.put(setting.name, value, _Origin(str(path), key, path))
                break
    given.unknown |= {key: value for key, value in content.items() if key not in known}


def _take_environment(tap_name: str, declared: Sequence[Setting], given: _Given, environ: Mapping[str, str]) -> None:
    from dotenv import dotenv_values  # only who says ENV pays for it

    values = {**dotenv_values(".env", interpolate=False), **environ}
    for setting in declared:
        for key in (setting.name, *setting.aliases):
            name = variable(tap_name, key)
            if not is_unset(setting, value := values.get(name)):
                given.put(setting.name, value, _Origin(name, key))
                break
    known = {variable(tap_name, key) for setting in declared for key in (setting.name, *setting.aliases)}
    head = variable(tap_name, "")
    for name in sorted(values.keys() - known):
        # Two underscores are Meltano's own; `..._LOGLEVEL` is no setting.
        rest = name[len(head) :]
        if (
            name.startswith(head)
            and values[name]
            and rest.lower() not in _REFUSED
            and rest not in ("LOGLEVEL", "")
            and rest[0] != "_"
        ):
            given.unknown[rest.lower()] = values[name]
    for name in _REFUSED:
        value = values.get(variable(tap_name, name))
        given.unknown |= {name: value} if value and value.lower() not in {"false", "0"} else {}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"config file {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    try:
        content = parsed(text)
    except UnfitError as error:
        raise ConfigError(f"config file {path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"config file {path} holds no JSON object.")
    return content


def _get(content: Mapping[str, Any], key: str) -> Any:
    value: Any = content
    for part in key.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    *parts, last = key.split(".")
    for part in parts:
        content = content.setdefault(part, {})
    content[last] = value


def _cast_all(declared: Sequence[Setting], given: _Given, config: Config) -> list[str]:
    """Fill in the config's settings, secrets and notes; what could not be cast comes back as problems."""
    problems = []
    for setting in declared:
        name = setting.name
        config.settings[name] = setting.default
        if name not in given.values:
            continue
        try:
            raw = _opened(setting, given) if setting.secret else given.values[name]
            value = config.settings[name] = None if raw is None else cast(setting, raw)
        except ValueError as error:
            problems.append(given.blame(name, f"{name} {error}"))
            continue
        if setting.secret and isinstance(value, str):
            config.secrets.append(value)
        if setting.clamp and value != cast(replace(setting, clamp=False), raw):
            config.notes.append(
                (logging.WARNING, f"{name} is {brief(raw)}; {value} is used, the nearest the API allows")
            )
    names = [setting.name for setting in declared]
    for name in given.unknown:
        if name in _REFUSED or name in _IGNORED:
            continue
        if meant := _guarding(name):
            problems.append(f"{brief(name)} is no setting, and without {meant} more would be written than you want")
        else:
            close = difflib.get_close_matches(name.lower(), names, n=1)
            meaning = f" Did you mean {close[0]}?" if close else ""
            config.unknown.append(f"the setting {brief(name)} is not known and is ignored.{meaning}")
    return problems


def _guarding(name: str) -> str | None:
    """The setting that `name` is likely meant for, where to ignore it would let out what was to be kept in."""
    plain = re.sub("[^a-z]", "", name.lower())
    if "mask" in plain:
        return "mask_salt" if "salt" in plain else "mask"
    if plain.startswith("strict"):
        return "strict"
    return next(iter(difflib.get_close_matches(plain, ("mask", "masksalt", "strict"), n=1, cutoff=0.75)), None)


def _opened(setting: Setting, given: _Given) -> Any:
    """A secret's raw value, read from its file when it was given as one; the path is relative to the config file."""
    raw = given.values[setting.name]
    if not (isinstance(raw, Mapping) and set(raw) == {"file"} and isinstance(raw["file"], str)):
        return raw
    origin = given.origins[setting.name]
    try:
        named = Path(raw["file"]).expanduser()
    except RuntimeError:  # ~nobody
        raise ValueError("is given as a file, but its folder begins with ~ and a user that there is not") from None
    path = (origin.path.parent if origin.path is not None else Path()) / named
    given.origins[setting.name] = replace(origin, secret_file=path)
    try:
        return _read_secret(path)
    except ConfigError as error:
        raise ValueError(f"is given as a file, but {str(error).rstrip('.')}") from error


def _read_secret(path: Path) -> str:
    try:
        secret = read_text(path).strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"secret file {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not secret:
        raise ConfigError(f"secret file {path} is empty.")
    return secret


# Writing


def _write_private(path: Path, text: str) -> None:
    """Replace the file whole, readable by its owner alone: it holds a token now. A link stays a link."""
    import portalocker

    target = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            with suppress(portalocker.LockException):  # not every file system has locks
                portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_left_over(path: Path) -> None:
    """Remove what `_write_private` left beside `path` when its process was killed: it holds tokens. What another
    process is writing at the moment is locked.
    """
    try:
        target = path.resolve()
        left = [
            p for p in target.parent.iterdir() if re.fullmatch(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}", p.name)
        ]
    except (OSError, RuntimeError, ValueError):
        return
    for each in left:
        import portalocker

        with suppress(OSError, portalocker.LockException), each.open("r+") as file:
            portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
            each.unlink()


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return " and ".join(names)


__all__ = [
    "COMMON",
    "ENV",
    "PERSIST_TOKENS",
    "START_DATE",
    "Config",
    "Setting",
    "json_schema",
    "read",
    "settings_of",
    "variable",
]
