"""The page of one run: what it shows of steps, calls and states, and what the URL says."""

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from penstock.checkpoints import ledger, runs, states, steps
from penstock.contracts.run import Run, RunMode
from penstock.graphs import Catalog
from penstock.runs.settings import Settings
from penstock.ui.project import Project, open_project
from penstock.ui.session import ControlRoom, open_control_room
from support.helping import IBAN, helped, helping
from support.rooms import make_project

PATIENCE_S = 60


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """An open store, and a room that shows it to root's login."""
    told = make_project(tmp_path)
    settings = Settings(store_url=told["PENSTOCK_STORE_URL"])
    with open_project(settings, Catalog.of(helping())) as opened:
        show(opened)
        yield opened


@pytest.fixture
def run(desk: Project) -> Run:
    """A run that is over."""
    return helped(desk.store, desk.catalog.get("helping"))


def show(desk: Project) -> None:
    login = pwd.getpwuid(os.getuid()).pw_name
    open_control_room(ControlRoom(desk=desk, person=login, sessions=None, graphs_missing=None))


def room() -> None:
    """Show the page of a run first."""
    import streamlit as st  # noqa: PLC0415  (it is a script of its own)

    from penstock.ui import navigation  # noqa: PLC0415
    from penstock.ui.pages import gate, run, runs  # noqa: PLC0415

    pages = {
        "run": st.Page(run.show, title="Run", default=True),
        "runs": st.Page(runs.show, title="Runs", url_path="runs"),
        "gate": st.Page(gate.show, title="Gate", url_path="gate"),
    }
    navigation.register(pages)
    st.navigation(list(pages.values())).run()


def look(run: Run, **parameters: str) -> AppTest:
    """Look at the page of a run."""
    app = AppTest.from_function(room, default_timeout=PATIENCE_S)
    for name, value in {"run": run.id, **parameters}.items():
        app.query_params[name] = value
    return app.run()


def drawn(app: AppTest) -> dict[str, str]:
    """Return the drawings of a page by their keys."""
    found: Any = app.get("bidi_component")
    return {each.proto.id.partition("-run-")[2]: json.loads(each.proto.json) for each in found}


def said(app: AppTest) -> str:
    """Return what a page says, in its drawings too."""
    parts: list[Any] = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning]
    told = [str(part.value) for part in [*parts, *app.error, *app.success, *app.json]]
    assert not app.exception
    return "\n".join([*told, *drawn(app).values()])


def chosen_in(markup: str) -> list[str]:
    """Return what is marked as chosen in a drawing."""
    return [
        part.partition('data-pick="')[2].partition('"')[0]
        for part in markup.split("<")
        if 'aria-pressed="true"' in part
    ]


def test_step_that_the_url_names_is_chosen_everywhere_and_shown_whole(
    desk: Project, run: Run
) -> None:
    taken = desk.store.read_blocking(lambda tx: steps.of_run(tx, run.id))
    step = next(step for step in taken if step.node == "check")
    app = look(run, step=step.task_id)
    found = drawn(app)
    assert chosen_in(found["picture"]) == ["node:check"]
    assert chosen_in(found["timeline"]) == [f"step:{step.task_id}"]
    assert chosen_in(found["steps"]) == [f"step:{step.task_id}"]
    assert "##### check" in said(app)
    assert '{"note": "checked"}' in said(app)
    assert ">note</b> <span>new</span><ins>checked</ins>" in said(app)


def test_call_that_the_url_names_is_chosen_with_the_step_that_made_it(
    desk: Project, run: Run
) -> None:
    (call, *_) = desk.store.read_blocking(
        lambda tx: ledger.list_effects(tx, run_id=run.id, tool="pay", limit=9)
    )
    app = look(run, call=call.key)
    found = drawn(app)
    assert chosen_in(found["picture"]) == ["node:tools"]
    assert f"call:{call.key}" in chosen_in(found["timeline"])
    assert chosen_in(found["calls"]) == [f"call:{call.key}"]
    assert "Made in step tools" in str([each.proto for each in app.get("page_link")])
    assert "**Policy**: allow" in said(app)


def test_what_is_not_of_this_run_is_not_chosen(run: Run) -> None:
    app = look(run, step="nonsense", call='"><b>')
    assert "Choose a step or a call" in said(app)


@pytest.mark.parametrize("view", ["steps", "calls", "states", "input", "events"])
def test_what_contracts_mark_is_on_no_view_of_the_page(desk: Project, run: Run, view: str) -> None:
    for step in desk.store.read_blocking(lambda tx: steps.of_run(tx, run.id)):
        assert IBAN not in said(look(run, show=view, step=step.task_id))
    for call in desk.store.read_blocking(
        lambda tx: ledger.list_effects(tx, run_id=run.id, limit=9)
    ):
        assert IBAN not in said(look(run, show=view, call=call.key))


