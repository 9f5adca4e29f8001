"""A throw-away PostgreSQL server for tests, on a Unix socket in a folder of its own."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

DEBIAN = Path("/usr/lib/postgresql")
OWNER = "penstock"


class PostgresCluster:
    """One server with its data, which `stop` and `start` can take through a restart.

    It keeps the settings that decide what is durable (`fsync` is on), listens on no network, and
    trusts whoever can reach its socket: only the user it runs as, and root.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._numbers = itertools.count(1)
        # Not below pytest's own folders: they are closed to the user that root has to become here.
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-postgres-"))
        self._log = self._folder / "log"
        self._log.touch()
        self._user = _unprivileged_user()
        if self._user is not None:
            shutil.chown(self._folder, self._user)
            shutil.chown(self._log, self._user)
        self._run("initdb", "--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}'"
        self._run("pg_ctl", "start", "--wait", f"--log={self._log}", f"--options={settings}")

    def stop(self, *, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server; `immediate` leaves it to recover from its log, as after a crash."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def remove(self) -> None:
        """Delete the data of a server that has stopped."""
        shutil.rmtree(self._folder)

    def create_database(self) -> str:
        """Make a fresh database and give its URL."""
        name = f"test_{next(self._numbers)}"
        self._administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql+psycopg://{OWNER}@/{name}?host={self._folder}"

    def drop_database(self, url: str) -> None:
        """Drop the database of `url`, whoever is still connected to it."""
        name = sql.Identifier(make_url(url).database or "")
        self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(
            host=str(self._folder), user=OWNER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        # Into a file: the server inherits its output, and a pipe would be waited on until it ends.
        with self._log.open("a") as log:
            ended = subprocess.run(
                [self._binaries / program, *arguments, f"--pgdata={self._folder / 'data'}"],
                user=self._user,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                timeout=60,
            )
        if ended.returncode != 0:
            raise RuntimeError(f"`{program}` failed:\n{self._log.read_text()}")


def find_postgres() -> Path | None:
    """Give the folder that holds PostgreSQL's server programs, the newest where there are many."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    installed = DEBIAN.glob("*/bin/initdb")
    newest = max(installed, key=lambda initdb: float(initdb.parts[-3]), default=None)
    return newest and newest.parent


def _unprivileged_user() -> str | None:
    """Give the user to run as in root's place, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
