"""Connections on which an answer cannot take for ever: a pace and an end for what comes, and no endless preludes.

A socket's own timeout counts from byte to byte, so a server that sends one now and then would hold a thread for good.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    from requests.adapters import HTTPAdapter

PACE_SECONDS = 60.0
PACE_BYTES = 1024
"""An answer that has begun brings so much in so long, or has failed; where longer silences are allowed, in a fifth of
their length.
"""
WHOLE_TIMES = 10
"""An answer may take so many times the longest silence allowed in all."""
MOST_PRELUDES = 10
"""Answers of status 1xx (Continue, Early Hints) that may come before the one that counts."""


class TooSlow(OSError):
    """The answer comes too slowly, or takes too long."""


class Paced(io.RawIOBase):
    """The bytes of one answer as they come, up to where they come too slowly. `silence`: the socket's own timeout."""

    def __init__(self, raw: Any, silence: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._raw, self._clock = raw, clock
        self._pace_seconds = max(PACE_SECONDS, (silence or 0) / 5)
        self._whole_seconds = silence * WHOLE_TIMES if silence else float("inf")
        self._began = clock()
        self._window = self._began  # until the first byte the silence alone counts
        self._bytes = -1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._raw.readinto(buffer) or 0
        now = self._clock()
        if now - self._began > self._whole_seconds:
            raise TooSlow(f"it was not whole after {self._whole_seconds:.0f} seconds")
        if self._bytes < 0:
            self._window, self._bytes = now, 0
        self._bytes += count
        if self._bytes >= PACE_BYTES:
            self._window, self._bytes = now, 0
        elif count and now - self._window > self._pace_seconds:
            raise TooSlow(f"no more than {self._bytes} bytes came in {now - self._window:.0f} seconds")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _trust() -> ssl.SSLContext:
    """What certificates are trusted: the system's, or those in SSL_CERT_FILE or SSL_CERT_DIR. `requests` adds its own,
    or the ones that REQUESTS_CA_BUNDLE names.
    """
    import ssl
    from importlib import import_module

    try:
        context: type[ssl.SSLContext] = import_module("truststore").SSLContext
    except ImportError:  # an environment put together by hand: what OpenSSL calls the system's
        return ssl.create_default_context()
    return context(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _adapter_class() -> type[HTTPAdapter]:
    """Made at its first use: `requests` costs 150 ms, which `--version` has not got."""
    import http.client

    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Answer(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp.close()
            self.fp = io.BufferedReader(Paced(sock.makefile("rb", 0), sock.gettimeout()), 1 << 16)

        def _read_status(self) -> Any:
            for _ in range(MOST_PRELUDES + 1):
                status = super()._read_status()  # type: ignore[misc]
                if not 100 <= status[1] < 200:
                    return status
                http.client.parse_headers(self.fp)
            raise http.client.HTTPException("no end of preliminary answers")

    class Plain(HTTPConnection):
        response_class = Answer

    class Secure(HTTPSConnection):
        response_class = Answer

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    trust = _trust()

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, ssl_context=trust, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

        def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
            manager = super().proxy_manager_for(*args, ssl_context=trust, **options)
            manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
            return manager

    return Adapter


def adapter(connections: int) -> HTTPAdapter:
    """What `requests` sends through, with a pool of so many connections to a host."""
    return _adapter_class()(pool_maxsize=connections)
