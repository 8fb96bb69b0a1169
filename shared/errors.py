"""The errors a user may meet, and nothing else.

    TapError                    exit 1
    ├── ConfigError             exit 2: config, arguments or environment
    ├── StateError              exit 2
    ├── CatalogError            exit 2
    ├── SchemaError             a record or a schema breaks its own rules
    ├── MachineError            no room on a disk, no more descriptors
    └── ApiError                what the API answered, or failed to answer
        ├── AuthError           exit 3: credentials refused; stops the whole run
        ├── RefusedError        this stream is not for this credential; the others go on
        ├── UnavailableError    the account has no such feature: no failure, the stream is empty
        ├── PartError           a part of the stream cannot be read; the others go on, and it is named at the end
        ├── GoneError           this parent vanished since it was listed; its siblings go on
        ├── QuotaError          a long quota is used up: the stream ends here, in good order
        ├── TooLargeError       ask for less at once
        └── RetryableError      the same request may succeed later

Classes exist where a caller acts differently, not one per status code. A message says what failed, where, what the
API said and what to do, in one line, and holds no credential.
"""

from __future__ import annotations

import errno


class TapError(Exception):
    """Anything the user is told in one line; `exit_code` is the process's when nothing worse happened."""

    exit_code = 1


class ConfigError(TapError):
    """Config, environment or arguments are wrong."""

    exit_code = 2


class StateError(TapError):
    """The state given cannot be read as state."""

    exit_code = 2


class CatalogError(TapError):
    """The catalog given cannot be read, or selects what does not exist."""

    exit_code = 2


class SchemaError(TapError):
    """A schema cannot be loaded, or a record cannot be made to fit it."""


class ApiError(TapError):
    """The API's answer, or the lack of one, ends what was being read."""


class AuthError(ApiError):
    """The credential itself is refused: nothing else will work either.

    `has_expired`: a renewed one will do, however often that happens.
    """

    exit_code = 3

    def __init__(self, message: str, *, has_expired: bool = False) -> None:
        super().__init__(message)
        self.has_expired = has_expired


class RefusedError(ApiError):
    """The credential may not read this stream."""


class UnavailableError(ApiError):
    """The account does not have what the stream reads (plan, feature, beta)."""


class PartError(ApiError):
    """One part of a stream (`part`: its name) cannot be read, which says nothing of the others."""

    def __init__(self, message: str, *, part: str) -> None:
        super().__init__(message)
        self.part = part


class GoneError(ApiError):
    """What was asked for no longer exists."""


class QuotaError(ApiError):
    """A quota is used up for longer than a run should wait."""


class TooLargeError(ApiError):
    """The answer was too much for the server; a smaller page may do."""


class RetryableError(ApiError):
    """A passing failure.

    `wait_seconds`: how long the API asks to wait, None if it did not say. `everyone`: the wait is for all requests of
    the quota, not only for this one, and does not count as a failed try. `fewer_connections`: the API counts
    connections, so one less is to be used for a while. `most_seconds`: how long to try, where that is not to be as long
    as for other failures. `is_page`: a page for people came, which a network's sign-in puts in the API's place.
    """

    def __init__(
        self,
        message: str,
        *,
        wait_seconds: float | None = None,
        everyone: bool = False,
        fewer_connections: bool = False,
        most_seconds: float | None = None,
        is_page: bool = False,
    ) -> None:
        super().__init__(message)
        self.is_page = is_page
        self.wait_seconds = wait_seconds
        self.everyone = everyone
        self.fewer_connections = fewer_connections
        self.most_seconds = most_seconds


class Stopped(Exception):
    """The run is being ended (signal, closed output); no failure of what was being read."""


class MachineError(TapError):
    """This machine has no room, or no more of something that the run needs."""


_LIMITS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make room there."),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Too many files are open: raise the limit (`ulimit -n`)."),
    errno.EROFS: "It is read-only: give another folder.",
    errno.EIO: "Check the disk.",
}


def unable(error: BaseException, where: str = "") -> str:
    """The sentence on what the machine could not do, `where` being the folder or file; empty for other errors."""
    if isinstance(error, MemoryError):
        return "The memory does not suffice: read less at once (concurrency), or give the process more."
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "No more threads can be started: raise the limit (`ulimit -u`), or lower concurrency."
    if isinstance(error, OSError) and error.errno in _LIMITS:
        where = where or str(error.filename or "The output")
        return f"{where} cannot be written or opened: {error.strerror}. {_LIMITS[error.errno]}"
    return ""


def told(error: Exception, stream: str = "") -> TapError:
    """What the user is told of any exception; of one that is none of ours, that it is a bug, and of which `stream`."""
    if isinstance(error, TapError):
        return error
    where = f"{stream}: " if stream else ""
    return ApiError(f"{where}internal error ({type(error).__name__}: {error}). Please report it.")
