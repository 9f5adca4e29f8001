"""Pages without a browser: a room over an open store, and a look at one of its pages."""

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

PATIENCE_S = 60


@contextmanager
def open_pages(
    url: str, *, person: str | None = None, tenant: str = "acme", **told: Any
) -> Generator[Project]:
    """Have the pages show the store at `url`, to root's login or to a person."""
    settings = Settings(store_url=url, tenant=tenant).model_copy(update=told)
    with open_project(settings, Catalog.of()) as desk:
        who = person or pwd.getpwuid(os.getuid()).pw_name
        open_control_room(ControlRoom(desk=desk, person=who, sessions=None, graphs_missing=None))
        yield desk


def look_at(page: str, **parameters: str) -> AppTest:
    """Look at the page that has this name in the URL."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
    for name, value in parameters.items():
        app.query_params[name] = value
    # It goes to pages that are files only; these are functions, known by their names.
    app._page_hash = calc_hash(page)  # pyright: ignore[reportPrivateUsage]
    return app.run()


def said(app: AppTest) -> str:
    """Return what a page says."""
    parts: list[Any] = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning]
    parts += [*app.error, *app.success, *app.header, *app.subheader, *app.code, *app.text]
    return "\n".join(str(part.value) for part in parts)


def cells(app: AppTest, number: int) -> dict[str, list[Any]]:
    """Return the columns of one of the tables of a page."""
    frame: Any = app.dataframe[number].value
    return {str(name): list(frame[name]) for name in frame.columns}


def people(folder: Path, written: str) -> Path:
    """Write a file that says who is who."""
    file = folder / "people.toml"
    file.write_text(written)
    return file
