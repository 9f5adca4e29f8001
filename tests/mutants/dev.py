"""What `penstock dev` starts, and how it ends."""

from support.mutants import Mutant

DEV = "tests/integration/cli/test_dev.py"
SUPERVISE = "tests/integration/dev/test_supervisor.py"

MUTANTS = [
    Mutant(
        "the environment opens Phoenix to other machines",
        at="phoenix_environment",
        old="{**_with_environment({'PYTHONUNBUFFERED': '1', **added}), **fixed}",
        new="{**fixed, **_with_environment({'PYTHONUNBUFFERED': '1', **added})}",
        killed_by=[
            f"{DEV}::test_phoenix_is_told_to_stay_on_this_machine_and_an_operator_may_say_the_rest"
        ],
    ),
    Mutant(
        "programs outlive a supervisor that was killed",
        at="main",
        old="ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)",
        new="",
        killed_by=[f"{SUPERVISE}::test_nothing_outlives_a_supervisor_that_was_killed"],
    ),
    Mutant(
        "what a program started outlives it",
        at="_Runner._run_once",
        old="self.kill()",
        new="",
        killed_by=[f"{SUPERVISE}::test_what_a_part_started_ends_with_it"],
    ),
]
