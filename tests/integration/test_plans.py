"""How SQLite finds what the hot path wants: by an index that leads there, however much there is."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, event

import penstock.checkpoints
from penstock.checkpoints import Store
from penstock.checkpoints.statements import Prepared, raw
from penstock.contracts.ids import WorkerId
from penstock.runs.sweep import sweep_once
from support.databases import migrated_sqlite
from support.runs import NOW

BY_STATE_ALONE = "(status=?)"
"""Very many rows may be in one state: that alone leads nowhere."""

POSTGRESQL_ONLY = {"try_lock_lineage"}


def prepared() -> Iterator[tuple[str, Prepared]]:
    """Yield all statements that are compiled once, by where they stand."""
    rooms = pkgutil.walk_packages(penstock.checkpoints.__path__, "penstock.checkpoints.")
    for room in rooms:
        if ".migrations" not in room.name:
            module = importlib.import_module(room.name)
            for name, value in vars(module).items():
                if isinstance(value, Prepared) and name not in POSTGRESQL_ONLY:
                    yield f"{room.name}.{name}", value


STATEMENTS = dict(prepared())


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = migrated_sqlite(tmp_path_factory.mktemp("plans"))
    with Store.open(url) as store:
        yield store


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_index_leads_to_what_a_statement_is_about(empty: Store, name: str) -> None:
    def plan(connection: Connection) -> list[str]:
        statement = STATEMENTS[name].on(connection)
        asked = f"EXPLAIN QUERY PLAN {statement._sql}"
        nothing = [None] * len(statement._params)
        return [row[3] for row in raw(connection).execute(asked, nothing)]

    require_led(empty.read_blocking(plan))


def test_an_index_leads_to_what_is_swept_with_each_beat(empty: Store) -> None:
    def plan(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []

        @event.listens_for(connection, "before_cursor_execute")
        def take(_c: Any, _cursor: Any, statement: str, params: Any, *_: Any) -> None:
            asked.append((statement, params))

        sweep_once(connection, lost_limit=3, at=NOW, actor=WorkerId("w"))
        event.remove(connection, "before_cursor_execute", take)
        assert len(asked) >= 3
        return [
            row[3]
            for statement, params in asked
            for row in raw(connection).execute(f"EXPLAIN QUERY PLAN {statement}", params)
        ]

    # Of runs that are driven there are few; of gates that are open there may be thousands.
    require_led([line for line in empty.write_blocking(plan) if "SEARCH runs" not in line])


def require_led(plan: Sequence[str]) -> None:
    """Let pass a plan in which an index leads to each table."""
    assert not [line for line in plan if line.startswith("SCAN ") and "CONSTANT" not in line], plan
    assert not [line for line in plan if line.endswith(BY_STATE_ALONE)], plan
