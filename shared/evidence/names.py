"""Which names may stand in a file of shapes: those that the tap's schemas, facts and code know. Others are an account's
own (merge tags, attributes, properties of events) and get a pseudonym, made with a salt that is kept nowhere.
"""

from __future__ import annotations

import ast
import hashlib
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..files import parsed, read_text
from ..tap import Tap

_WORDS = re.compile(r"[A-Za-z_$][\w$-]*")
_COMMON = (
    "_links access_token attributes code data detail details error error_description errors expires_in "
    "field first id included instance last links message meta msg next params parameter pointer prev "
    "refresh_token related relationships scope self source status success title token_type total type"
)
_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")


class Names:
    """Gives the name of a member as it may be written down."""

    def __init__(self, known: Collection[str], salt: bytes | None = None) -> None:
        self.known = frozenset(known)
        self._salt = salt if salt is not None else secrets.token_bytes(16)

    def __call__(self, name: str) -> str:
        return name if name in self.known else f"own:{self._pseudonym(name)}"

    def _pseudonym(self, name: str) -> str:
        """Ten letters: the same for the same name within a file, and without digits, which might be a value's."""
        found = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=self._salt, digest_size=5)
        return found.hexdigest().translate(_LETTERS)


def known_names(tap: Tap) -> frozenset[str]:
    """Every name that the tap knows."""
    return _known_names(tap.schemas)


@cache
def _known_names(schemas: Path) -> frozenset[str]:
    folder = schemas.parent
    found = set(_COMMON.split())
    for path in sorted(schemas.rglob("*.json")):
        found.update(_keys(parsed(read_text(path))))
    facts = folder / "sandbox" / "facts.json"
    if facts.is_file():
        found.update(_words(parsed(read_text(facts))))
    for path in sorted(folder.glob("*.py")):
        found.update(_of_code(ast.parse(read_text(path))))
    return frozenset(found)


def _keys(value: Any) -> Iterator[str]:
    """The names of properties, and other keys, of a schema."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from _keys(below)


def _words(value: Any) -> Iterator[str]:
    """The names that facts hold, as keys and in lists; not what their sentences say."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _WORDS.findall(key) if "/" in key or "." in key else (key,)
            yield from _words(below)
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
    elif isinstance(value, str) and " " not in value:
        yield from _WORDS.findall(value)


def _of_code(tree: ast.Module) -> Iterator[str]:
    """Names in texts of the code that are no prose, and the members of its TypedDicts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value.strip():
            yield node.value
            yield from _WORDS.findall(node.value)


class Paths:
    """Gives the template of a path that was asked for: what is filled in, and what the tap does not know, is `{}`."""

    def __init__(self, tap: Tap) -> None:
        self._templates = sorted(
            {tuple(_segments(path)) for stream in tap.streams for path in (stream.path, stream.probe) if path},
            key=lambda each: (-len(each), sum(part == "{}" for part in each)),
        )
        self._parts = _path_parts(tap.schemas.parent)

    def __call__(self, path: str) -> str:
        parts = [part for part in path.split("/") if part]
        for template in self._templates:
            tail = parts[-len(template) :]
            if len(parts) - len(template) in range(3) and _fits(tail, template):
                return "/" + "/".join(template)
        return "/" + "/".join(part if part in self._parts else "{}" for part in parts)


def _segments(path: str) -> Iterable[str]:
    return (re.sub(r".*\{.*", "{}", part) for part in path.split("/") if part)


def _fits(parts: Sequence[str], template: Sequence[str]) -> bool:
    return len(parts) == len(template) and all(t in ("{}", p) for p, t in zip(parts, template, strict=True))


@cache
def _path_parts(folder: Path) -> frozenset[str]:
    """The fixed parts of the paths that stand in the tap's modules."""
    found: set[str] = set()
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(read_text(path))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and "/" in text and " " not in text:
                found.update(part for part in text.split("/") if _PART.fullmatch(part))
    return frozenset(found)


_PART = re.compile(r"[A-Za-z][A-Za-z_.-]*|v?\d{1,2}(\.\d)?")


_NAME = re.compile(r"tap-[a-z]+(-[a-z]+)*")


def tap_of(name: str) -> Tap:
    """The tap that is called `name`; raises ValueError."""
    if not _NAME.fullmatch(name) or find_spec(name.replace("-", "_")) is None:
        raise ValueError(f"there is no {name!r}")
    found: Tap = import_module(f"{name.replace('-', '_')}.tap").TAP
    return found
