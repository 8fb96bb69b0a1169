"""An answer of an API, and what it means: the response, its words, and the verdict that makes an error of it.

A verdict is a function of request and response that gives None or the error to act on. A tap has its own where its API
has its own ideas, and falls back on `standard_verdict`.
"""

from __future__ import annotations

import http
import io
import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ..errors import ApiError, AuthError, ConfigError, GoneError, RefusedError, RetryableError, TooLargeError
from ..timestamps import UTC
from .request import Request, at


class Headers(Mapping[str, str]):
    """Header fields by name, ignoring case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True)
class Response:
    """One whole answer. `content` is decoded (gzip), and empty where the body went to a file; `url` holds no secret."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    url: str = ""
    seconds: float = 0.0
    packed: bytes = field(default=b"", repr=False)
    """The body in gzip, until its turn comes to be unpacked."""
    mask: Callable[[str], str] = field(default=str, repr=False, compare=False)
    """Takes secrets out of a text, which has to happen before anything of it is cut."""
    most_bytes: int = field(default=256_000_000, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.headers, Headers):
            object.__setattr__(self, "headers", Headers(self.headers))

    def release(self) -> None:
        """Let go of the body, which has been made use of: a page is large, and what it was made into is larger."""
        object.__setattr__(self, "content", b"")

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.content)

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.content.decode("utf-8", "replace")


class Failure(Exception):
    """A try's end without a result: what that means, the seconds it took, and whether the server may have failed
    because the answer is too much for it.
    """

    def __init__(self, error: ApiError, *, seconds: float, is_heavy: bool) -> None:
        super().__init__(error)
        self.error = error
        self.seconds = seconds
        self.is_heavy = is_heavy


