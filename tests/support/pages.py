"""Pages without a browser: a control room over an open store, and what its pages say."""

import os
import pwd
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from penstock.checkpoints import runs
from penstock.contracts.ids import RunId, ThreadId, new_run_id
from penstock.contracts.run import NewRun, WhenBusy
from penstock.graphs import Catalog
from penstock.runs.settings import Settings
from penstock.ui.project import Project, open_project
from penstock.ui.server import SCRIPT
from penstock.ui.session import ControlRoom, open_control_room
from support.rooms import make_project
from support.runs import NOW

PATIENCE_S = 120
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
ADMINS = """
[users.adam]
groups = ["admins"]
"""


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


@contextmanager
def open_policed(folder: Path, *, at_hand: bool = True) -> Generator[Project]:
    """Open a project with policies and an admin, `adam`; its graphs may not be at hand."""
    told = make_project(folder)
    people = folder / "people.toml"
    people.write_text(people.read_text() + ADMINS)
    settings = Settings(store_url=told["PENSTOCK_STORE_URL"], people=people)
    catalog = Catalog.load(folder / "langgraph.json") if at_hand else Catalog.of()
    with open_project(settings, catalog) as desk:
        yield desk


def show_to(desk: Project, person: str) -> None:
    """Have the pages be seen by a person, without the project's graphs where it has none open."""
    missing = None if list(desk.catalog) else "No `langgraph.json`."
    open_control_room(ControlRoom(desk=desk, person=person, sessions=None, graphs_missing=missing))


def login() -> str:
    """Return who runs the tests."""
    return pwd.getpwuid(os.getuid()).pw_name


def look_at(page: str, **parameters: str) -> AppTest:
    """Look at the page that has this name in the URL."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
    for name, value in parameters.items():
        app.query_params[name] = value
    # It goes to pages that are files only; these are functions, known by their names.
    app._page_hash = calc_hash(page)  # pyright: ignore[reportPrivateUsage]
    return app.run()


def said(app: AppTest) -> str:
    """Return what a page says, without what stands in its tables."""
    parts: list[Any] = [*app.title, *app.header, *app.subheader, *app.markdown, *app.caption]
    parts += [*app.info, *app.warning, *app.error, *app.success, *app.code, *app.text]
    return "\n".join(str(part.value) for part in parts)


def said_with_tables(app: AppTest) -> str:
    """Return what a page says, in its tables too."""
    parts: list[Any] = [*app.table, *app.dataframe]
    return "\n".join([said(app), *(str(part.value) for part in parts)])


def cells(app: AppTest, number: int) -> dict[str, list[Any]]:
    """Return the columns of one of the tables of a page."""
    frame: Any = app.dataframe[number].value
    return {str(name): list(frame[name]) for name in frame.columns}


def people(folder: Path, written: str) -> Path:
    """Write a file that says who is who."""
    file = folder / "people.toml"
    file.write_text(written)
    return file


def html(app: AppTest) -> str:
    """Return the policies that a page shows, as HTML."""
    shown: list[Any] = [*app.get("html")]
    told = [str(part.value) for part in shown]
    return "\n".join(each for each in told if 'class="pen-cedar"' in each)


def tables(app: AppTest) -> list[dict[str, list[Any]]]:
    """Return the tables of which a row can be opened, each by its columns."""
    shown: list[Any] = [*app.dataframe]
    return [part.value.to_dict("list") for part in shown]


def links(app: AppTest) -> list[str]:
    """Return the parameters of the links to pages."""
    shown: list[Any] = [*app.get("page_link")]
    return [str(part.proto.query_string) for part in shown]


def press(app: AppTest, label: str) -> AppTest:
    """Press a button."""
    (button,) = [each for each in app.button if each.label == label]
    return button.click().run()


def has_button(app: AppTest, label: str) -> bool:
    """Tell whether there is such a button, within a popover too."""
    return any(each.label == label for each in app.button)


def start_run(desk: Project, graph: str) -> RunId:
    """Write a run of a graph down."""
    run_id = new_run_id(NOW)
    new = NewRun(
        id=run_id,
        tenant="default",
        key=None,
        thread_id=ThreadId(run_id),
        graph=graph,
        graph_version="1",
        fingerprint="f",
        input="{}",
    )

    def create(connection: Connection) -> None:
        runs.create(connection, new, when_busy=WhenBusy.WAIT, at=NOW, actor="test")

    desk.store.write_blocking(create)
    return run_id
