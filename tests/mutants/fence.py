"""The fence: only the worker that holds a run's lease writes for it."""

from support.mutants import Mutant

FENCE = "tests/integration/test_fence.py"
RUNS = "tests/integration/test_runs.py"

MUTANTS = [
    Mutant(
        "an old epoch may write",
        at="FenceCheck.check",
        old="tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch)",
        new="own[1] != RunStatus.RUNNING",
        killed_by=[FENCE],
    ),
    Mutant(
        "a run that does not run may be written",
        at="FenceCheck.check",
        old="tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch)",
        new="own[2] != fence.epoch",
        killed_by=[FENCE],
    ),
    Mutant(
        "a run that does not exist may be written",
        at="FenceCheck.check",
        old="""
            if own is None or tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch):
                msg = f"run `{fence.run_id}` may not be written at epoch {fence.epoch}: {found}"
                raise LeaseLost(msg)
        """,
        new="""
            if own is None:
                return
            if tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch):
                msg = f"run `{fence.run_id}` may not be written at epoch {fence.epoch}: {found}"
                raise LeaseLost(msg)
        """,
        killed_by=[FENCE],
    ),
    Mutant(
        "anybody may write to the thread of a live run",
        at="FenceCheck.check",
        old="live is not None",
        new="live is not None and fence is not None",
        killed_by=[FENCE],
    ),
    Mutant(
        "a lease opens every thread",
        at="FenceCheck.check",
        old="""
            if own[0] == thread_id:
                ...
        """,
        new="return",
        killed_by=[FENCE],
    ),
    Mutant(
        "checkpoints and writes are not fenced",
        at="CheckpointChanges._enter",
        old="self._fences.check(connection, thread_id=target.thread_id, fence=target.fence)",
        new="",
        killed_by=[FENCE],
    ),
    Mutant(
        "a live thread can be changed: deleted",
        at="CheckpointChanges.delete",
        old="self._fences.check(connection, thread_id=thread_id, fence=None)",
        new="",
        killed_by=[FENCE],
    ),
    Mutant(
        "a live thread can be changed: copied onto",
        at="CheckpointChanges.copy",
        old="self._fences.check(connection, thread_id=target_id, fence=None)",
        new="",
        killed_by=[FENCE],
    ),
    Mutant(
        "a live thread can be changed: pruned",
        at="CheckpointChanges.keep_latest",
        old="self._fences.check(connection, thread_id=thread_id, fence=None)",
        new="",
        killed_by=[FENCE],
    ),
    Mutant(
        "the checkpoints of a live run can be deleted",
        at="CheckpointChanges.drop_runs",
        old="self._fences.check(connection, thread_id=thread_id, fence=None)",
        new="del thread_id",
        killed_by=[FENCE],
    ),
    Mutant(
        "an old driver may move its run",
        at="_move",
        old="runs.c.epoch == bindparam('at_epoch')",
        new="",
        killed_by=[RUNS],
    ),
    Mutant(
        "a move does not look at the state",
        at="_move",
        old="text(one_of('status', sources(to)))",
        new="",
        killed_by=[RUNS],
    ),
    Mutant(
        "a claim leaves the epoch",
        at="claim",
        old="runs.c.epoch + 1",
        new="runs.c.epoch",
        killed_by=[RUNS, FENCE],
    ),
    Mutant(
        "a run is claimed twice",
        at="claim",
        old="runs.c.status == RunStatus.QUEUED",
        new="",
        killed_by=[RUNS],
    ),
]