class Gunzip:
    """Undoes gzip piece by piece: a megabyte of it may hold a gigabyte."""

    def __init__(self) -> None:
        self._decoder: Any = None

    def parts(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, in pieces of bounded size."""
        while data:
            if self._decoder is None or self._decoder.eof:
                self._decoder = zlib.decompressobj(wbits=31)
            yield self._decoder.decompress(data, _PIECE)
            data = self._decoder.unconsumed_tail or self._decoder.unused_data

    def end(self) -> None:
        """Raises zlib.error when there should have been more."""
        if self._decoder is not None and not self._decoder.eof:
            raise zlib.error("it ends too early")


def unpacked(request: Request, response: Response) -> Response:
    """The response with its content out of gzip; a broken one, or one too large to be read, is a failed try."""
    content = response.content
    if response.packed:
        body, gunzip = io.BytesIO(), Gunzip()
        try:
            for part in gunzip.parts(response.packed):
                body.write(part)
                if body.tell() > response.most_bytes:
                    raise Failure(_too_large(request, response), seconds=response.seconds, is_heavy=True)
            gunzip.end()
        except zlib.error as problem:
            text = f"{named(request)} answered {response.status}, but its gzip is broken ({problem})."
            raise Failure(RetryableError(text), seconds=response.seconds, is_heavy=True) from None
        content = body.getvalue()
        response = replace(response, content=content, packed=b"")
    if len(content) > _SMALL and _weight(content) > response.most_bytes * _ROOM:
        raise Failure(_too_large(request, response), seconds=response.seconds, is_heavy=True)
    return response


_PIECE = 1 << 20
_SMALL = 8_000_000
_ROOM = 1.2
"""So much more than its text an answer may take once it is read."""


def _weight(content: bytes) -> int:
    """About the bytes that a body and what is made of it take at once: a list takes 64, an object 200, a value 64."""
    return len(content) + 64 * (content.count(b",") + content.count(b"[")) + 200 * content.count(b"{")


def too_large(request: Request, status: int, most_bytes: int) -> TooLargeError:
    return TooLargeError(
        f"{named(request)} answered {status} with more than can be read at once "
        f"(max_answer_megabytes is {most_bytes // 1_000_000}). Ask for less at once, or raise it."
    )


def _too_large(request: Request, response: Response) -> TooLargeError:
    return too_large(request, response.status, response.most_bytes)


DEEPEST = 200
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(each for each in range(256) if each not in b"[]{}")


def is_too_deep(content: bytes) -> bool:
    """Whether a JSON body is nested deeper than `DEEPEST`.

    Each round takes the innermost pairs of brackets away. Those in texts count as well, where they hardly ever are so
    many within each other.
    """
    brackets = content.translate(_BRACKETS, _OTHERS)
    for _ in range(DEEPEST):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            return False
        brackets = fewer
    return b"[]" in brackets


# What it means

Verdict = Callable[[Request, Response], "ApiError | None"]


def words(response: Response) -> str:
    """What the answer says in its own words, wherever its body keeps them; empty for HTML and nothing."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        text = " ".join(response.text[:_LONGEST_TEXT].split())
        return "" if text.startswith("<") else shortened(response.mask(text))
    found = [_said(error) for error in body] if isinstance(body, list) else []
    if isinstance(body, dict):
        errors = body.get("errors")
        found = [_said(body), *(_said(error) for error in (errors if isinstance(errors, list) else []))]
    return shortened(response.mask("; ".join(dict.fromkeys(said for said in found if said))))


def _said(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error) if isinstance(error, str) else ""
    for path in ("detail", "error_description", "message", "Message", "msg", "meta.error", "error.message"):
        if isinstance(text := at(error, path), str) and text:
            return f"{text} ({field})" if isinstance(field := error.get("field"), str) and field else text
    return next((error[name] for name in ("title", "error") if isinstance(error.get(name), str)), "")


_LONGEST_TEXT = 10_000


def shortened(text: str, length: int = 300) -> str:
    """The beginning of `text`, whose secrets are masked already: half a secret is none to a mask."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def answered(request: Request, response: Response, *, say: str = "", advice: str = "") -> str:
    """`GET /path answered 403 Forbidden: "what it said". What to do.`, the sentence of every verdict."""
    try:
        status = f"{response.status} {http.HTTPStatus(response.status).phrase}"
    except ValueError:
        status = str(response.status)
    said = f': "{say}".' if say else "."
    return f"{named(request)} answered {status}{said}{' ' if advice else ''}{advice}"


def named(request: Request) -> str:
    return f"{request.method} {path_of(request)}"


def path_of(request: Request) -> str:
    try:
        return urlsplit(request.path).path or "/"
    except ValueError:  # a link that is none
        return "(no URL)"


def retry_after(response: Response) -> float | None:
    """Seconds the answer asks to wait by `Retry-After` (a number, or a date compared with the answer's own)."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    until = http_date(value)
    if until is None:
        return None
    now = http_date(response.headers.get("Date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def standard_verdict(
    request: Request, response: Response, *, say: Callable[[Response], str] = words
) -> ApiError | None:
    """What an answer means where the API has no ideas of its own; `say` finds the API's words in the body."""
    status = response.status
    if 200 <= status < 300:
        return None

    def text(advice: str = "") -> str:
        return answered(request, response, say=say(response), advice=advice)

    if status == 401:
        return AuthError(text("Check the credential in the config."))
    if status == 403:
        return RefusedError(text("Give the credential access to this, or deselect the stream."))
    if status in (404, 410):
        return GoneError(text())
    if status in (413, 414):
        return TooLargeError(text("Ask for less at once."))
    if status == 429:
        return RetryableError(text(), wait_seconds=retry_after(response), everyone=True)
    if status == 408 or status >= 500:
        asked = retry_after(response)
        return RetryableError(text(), wait_seconds=asked, everyone=status == 503 and asked is not None)
    if 300 <= status < 400:
        try:
            target = urlsplit(response.headers.get("Location", "")).hostname or "nowhere"
        except ValueError:
            target = "nowhere"
        return ApiError(text(f"It points to {target}, which is not followed; check base_url."))
    asked_for = urlsplit(response.url).query
    return ApiError(text(f"Asked for was: {shortened(asked_for)}" if asked_for else ""))


def unreadable(request: Request, response: Response, problem: object) -> RetryableError:
    kind = response.headers.get("Content-Type", "of no type").partition(";")[0]
    size = f"{len(response.content)} bytes, {kind}"
    said = shortened(response.mask(str(problem)))
    text = f"{named(request)} answered {response.status}, but its body ({size}) is unreadable: {said}."
    return RetryableError(text, is_page=kind.strip().lower() == "text/html")


def unsendable(request: Request) -> ConfigError:
    return ConfigError(
        f"{named(request)} cannot be sent: its URL or a header holds what it may not. "
        "Check base_url, and the credential for stray characters."
    )


def http_date(text: str) -> datetime | None:
    """An HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`), None where it is none."""
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
