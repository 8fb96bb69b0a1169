"""Secrets, and texts without them: whatever form a credential takes on its way, nobody is to read it."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Sequence
from urllib.parse import quote, quote_plus

_SHORTEST_SECRET = 4  # shorter "secrets" would blacken every text
_SHORTEST_CORE = 8  # so many characters of base64 at least: fewer occur by chance


class Secrets:
    """What must not be seen, and texts without it."""

    _USER = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")
    _PARAMETER = re.compile(
        r"([?&](?:[\w-]*(?:token|key|secret|signature|credential)[\w-]*|sig|code)=)[^&\s\"'#]+", re.IGNORECASE
    )

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Never show `secret` again, nor its forms in URLs, in JSON and in base64."""
        if len(secret) < _SHORTEST_SECRET or secret in self._known:
            return
        with self._lock:
            known = self._known | {secret, *_forms(secret)}
            longest_first = sorted(known, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(text) for text in longest_first))
            self._known = known

    def mask(self, text: str) -> str:
        """`text` without secrets, users in URLs, and parameters that look like secrets."""
        if self._pattern is not None:
            text = self._pattern.sub("***", text)
        return self._PARAMETER.sub(r"\1***", self._USER.sub("***", text))


def _forms(secret: str) -> Iterator[str]:
    """How `secret` looks where it was encoded."""
    once = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in once}
    yield from once | lower | {quote(text, safe="") for text in once}
    yield json.dumps(secret)[1:-1]
    raw = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        # Alone, or behind a user's name as in a Basic header: what neighbours have a part in is left off.
        coded = base64.b64encode(b"\0" * before + raw)
        core = coded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6].decode()
        if len(core) >= _SHORTEST_CORE:
            urlsafe = core.replace("+", "-").replace("/", "_")
            yield from (core, urlsafe, quote(core, safe=""))
