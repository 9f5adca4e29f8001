"""Workers and how they drain, and calls of which nobody knows whether they happened."""

from support.mutants import Mutant

DOUBTS = "tests/integration/test_doubts.py"
ROLES = "tests/integration/test_roles.py"
WORKERS = "tests/integration/test_workers.py"

MUTANTS = [
    Mutant(
        "whoever comes has workers drain",
        at="Fleet.drain",
        old="require(self._people, Right.MANAGE_WORKERS, by, tenant)",
        new="",
        killed_by=[f"{WORKERS}::test_who_is_no_operator_has_no_worker_drain"],
    ),
    Mutant(
        "whoever may look has workers drain",
        at="has_right",
        old="""
            case Right.VIEW:
                ...
        """,
        new="""
            case Right.VIEW | Right.MANAGE_WORKERS:
                ...
        """,
        killed_by=[f"{WORKERS}::test_who_is_no_operator_has_no_worker_drain"],
    ),
    Mutant(
        "a worker that drains takes more",
        at="Worker.free_count",
        old="0 if self.is_draining else self._pace.slots - len(self._driven)",
        new="self._pace.slots - len(self._driven)",
        killed_by=[f"{WORKERS}::test_worker_that_drains_takes_nothing_more_though_it_has_room"],
    ),
    Mutant(
        "a worker that drains leaves its runs half done",
        at="Worker.work",
        old="await self._until_finished()",
        new="",
        killed_by=[f"{WORKERS}::test_worker_that_drains_parks_what_comes_to_a_gate"],
    ),
    Mutant(
        "a signal waits for a worker that drains",
        at="Worker._until_finished",
        old="self._driven and not self._giving_back.is_set()",
        new="self._driven",
        killed_by=[f"{WORKERS}::test_worker_that_drains_gives_its_runs_back_at_a_signal"],
    ),
    Mutant(
        "whoever asks a worker to drain says that it lives",
        at="request_drain",
        old="""
            update(workers).where(
                workers.c.id == worker,
                workers.c.drain_by.is_(None),
                workers.c.ended_at.is_(None),
            ).values(drain_by=by, drain_at=at)
        """,
        new="""
            update(workers).where(
                workers.c.id == worker,
                workers.c.drain_by.is_(None),
                workers.c.ended_at.is_(None),
            ).values(drain_by=by, drain_at=at, seen_at=database_now(connection.dialect))
        """,
        killed_by=[f"{WORKERS}::test_nobody_but_a_worker_itself_says_that_it_lives"],
    ),
    Mutant(
        "one worker says that another lives",
        at="_check_in",
        old="workers.c.id == bindparam('worker')",
        new="workers.c.id != bindparam('worker')",
        killed_by=[f"{WORKERS}::test_nobody_but_a_worker_itself_says_that_it_lives"],
    ),
    Mutant(
        "a worker that cannot show itself fails",
        at="Heartbeat._read_request",
        old="return",
        new="",
        killed_by=[f"{WORKERS}::test_worker_that_cannot_show_itself_works_all_the_same"],
    ),
    Mutant(
        "who asked first is forgotten",
        at="request_drain",
        old="workers.c.drain_by.is_(None)",
        new="",
        killed_by=[f"{WORKERS}::test_second_request_to_drain_changes_nothing"],
    ),
    Mutant(
        "a call that may still land is looked up",
        at="request_lookup",
        old="_refuse_early(connection, gate, get(connection, gate.effect_key))",
        new="",
        killed_by=[f"{DOUBTS}::test_nobody_looks_at_once_while_the_call_may_still_land"],
    ),
    Mutant(
        "doubts of other tenants are shown",
        at="doubts.doubts",
        old="effects.c.tenant == tenant",
        new="",
        killed_by=[f"{DOUBTS}::test_calls_of_other_tenants_are_not_listed"],
    ),
    Mutant(
        "whoever comes has calls looked up",
        at="Runtime.look_up",
        old="require_answerer(gate, run, by, self._people)",
        new="",
        killed_by=[f"{ROLES}::test_who_is_no_operator_has_no_call_looked_up"],
    ),
]
