"""The states of runs, and who may claim them."""

from support.mutants import Mutant

RUNS = "tests/integration/test_runs.py"
RUNTIME = "tests/integration/test_runtime.py"
STEPS = "tests/integration/test_steps.py"

MUTANTS = [
    Mutant(
        "two runs of a thread are driven at once",
        at="_waiting",
        old="""
            select(runs.c.id).where(
                runs.c.status == RunStatus.QUEUED,
                runs.c.pause_by.is_(None),
                or_(false(), *known),
                free,
            )
        """,
        new="""
            select(runs.c.id).where(
                runs.c.status == RunStatus.QUEUED,
                runs.c.pause_by.is_(None),
                or_(false(), *known),
            )
        """,
        killed_by=[RUNTIME],
    ),
    Mutant(
        "a worker drives a graph of another shape",
        at="_waiting",
        old="runs.c.fingerprint == fingerprint",
        new="",
        killed_by=[RUNTIME],
    ),
    Mutant(
        "a dead worker's runs stay with it",
        at="sweep",
        old="runs.c.lease_expires_at < database_now(connection.dialect)",
        new="runs.c.lease_expires_at > database_now(connection.dialect)",
        killed_by=[RUNTIME],
    ),
    Mutant(
        "a worker that lives keeps a run that it has given up",
        at="beat",
        old="runs.c.id.in_(driven)",
        new="",
        killed_by=[RUNTIME],
    ),
    Mutant(
        "a run may take workers down for ever",
        at="sweep",
        old="lost_count + 1 >= lost_limit",
        new="lost_count < 0",
        killed_by=[RUNTIME],
    ),
    Mutant(
        "a closed gate is decided again",
        at="close",
        old="gates.c.status == GateStatus.OPEN",
        new="",
        killed_by=[RUNTIME],
    ),
    Mutant(
        "a decision that comes while the run parks is not heard",
        at="park",
        old="gates.any_closed(connection, waits_for)",
        new="not questions and gates.any_closed(connection, [])",
        killed_by=[RUNTIME],
    ),
    Mutant(
        "a cancellation that comes while the run parks is not heard",
        at="park",
        old="run.cancel_by is not None",
        new="run.cancel_by is not None and not questions",
        killed_by=[RUNS],
    ),
    Mutant(
        "gates stay open when their run is over",
        at="move",
        old="gates.cancel_open(connection, run.id, at=at, actor=actor)",
        new="pass",
        killed_by=[RUNTIME],
    ),
    Mutant(
        "an old driver writes steps",
        at="_record",
        old="runs.c.epoch == bindparam('epoch')",
        new="",
        killed_by=[STEPS],
    ),
    Mutant(
        "steps are written of a run that is over",
        at="_record",
        old="runs.c.status == RunStatus.RUNNING",
        new="",
        killed_by=[STEPS],
    ),
    Mutant(
        "a step that has succeeded is told of again",
        at="_record",
        old="StepStatus.SUCCEEDED",
        new="StepStatus.PARKED",
        killed_by=[STEPS],
    ),
]
