"""Pages over a project with policies and an admin, without a browser."""

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
ADMINS = """
[users.adam]
groups = ["admins"]
"""


@contextmanager
def policed(folder: Path, *, at_hand: bool = True) -> Generator[Project]:
    """Open the desk of a project; its graphs may not be at hand."""
    told = make_project(folder)
    people = folder / "people.toml"
    people.write_text(people.read_text() + ADMINS)
    settings = Settings(store_url=told["PENSTOCK_STORE_URL"], people=people)
    catalog = Catalog.load(folder / "langgraph.json") if at_hand else Catalog.of()
    with open_project(settings, catalog) as desk:
        yield desk


def as_person(desk: Project, person: str) -> None:
    """Have somebody look from now on."""
    missing = None if list(desk.catalog) else "No `langgraph.json`."
    open_control_room(ControlRoom(desk=desk, person=person, sessions=None, graphs_missing=missing))


def look(page: str, **parameters: str) -> AppTest:
    """Look at a page."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
    for name, value in parameters.items():
        app.query_params[name] = value
    # Pages that are functions have no file, which is what a test can switch to.
    app._page_hash = calc_hash(page)  # pyright: ignore[reportPrivateUsage]
    return app.run()


def said(app: AppTest) -> str:
    """Return what a page says."""
    parts: list[Any] = [
        *app.title,
        *app.header,
        *app.subheader,
        *app.markdown,
        *app.caption,
        *app.info,
    ]
    parts += [*app.warning, *app.error, *app.success, *app.text, *app.table, *app.dataframe]
    return "\n".join(str(part.value) for part in parts)


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
