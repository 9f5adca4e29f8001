"""What the audit tells of a run, held against what may happen to one."""

import itertools
from collections import Counter
from collections.abc import Sequence

from penstock.checkpoints import Store, audit, gates, runs
from penstock.checkpoints.audit.consistency import compare
from penstock.checkpoints.audit.verification import verify
from penstock.contracts.audit import AuditEvent
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.run import ENDED, TRANSITIONS, RunStatus

MOVES = {
    **{f"run.{status}": status for status in RunStatus if status is not RunStatus.RUNNING},
    "run.claimed": RunStatus.RUNNING,
}
"""The actions that tell of a move, and where it led."""


def story(store: Store, run_id: RunId) -> Sequence[AuditEvent]:
    """Return what happened to a run and its gates."""
    return store.read_blocking(lambda connection: audit.of_run(connection, run_id))


def check_story(store: Store, run_id: RunId, end: RunStatus, *, gate_count: int | None) -> None:
    """Make sure that a run came to `end` once, by moves that may be made, one claim an epoch.

    Each of its gates was opened once and closed once, all by decisions if it has succeeded.
    `gate_count` is how many there must be, if that is known.
    """
    run = store.read_blocking(lambda connection: runs.get(connection, run_id))
    assert run.status is end, run
    events = story(store, run_id)
    moves = [MOVES[event.action] for event in events if event.action in MOVES]
    assert moves[0] is RunStatus.QUEUED, moves
    for before, after in itertools.pairwise(moves):
        assert after in TRANSITIONS[before], f"{run_id} was {before} and became {after}"
    assert [status for status in moves if status in ENDED] == [end], moves
    assert moves[-1] is end, moves
    epochs = [event.detail["epoch"] for event in events if event.action == "run.claimed"]
    assert epochs == list(range(1, run.epoch + 1)), f"{run_id} was claimed at {epochs}"
    _check_gates(store, run_id, end, events, gate_count)


def check_chain(store: Store, run_id: RunId) -> None:
    """Make sure that the audit of a run's tenant is whole, and that the store is as it says."""
    tenant = store.read_blocking(lambda connection: runs.get(connection, run_id)).tenant
    found = store.read_blocking(lambda connection: verify(connection, tenant))
    assert found.faults == [], [str(fault) for fault in found.faults]
    other = store.read_blocking(lambda connection: list(compare(connection, tenant)))
    assert other == [], [str(fault) for fault in other]


def _check_gates(
    store: Store,
    run_id: RunId,
    end: RunStatus,
    events: Sequence[AuditEvent],
    gate_count: int | None,
) -> None:
    asked = store.read_blocking(lambda connection: gates.of_run(connection, run_id))
    if gate_count is not None:
        assert len(asked) == gate_count, asked
    told = Counter((event.detail.get("gate"), event.action) for event in events)
    for gate in asked:
        assert gate.status is not GateStatus.OPEN, gate
        if end is RunStatus.SUCCEEDED:
            assert gate.status is GateStatus.DECIDED, gate
    wanted = [
        (gate.id, action) for gate in asked for action in ("gate.opened", f"gate.{gate.status}")
    ]
    gated = Counter({key: count for key, count in told.items() if key[0] is not None})
    assert gated == Counter(wanted), f"{run_id}: {gated}"
