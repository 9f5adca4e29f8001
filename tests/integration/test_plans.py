"""How SQLite finds what the hot path wants: by an index that leads there, however much there is."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

import penstock.checkpoints
from penstock.checkpoints import Store, migrate
from penstock.checkpoints.statements import Prepared, raw

BY_STATE_ALONE = "(status=?)"
"""Very many rows may be in one state: that alone leads nowhere."""

POSTGRESQL_ONLY = {"keep_alone"}


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
    url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'penstock.db'}"
    migrate(url)
    with Store.open(url) as store:
        yield store


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_index_leads_to_what_a_statement_is_about(empty: Store, name: str) -> None:
    def plan(connection: Connection) -> list[str]:
        statement = STATEMENTS[name].on(connection)
        asked = f"EXPLAIN QUERY PLAN {statement._sql}"
        nothing = [None] * len(statement._params)
        return [row[3] for row in raw(connection).execute(asked, nothing)]

    told = empty.read_blocking(plan)
    assert not [line for line in told if line.startswith("SCAN ") and "CONSTANT" not in line], told
    assert not [line for line in told if line.endswith(BY_STATE_ALONE)], told
