"""What a run finds out about its project and its key, for all of the run's threads to know: users' fields, by what
users are told apart, what the key was refused, how the project calls its types of data.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.api.request import Request
from shared.errors import ApiError, AuthError, GoneError, RefusedError
from shared.streams import Settings

if TYPE_CHECKING:
    from shared.api.client import Client

logger = logging.getLogger("tap-iterable")

FIELDS_PATH = "/api/users/getFields"
MAY_NOT_EXPORT = "this key may not export: use a server-side key, or deselect the streams that are exports"


@dataclass
class Project:
    """`kind` is email, userid or hybrid, or auto until `learn` has asked. `fields` are the users' own fields with their
    index types. `failure`: why they could not be asked for, which is known by the next run maybe.
    """

    kind: str = "auto"
    fields: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""
    region: str = ""
    """Another data centre than the settings say, while that one is looked at."""
    may_start_jobs: bool = True
    types: dict[str, str] = field(default_factory=dict)
    """Types of data that this project calls otherwise."""
    lists: dict[str, str] = field(default_factory=dict)
    """The lists met, with their types."""
    _begun: int = 0
    _is_answered: bool = False
    _is_known: bool = False
    _refused: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def user_key(self) -> str:
        """The column by which users are told apart."""
        if self.kind in ("email", "auto"):
            return "email"
        return "itblUserId" if "itblUserId" in self.fields or not self.fields else "userId"

    def learn(self, client: Client) -> None:
        """Asks for the users' fields, once a run. A failure is kept for the stream that cannot do without them."""
        with self._lock:
            if self._is_known:
                return
            try:
                answer = client.json(Request(FIELDS_PATH, quota="users"), stream="users")
                fields = answer.get("fields") if isinstance(answer, dict) else None
                if not isinstance(fields, dict):
                    raise ApiError(f"users: GET {FIELDS_PATH} answered without any fields.")
                self.fields = {str(name): str(kind) for name, kind in fields.items()}
            except AuthError:
                raise
            except (RefusedError, GoneError) as error:
                client.report.warn("users", f"without the project's own fields, which go to _extra: {error}")
            except ApiError as error:
                self.failure = str(error)
            if self.kind == "auto" and not self.failure:
                # No source says so; seen in hybrid and userID projects alone (unconfirmed), hence the setting.
                self.kind = "hybrid" if "itblUserId" in self.fields else "email"
            self._is_known = True

    def calls(self, data_type: str) -> str:
        """The name of a type of data in this project."""
        return self.types.get(data_type, data_type)

    def refuse_exports(self, stream: str, error: RefusedError) -> RefusedError:
        """The error to raise where an export was refused: one refusal is every export's, so the first says it whole."""
        with self._lock:
            if self._refused:
                return self._short(stream)
            self._refused = stream
            return error

    def check_exports(self, stream: str) -> None:
        """Raises RefusedError when an export of this run was refused: another need not be asked for."""
        if self._refused:
            raise self._short(stream)

    def may_begin_export(self, most: int) -> bool:
        """Whether another export may be asked for: no more than may be under way at once before the first answer."""
        with self._lock:
            may = self._is_answered or self._begun < most
            self._begun += may
            return may

    def export_answered(self) -> None:
        """An export was answered, or failed."""
        self._is_answered = True

    def refuse_jobs(self, error: RefusedError) -> None:
        """The key may not start export jobs: said once."""
        with self._lock:
            if self.may_start_jobs:
                logger.info("%s Exports are asked for directly.", error)
            self.may_start_jobs = False

    def _short(self, stream: str) -> RefusedError:
        return RefusedError(f"{stream}: as {self._refused}, {MAY_NOT_EXPORT}.")


def project(settings: Settings) -> Project:
    """The project of a run, as `validate` put it into the settings; one nothing is known of where there is none."""
    found = settings.get("project")
    return found if isinstance(found, Project) else Project(kind=str(settings.get("project_type") or "auto"))
