"""A real Postgres server for tests: on loopback and a free port, ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from support import components
from support.process import LoggedProcess
from support.waiting import wait_until

USER = "tester"
DEBIAN = Path("/usr/lib/postgresql")
UNPRIVILEGED = ("postgres", "nobody")
"""The server refuses to run as root. Users to run it as, the first that exists."""
QUICK = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "max_prepared_transactions=8")


class Server:
    """A context manager: inside, the server answers; after it, nothing of it is left.

    `folder` takes the server's log. `connection` are libpq parameters of its superuser, `dsn` is their text.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._binaries = binaries()
        self._home = Path(tempfile.mkdtemp(prefix="dupscope-postgres-"))
        self._log = folder / "postgres.log"
        self._options = options
        self._process = LoggedProcess([], self._log)
        self.port = free_port()

    @property
    def connection(self) -> Mapping[str, str]:
        return {"host": "127.0.0.1", "port": str(self.port), "dbname": "postgres", "user": USER}

    @property
    def dsn(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.connection.items())

    def connect(self, *, autocommit: bool = True, **more: str) -> psycopg.Connection:
        """A connection; with other parameters, such as another user."""
        return psycopg.connect(**{**self.connection, **more}, autocommit=autocommit)

    def __enter__(self) -> Self:
        try:
            self._create()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start, once more after `stop`, and wait until it answers."""
        postgres = [*as_user(), str(self._binaries / "postgres"), "-D", str(self._data)]
        network = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p", str(self.port)]
        self._process.command = [*postgres, *network, *QUICK, *self._options]
        self._process.start()
        wait_until(self._answers, 60, "Postgres answers")

    def stop(self) -> None:
        """End it at once; open connections are cut."""
        if self._process.running:
            self._process.send(signal.SIGINT)
            self._process.wait_exit(30)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _create(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._home, unprivileged())
        initdb = [
            str(self._binaries / "initdb"),
            "-D",
            str(self._data),
            "-U",
            USER,
            "-A",
            "trust",
            "--no-sync",
        ]
        made = subprocess.run(
            [*as_user(), *initdb, "-E", "UTF8", "--locale=C"], capture_output=True, check=False, cwd="/"
        )
        assert made.returncode == 0, made.stderr.decode()

    def _answers(self) -> bool:
        self._process.assert_running()
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def binaries() -> Path:
    """The folder of the server's programs; those of Debian are not in the path."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(DEBIAN.glob("*/bin"), reverse=True)
    if not folders:
        components.lack("postgres", "no Postgres server is installed")
    return folders[0]


def unprivileged() -> str:
    """A user to run the server as, where the tests run as root."""
    users = Path("/etc/passwd").read_text().splitlines()
    known = {line.split(":", 1)[0] for line in users}
    return next(name for name in UNPRIVILEGED if name in known)


def as_user() -> Sequence[str]:
    """The beginning of a command that root runs as somebody else."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={unprivileged()}", f"--regid={_group()}", "--clear-groups"]


def _group() -> str:
    lines = Path("/etc/passwd").read_text().splitlines()
    return next(line.split(":")[3] for line in lines if line.startswith(f"{unprivileged()}:"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
