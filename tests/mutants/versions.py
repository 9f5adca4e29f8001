"""Values that are kept as differences."""

from support.mutants import Mutant

CHECKPOINTER = "tests/integration/test_checkpointer.py"
DELTAS = "tests/unit/test_deltas.py"

MUTANTS = [
    Mutant(
        "a version is built on bytes that are not stored",
        at="Values.add",
        old="""
            if self._sql.add_value(connection, namespace.id, channel, row):
                self.newest.set(namespace.key, channel, stored.head)
        """,
        new="""
            self._sql.add_value(connection, namespace.id, channel, row)
            self.newest.set(namespace.key, channel, stored.head)
        """,
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a version is built on one that was undone",
        at="CheckpointChanges.add_checkpoint",
        old="self._values.newest.drop(namespace.key)",
        new="",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a version is built on one whose commit failed",
        at="CheckpointChanges.when_undone",
        old="self._values.newest.clear()",
        new="pass",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a version is built on one that was pruned by another process",
        at="Namespace.key",
        old="self.generation",
        new="0",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "pruning begins no new generation",
        at="begin_generation",
        old="ns.c.generation + 1",
        new="ns.c.generation",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "pruning leaves a version without its base",
        at="CheckpointPruner.keep_values",
        old="(channel, base) not in needed",
        new="(channel, base) in needed",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "pruning takes away what a DeltaChannel rests on",
        at="CheckpointPruner.needed",
        old="set(_delta_channels(row))",
        new="set[str]()",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a difference is laid on any base",
        at="apply",
        old="len(raw) != length",
        new="len(raw) < 0",
        killed_by=[DELTAS, CHECKPOINTER],
    ),
    Mutant(
        "the back of a value is counted into its front",
        at="difference",
        old="limit - front",
        new="limit",
        killed_by=[DELTAS, CHECKPOINTER],
    ),
    Mutant(
        "a chain of keys is never ended by a whole version",
        at="store",
        old="head.key_count < KEYS",
        new="",
        killed_by=[DELTAS, CHECKPOINTER],
    ),
    Mutant(
        "keys rest on links, so that chains grow without bound",
        at="store",
        old="key, Version(version, raw, 0, after.key_count + 1, None)",
        new="after, Version(version, raw, 0, after.key_count + 1, None)",
        killed_by=[DELTAS, CHECKPOINTER],
    ),
    Mutant(
        "after a restart the chain of versions does not go on",
        at="Values.add",
        old="not is_first",
        new="is_first",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a checkpoint rests on a value that is not stored",
        at="Values.require",
        old="not self._sql.has_version(connection, namespace.id, channel, version)",
        new=(
            "not version and not self._sql.has_version(connection, namespace.id, channel, version)"
        ),
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a missing version is guessed",
        at="Values._load",
        old="not chain or chain[0].base is not None",
        new="not chain",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "a new thread takes the place of a deleted one in memory",
        at="upgrade",
        old="sqlite_autoincrement=True",
        new="",
        killed_by=[CHECKPOINTER],
    ),
    Mutant(
        "the newest checkpoint is the one with the greatest id",
        at="CheckpointSql.__init__",
        old="cp.c.seq.desc",
        new="cp.c.checkpoint_id.desc",
        killed_by=[CHECKPOINTER],
    ),
]
