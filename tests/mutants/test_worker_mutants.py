"""The rules of workers that people see and have drain, and of doubts, each broken once."""

import re

import pytest

from mutants.test_mutants import CHECKPOINTS, RUNS_ROOM, Copy, Mutant, check, checkout_copy

__all__ = ["checkout_copy"]

WORKERS = "tests/integration/test_workers.py"
DOUBTS = "tests/integration/test_doubts.py"

MUTANTS = [
    Mutant(
        "whoever comes has workers drain",
        "tending.py",
        "            require(self._people, Right.TEND, by, tenant)\n",
        "",
        (f"{WORKERS}::test_who_is_no_operator_has_no_worker_drain",),
        RUNS_ROOM,
    ),
    Mutant(
        "whoever may look has workers drain",
        "roles.py",
        "        case Right.LOOK:\n            return True\n",
        "        case Right.LOOK | Right.TEND:\n            return True\n",
        (f"{WORKERS}::test_who_is_no_operator_has_no_worker_drain",),
        RUNS_ROOM,
    ),
    Mutant(
        "a worker that drains takes more",
        "worker.py",
        "        return 0 if self.is_draining else self._pace.slots - len(self._driving)\n",
        "        return self._pace.slots - len(self._driving)\n",
        (f"{WORKERS}::test_worker_that_drains_takes_nothing_more_though_it_has_room",),
        RUNS_ROOM,
    ),
    Mutant(
        "a worker that drains leaves its runs half done",
        "worker.py",
        "                    await self._until_finished()\n",
        "",
        (f"{WORKERS}::test_worker_that_drains_parks_what_comes_to_a_gate",),
        RUNS_ROOM,
    ),
    Mutant(
        "a signal waits for a worker that drains",
        "worker.py",
        "        while self._driving and not self._giving_back.is_set():\n",
        "        while self._driving:\n",
        (f"{WORKERS}::test_worker_that_drains_gives_its_runs_back_at_a_signal",),
        RUNS_ROOM,
    ),
    Mutant(
        "whoever asks a worker to drain says that it lives",
        "workers.py",
        "        .values(drain_by=by, drain_at=at)\n",
        "        .values(drain_by=by, drain_at=at, seen_at=database_now(connection.dialect))\n",
        (f"{WORKERS}::test_nobody_but_a_worker_itself_says_that_it_lives",),
        CHECKPOINTS,
    ),
    Mutant(
        "one worker says that another lives",
        "workers.py",
        '        .where(workers.c.id == bindparam("worker"))\n',
        '        .where(workers.c.id != bindparam("worker"))\n',
        (f"{WORKERS}::test_nobody_but_a_worker_itself_says_that_it_lives",),
        CHECKPOINTS,
    ),
    Mutant(
        "a worker that cannot show itself fails",
        "beats.py",
        "            self._is_unseen = True\n            return\n",
        "            self._is_unseen = True\n",
        (f"{WORKERS}::test_worker_that_cannot_show_itself_works_all_the_same",),
        RUNS_ROOM,
    ),
    Mutant(
        "who asked first is forgotten",
        "workers.py",
        "workers.c.drain_by.is_(None), ",
        "",
        (f"{WORKERS}::test_second_request_to_drain_changes_nothing",),
        CHECKPOINTS,
    ),
    Mutant(
        "a call that may still land is looked up",
        "ledger/resolve.py",
        "    _refuse_early(connection, gate, get(connection, gate.effect_key))\n",
        "",
        (f"{DOUBTS}::test_nobody_looks_at_once_while_the_call_may_still_land",),
        CHECKPOINTS,
    ),
    Mutant(
        "doubts of other tenants are shown",
        "ledger/doubts.py",
        "        .where(_IN_DOUBT, effects.c.tenant == tenant)\n        .order_by",
        "        .where(_IN_DOUBT)\n        .order_by",
        (f"{DOUBTS}::test_calls_of_other_tenants_are_not_listed",),
        CHECKPOINTS,
    ),
    Mutant(
        "whoever comes has calls looked up",
        "runtime.py",
        "        require_answerer(gate, run, by, self._people)\n        at = self._clock.now()\n\n"
        "        def change(connection: Connection) -> Gate:\n"
        "            runs.lock(connection, run.id)\n            require_probe",
        "        at = self._clock.now()\n\n"
        "        def change(connection: Connection) -> Gate:\n"
        "            runs.lock(connection, run.id)\n            require_probe",
        ("tests/integration/test_roles.py::test_who_is_no_operator_has_no_call_looked_up",),
        RUNS_ROOM,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
