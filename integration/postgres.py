"""A PostgreSQL server of its own for as long as the tests run, from the system's binaries."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NEEDED = "PostgreSQL's server is needed: apt-get install postgresql"
SERVER_USER = "postgres"  # the server refuses to run as root; Debian's package makes this user


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    binaries: Path
    port: int

    def query(self, database: str, sql: str) -> str:
        """What psql prints for one statement, without decoration."""
        return subprocess.check_output([*self._psql(database), "-At", "-c", sql], text=True)

    def create(self, database: str) -> None:
        """A new, empty database."""
        self.query("postgres", f'DROP DATABASE IF EXISTS "{database}"')
        self.query("postgres", f'CREATE DATABASE "{database}"')

    def _psql(self, database: str) -> Sequence[str]:
        server = f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"
        return [str(self.binaries / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", server]


@contextmanager
def running() -> Iterator[Postgres]:
    """The server, in a folder that is gone afterwards."""
    binaries = _binaries()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, SERVER_USER)
        _run(folder, binaries / "initdb", "-D", "data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        # Nothing here has to survive a power cut.
        options = f"-k {folder} -c listen_addresses=127.0.0.1 -p {port} -c fsync=off -c max_connections=50"
        _run(folder, binaries / "pg_ctl", "-D", "data", "-l", "log", "-o", options, "-w", "start")
        try:
            yield Postgres(binaries, port)
        finally:
            _run(folder, binaries / "pg_ctl", "-D", "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    """Debian keeps them off the path, beside each other; elsewhere they are on it."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))]
    found = found or [path for path in [shutil.which("postgres")] if path]
    if not found:
        raise RuntimeError(NEEDED)
    return Path(found[-1]).resolve().parent


def _run(folder: Path, *command: str | Path) -> None:
    user = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam(SERVER_USER)
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    with (folder.parent / f"{folder.name}.out").open("w+") as said:
        done = subprocess.run(command, cwd=folder, stdout=said, stderr=said, check=False, **user)  # type: ignore[call-overload]
        said.seek(0)
        text = said.read()
    (folder.parent / f"{folder.name}.out").unlink()
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{text}")