def test_states_are_compared_with_the_ones_before_and_with_any(desk: Project, run: Run) -> None:
    known = desk.store.read_blocking(lambda tx: states.points(tx, run.id, limit=99))
    app = look(run, show="states")
    assert ">note</b> <span>new</span><ins>checked</ins>" in said(app)
    assert "<b>cents</b>" not in said(app)
    app = look(run, show="states", at=known[-1].id, against=known[0].id)
    assert "<b>cents</b> <span>new</span><ins>42</ins>" in said(app)
    labels = app.selectbox(key="run-at").options
    assert "after check" in labels[0]
    assert "the input" in labels[-1]


def test_without_the_graphs_no_state_is_shown(desk: Project, run: Run) -> None:
    with open_project(desk.settings, Catalog.of()) as bare:
        show(bare)
        app = look(run, show="states")
    assert "nobody here knows which arguments are to be hidden" in said(app)
    assert not app.json


def test_run_of_another_tenant_is_not_shown(desk: Project, run: Run) -> None:
    with open_project(desk.settings.model_copy(update={"tenant": "acme"}), Catalog.of()) as other:
        show(other)
        app = AppTest.from_function(room, default_timeout=PATIENCE_S)
        app.query_params["run"] = run.id
        app.run()
    assert "no run of tenant" in str([each.message for each in app.exception])


# ---- forks ----


def test_fork_form_says_what_it_would_come_to_and_simulates_first(desk: Project, run: Run) -> None:
    taken = desk.store.read_blocking(lambda tx: steps.of_run(tx, run.id))
    paying = [step for step in taken if step.node == "tools"][-1]
    app = look(run, fork="new", step=paying.task_id)
    assert "Runs first: **tools**" in said(app)
    assert "1 kept · 1 replayed" in said(app)
    app = press(app, "Fork, simulated")
    forks = [each for each in all_runs(desk) if each.id != run.id]
    assert [(each.mode, each.input) for each in forks] == [(RunMode.SIMULATE, "null")]


def test_fields_that_were_edited_are_in_the_fork(desk: Project, run: Run) -> None:
    taken = desk.store.read_blocking(lambda tx: steps.of_run(tx, run.id))
    check = next(step for step in taken if step.node == "check")
    app = look(run, fork="new", step=check.task_id)
    (fields,) = app.multiselect
    # The ticket and the messages repeat what nobody is shown.
    assert fields.options == ["cents"]
    app = fields.select("cents").run()
    (cents,) = app.number_input
    assert cents.value == 42
    app = cents.set_value(7).run()
    press(app, "Fork, simulated")
    (fork,) = [each for each in all_runs(desk) if each.id != run.id]
    (point,) = desk.store.read_blocking(lambda tx: states.points(tx, fork.id, limit=9))
    held = desk.store.read_blocking(lambda tx: states.state(tx, point))
    assert held.values["cents"] == 7
    assert IBAN in held.values["ticket"]


def test_whoever_may_not_fork_is_told_who_may(desk: Project, run: Run, tmp_path: Path) -> None:
    settings = desk.settings.model_copy(update={"people": tmp_path / "people.toml"})
    with open_project(settings, desk.catalog) as strict:
        open_control_room(
            ControlRoom(desk=strict, person="vera", sessions=None, graphs_missing=None)
        )
        app = look(run, fork="new")
    assert "or an operator, may fork it" in said(app)
    assert not [each for each in app.button if each.label.startswith("Fork")]


# ---- comparing ----


def test_two_runs_stand_side_by_side_and_it_says_where_they_part(desk: Project, run: Run) -> None:
    graph = helping(is_failing=True)
    with open_project(desk.settings, Catalog.of(graph)) as other:
        show(other)
        failed = helped(other.store, graph)
        app = look(run, compare=failed.id)
        told = said(app)
    assert "**They part at step 7**: this run was at **check**, which succeeded" in told
    assert "**They made the same calls**, 2" in told
    assert "<b>note</b> <span>new</span><ins>checked</ins>" in drawn(app)["compared-last"]
    assert "messages" not in drawn(app)["compared-last"]
    assert IBAN not in told


def test_run_of_nobody_is_compared_with_nothing(run: Run) -> None:
    assert "no run has the id" in said(look(run, compare="nonsense"))


def press(app: AppTest, label: str) -> AppTest:
    return next(each for each in app.button if each.label == label).click().run()


def all_runs(desk: Project) -> list[Run]:
    return list(desk.store.read_blocking(lambda tx: runs.find(tx, limit=9)))
