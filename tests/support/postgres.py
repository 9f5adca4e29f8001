"""A throw-away PostgreSQL server for tests, on a Unix socket in a folder of its own."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from penstock.checkpoints import migrate
from support.processes import end_with_parent, wait_until

DEBIAN = Path("/usr/lib/postgresql")
OWNER = "penstock"
TEMPLATE = "migrated"

_STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# What a crash of the machine, but not of the server, would lose without these.
_NOT_DURABLE = ("fsync=off", "full_page_writes=off")


class PostgresCluster:
    """One server with its data, which `stop` and `start` can take through a restart.

    It listens on no network, and trusts whoever can reach its socket: only the user it runs as,
    and root. It ends with the process that started it, even if that is killed.
    """

    def __init__(self, binaries: Path, *, folder: str | None = None, is_durable: bool) -> None:
        """Make the data of a server below `folder`, or where temporary files go.

        One that is durable keeps the settings of PostgreSQL that decide what survives the machine;
        the other waits for no disk.
        """
        self._binaries = binaries
        self._is_durable = is_durable
        self._numbers = itertools.count(1)
        # Not below pytest's own folders: they are closed to the user that root has to become here.
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-postgres-", dir=folder))
        self._log = self._folder / "log"
        self._log.touch()
        self._user = _unprivileged_user()
        if self._user is not None:
            shutil.chown(self._folder, self._user)
            shutil.chown(self._log, self._user)
        self._server: subprocess.Popen[bytes] | None = None
        self._has_template = False
        self._initialize()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self._folder}",
            *(() if self._is_durable else _NOT_DURABLE),
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        with self._log.open("a") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._folder / "data", *options],
                user=self._user,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it makes one call to the kernel
            )
        wait_until(self._answers, "PostgreSQL takes connections")

    def stop(self, *, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server; `immediate` leaves it to recover from its log, as after a crash."""
        if self._server is None:
            return
        self._server.send_signal(_STOP_SIGNALS[mode])
        self._server.wait(timeout=60)
        self._server = None

    def remove(self) -> None:
        """Delete the data of a server that has stopped."""
        shutil.rmtree(self._folder)

    def create_database(self, *, is_migrated: bool = True) -> str:
        """Make a database, empty or with the tables of this version, and return its URL.

        Only the first one with tables is migrated: the others are copies of it.
        """
        if not is_migrated:
            return self._create(f"test_{next(self._numbers)}", template="template1")
        if not self._has_template:
            migrate(self._create(TEMPLATE, template="template1"))
            self._has_template = True
        return self._create(f"test_{next(self._numbers)}", template=TEMPLATE)

    def drop_database(self, url: str) -> None:
        """Drop the database of `url`, whoever is still connected to it."""
        name = sql.Identifier(make_url(url).database or "")
        self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def _create(self, name: str, *, template: str) -> str:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._administer(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return f"postgresql+psycopg://{OWNER}@/{name}?host={self._folder}"

    def _administer(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._folder), user=OWNER, dbname="postgres", autocommit=True
        )

    def _answers(self) -> bool:
        if self._server is None or self._server.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialize(self) -> None:
        options = ("--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C")
        no_wait = () if self._is_durable else ("--no-sync",)
        made = subprocess.run(
            [self._binaries / "initdb", *options, *no_wait, "-D", self._folder / "data"],
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        if made.returncode != 0:
            raise RuntimeError(f"`initdb` failed:\n{made.stdout}")


def find_postgres() -> Path | None:
    """Give the folder that holds PostgreSQL's server programs, the newest where there are many."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    installed = DEBIAN.glob("*/bin/initdb")
    newest = max(installed, key=lambda initdb: float(initdb.parts[-3]), default=None)
    return newest and newest.parent


def _unprivileged_user() -> str | None:
    """Give the user to run as in root's place, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
