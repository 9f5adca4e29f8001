"""The writer, the readers and the settings of the database."""

from support.mutants import Mutant

MIGRATIONS = "tests/integration/test_migrations.py"
WRITER = "tests/integration/test_writer.py"

MUTANTS = [
    Mutant(
        "a failed commit is acknowledged",
        at="Writer._commit",
        old="[_Answer(request, None, failure) for request, failure in failures]",
        new="[_Answer(request, None, None) for request, _ in failures]",
        killed_by=[WRITER],
    ),
    Mutant(
        "a change that raised is not undone",
        at="_apply",
        old="driver.execute('ROLLBACK TO SAVEPOINT change')",
        new="pass",
        killed_by=[WRITER],
    ),
    Mutant(
        "nobody is told when a commit fails",
        at="Writer._commit",
        old="request.report(failure)",
        new="pass",
        killed_by=[WRITER],
    ),
    Mutant(
        "a read that failed spoils the next",
        at="Reader._read",
        old="self._kept.abandon()",
        new="pass",
        killed_by=[WRITER],
    ),
    Mutant(
        "a read leaves its transaction open",
        at="Reader._read",
        old="self._database.commit(connection)",
        new="pass",
        killed_by=[WRITER],
    ),
    Mutant(
        "a commit does not wait for the disk",
        at="_prepare_sqlite",
        old="'synchronous = FULL'",
        new="'synchronous = NORMAL'",
        killed_by=[MIGRATIONS],
    ),
    Mutant(
        "a write transaction begins as a read",
        at="begin_writing",
        old="'BEGIN IMMEDIATE'",
        new="'BEGIN'",
        killed_by=[WRITER],
    ),
]
