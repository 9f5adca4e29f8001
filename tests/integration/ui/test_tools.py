"""The page of tools without a browser."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from penstock.checkpoints.schema import effects
from penstock.contracts.clock import SystemClock
from penstock.contracts.effect import EffectStatus
from penstock.contracts.ids import RunId
from penstock.ui.project import Project
from support.pages import links, look_at, open_policed, said_with_tables, show_to, start_run, tables


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """A project with its graphs, at which vera looks."""
    with open_policed(tmp_path) as opened:
        show_to(opened, "vera")
        yield opened


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Project]:
    """The same store without the graphs."""
    with open_policed(tmp_path, at_hand=False) as opened:
        show_to(opened, "vera")
        yield opened


def call(
    desk: Project,
    run_id: RunId,
    key: str,
    *,
    tool: str = "pay",
    status: EffectStatus = EffectStatus.SUCCEEDED,
    arguments: str = '{"order":"A-1"}',
) -> None:
    """Write a call down that began a minute ago."""
    at = SystemClock().now() - timedelta(minutes=1)
    failed = status in {EffectStatus.FAILED, EffectStatus.IN_DOUBT}
    row = {
        "key": key,
        "tenant": "default",
        "run_id": run_id,
        "thread_id": run_id,
        "lineage": run_id,
        "tool": tool,
        "tool_version": "1",
        "effect": "unsafe",
        "arguments": arguments,
        "digest": "d" * 64,
        "status": status,
        "attempt": 1,
        "epoch": 1,
        "first_started_at": at,
        "started_at": at,
        "settles_at": at,
        "ended_at": at,
        "result": '"done"' if status is EffectStatus.SUCCEEDED else None,
        "error_code": "unknown" if failed else None,
        "error_message": "the answer was lost" if failed else None,
        "error_retryable": 0,
        "wants_undoing": 0,
    }

    def insert(connection: Connection) -> None:
        connection.execute(effects.insert(), [row])

    desk.store.write_blocking(insert)


@pytest.mark.usefixtures("desk")
def test_tools_of_all_graphs_are_listed_with_what_they_may_do() -> None:
    app = look_at("tools")
    (table,) = tables(app)
    assert table["Tool"] == ["pay", "wire"]
    assert table["Graph"] == ["paying", "wiring"]
    assert "unsafe: acts outside, cannot be looked up" in set(table["Effect"])
    assert not app.exception


@pytest.mark.usefixtures("desk")
def test_filters_stand_in_the_url() -> None:
    (table,) = tables(look_at("tools", graph="wiring"))
    assert table["Tool"] == ["wire"]
    (table,) = tables(look_at("tools", find="GIVE back"))
    assert table["Tool"] == ["pay"]
    assert "No tool fits" in said_with_tables(look_at("tools", **{"class": "read"}))


@pytest.mark.usefixtures("desk")
def test_a_tool_is_shown_with_its_whole_contract() -> None:
    app = look_at("tools", tool="pay", of="paying")
    told = said_with_tables(app)
    assert "Give money back" in told
    assert "its run waits until a person has said whether it did" in told
    assert "whole number" in told
    assert "RefusedByService" in told
    assert "None was begun" in told
    assert not app.exception


def test_calls_are_counted_by_what_they_came_to(desk: Project) -> None:
    run_id = start_run(desk, "paying")
    call(desk, run_id, "a" * 64)
    call(desk, run_id, "b" * 64)
    call(desk, run_id, "c" * 64, status=EffectStatus.IN_DOUBT)
    call(desk, start_run(desk, "wiring"), "d" * 64)
    app = look_at("tools", tool="pay", of="paying")
    told = said_with_tables(app)
    assert "✓ happened: 2" in told
    assert "? in doubt: 1" in told
    assert any(f"effect={'c' * 64}" in link for link in links(app))


def test_where_no_graph_is_at_hand_the_ledger_says_what_it_knows(bare: Project) -> None:
    run_id = start_run(bare, "paying")
    call(bare, run_id, "a" * 64, arguments='{"note":"[x](http://evil) <b>"}')
    app = look_at("tools")
    assert "graphs are not at hand" in said_with_tables(app)
    (table,) = tables(app)
    assert table["Graph"] == ["not at hand"]
    app = look_at("tools", tool="pay")
    assert "its contract cannot be shown" in said_with_tables(app)
    assert "✓ happened: 1" in said_with_tables(app)
    assert not app.exception


@pytest.mark.usefixtures("bare")
def test_without_tools_the_page_says_what_would_appear() -> None:
    told = said_with_tables(look_at("tools"))
    assert "No tool is known yet" in told
    assert "langgraph.json" in told


@pytest.mark.usefixtures("desk")
def test_unknown_tool_is_a_sentence() -> None:
    told = said_with_tables(look_at("tools", tool="<b>gone</b>"))
    assert "is known here" in told
    assert "<b>" not in told
