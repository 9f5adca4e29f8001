"""Pages without a browser: a control room over a store with nothing in it, and what it says."""

import os
import pwd
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from penstock.graphs import Catalog
from penstock.runs.settings import Settings
from penstock.ui.project import Project, open_project
from penstock.ui.server import SCRIPT
from penstock.ui.session import ControlRoom, open_control_room
from support.rooms import make_project

PATIENCE_S = 60
TENANT = "acme"
PEOPLE = """
[users.olga]
tenant = "acme"
groups = ["operators"]
[users.vera]
tenant = "acme"
[users.ann]
tenant = "acme"
groups = ["admins"]
"""


@contextmanager
def open_empty(folder: Path) -> Generator[Project]:
    """Open a room without a login over an empty store of a tenant of its own."""
    told = make_project(folder)
    settings = Settings(store_url=told["PENSTOCK_STORE_URL"], tenant=TENANT)
    with open_project(settings, Catalog.of()) as desk:
        show_to(desk, login())
        yield desk


@contextmanager
def open_strict(desk: Project, folder: Path, person: str) -> Generator[Project]:
    """Open the same store to somebody of a file: olga operates, ann is an admin, vera looks."""
    people = folder / "strict.toml"
    people.write_text(PEOPLE)
    settings = desk.settings.model_copy(update={"people": people})
    with open_project(settings, desk.catalog) as strict:
        show_to(strict, person)
        yield strict


def show_to(desk: Project, person: str) -> None:
    """Have the pages be seen by somebody."""
    open_control_room(ControlRoom(desk=desk, person=person, sessions=None, graphs_missing=None))


def login() -> str:
    """Return who runs the tests."""
    return pwd.getpwuid(os.getuid()).pw_name


def look(page: str, **parameters: str) -> AppTest:
    """Look at a page of the room, by its address."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
    for name, value in parameters.items():
        app.query_params[name] = value
    # Pages that are functions have no file, which is what a test can switch to.
    app._page_hash = calc_hash(page)  # pyright: ignore[reportPrivateUsage]
    return app.run()


def said(app: AppTest) -> str:
    """Return what a page says."""
    parts: list[Any] = [*app.title, *app.header, *app.subheader, *app.markdown, *app.caption]
    told = [*parts, *app.info, *app.warning, *app.error, *app.success]
    return "\n".join(str(part.value) for part in told)
