"""The databases of the tests: copies of one that was migrated once.

To migrate a new store takes sixteen steps; to copy a file, or a template, some milliseconds.
"""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from penstock.checkpoints import migrate

DISK = os.environ.setdefault("TESTS_DISK", tempfile.gettempdir())
"""Where temporary files go on this machine, for tests that are about its disk.

A process that pytest-xdist starts learns it from the one that started it.
"""

_MEMORY = Path("/dev/shm")  # noqa: S108 - it is looked at before it is used
_ENOUGH_BYTES = 4 << 30


def use_memory() -> None:
    """Keep temporary files of this process, and of those it starts, in memory where they fit.

    Nothing that tests write has to survive the machine, so nothing has to wait for a disk.
    """
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ENOUGH_BYTES:
        return
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None


def empty_sqlite(folder: Path) -> str:
    """Return the URL of a SQLite file in `folder` that does not exist yet."""
    return f"sqlite:///{folder / 'penstock.db'}"


def migrated_sqlite(folder: Path) -> str:
    """Put a SQLite file with the tables of this version into `folder`, and return its URL."""
    shutil.copyfile(_template(), folder / "penstock.db")
    return empty_sqlite(folder)


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="penstock-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(empty_sqlite(folder))
    (file,) = folder.iterdir()  # a log beside it would be missed by a copy
    return file
