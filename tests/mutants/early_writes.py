"""Writes that are answered before they are in the database."""

from support.mutants import Mutant

CHECKPOINTER = "tests/integration/test_checkpointer.py"
LANES = "tests/unit/test_early_writes.py"

MUTANTS = [
    Mutant(
        "a target that lost a write takes the next",
        at="EarlyWrites.check",
        old="""
            if self._losses:
                self._raise_if_lost(target, reading=False)
        """,
        new="",
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "a loss is forgotten before anybody was told",
        at="EarlyWrites._raise_if_lost",
        old="reading and loss.is_reported",
        new="reading",
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "an early write that failed is taken for told",
        at="Checkpointer._post",
        old="is_reported=False",
        new="is_reported=True",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a target is not closed by a failure",
        at="CheckpointChanges.when_undone",
        old="self._early_writes.record_loss(target, failure, is_reported=is_reported)",
        new="",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a reader without the lease opens the target",
        at="EarlyWrites._raise_if_lost",
        old="""
            if target.fence is not None:
                ...
        """,
        new="del self._losses[target.place]",
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "a new lease inherits the losses of the old",
        at="EarlyWrites._raise_if_lost",
        old="""
            if target.fence is not None:
                del self._losses[target.place]
        """,
        new="""
            if target.fence is not None:
                pass
        """,
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "a reader does not wait for what was answered early",
        at="Checkpointer._post",
        old="self._early_writes.answer_early(record.target, submit)",
        new="submit()",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "how a task ended is answered early",
        at="Recorder.writes",
        old="not c.startswith('__')",
        new="bool(c)",
        killed_by=[CHECKPOINTER],
    ),
]
