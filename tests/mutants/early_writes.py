"""Writes that are answered before they are in the database."""

from support.mutants import Mutant

CHECKPOINTER = "tests/integration/test_checkpointer.py"
LANES = "tests/unit/test_early_writes.py"

MUTANTS = [
    Mutant(
        "a lane that lost a write takes the next",
        at="EarlyWrites.check",
        old="""
            if self._losses:
                self._raise_if_lost(lane, reading=False)
        """,
        new="",
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "a loss is forgotten before anybody was told",
        at="EarlyWrites._raise_if_lost",
        old="reading and loss.told",
        new="reading",
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "an early write that failed is taken for told",
        at="Checkpointer._post",
        old="told=False",
        new="told=True",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a lane is not closed by a failure",
        at="CheckpointChanges.when_undone",
        old="self._lanes.lose(lane, failure, told=told)",
        new="",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a reader without the lease opens the lane",
        at="EarlyWrites._raise_if_lost",
        old="""
            if lane.fence is not None:
                ...
        """,
        new="del self._losses[lane.place]",
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "a new lease inherits the losses of the old",
        at="EarlyWrites._raise_if_lost",
        old="""
            if lane.fence is not None:
                del self._losses[lane.place]
        """,
        new="""
            if lane.fence is not None:
                pass
        """,
        killed_by=[LANES, CHECKPOINTER],
    ),
    Mutant(
        "a reader does not wait for what was answered early",
        at="Checkpointer._post",
        old="self._lanes.answer_early(record.lane, hand_in)",
        new="hand_in()",
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
