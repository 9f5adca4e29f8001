"""The demonstration works through the inbox, waits for people, and goes on."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import ROOT, import_path
from world import Evidence, Fault, World

DESK = ROOT / "examples" / "refund_desk"


def run(home: Path, *program: object) -> str:
    """Run a program as a user would, and return what it printed."""
    done = subprocess.run(
        tied_to_parent([sys.executable, *map(str, program)]),
        cwd=home.parent,
        env=environment(home),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def environment(home: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join((import_path(), str(DESK))),
        "PATH": "",
        "COLUMNS": "120",
        "REFUND_DESK_HOME": str(home),
    }


def typed(home: Path, told: str, *lines: int) -> None:
    """Type what the demonstration printed last: its exports, and some of its commands."""
    exports = re.findall(r"^  export (\w+)=(.*)$", told, re.MULTILINE)
    commands = re.findall(r"^ +\S*penstock (decide .*)$", told, re.MULTILINE)
    for line in lines:
        subprocess.run(
            [sys.executable, "-m", "penstock.ui", *shlex.split(commands[line])],
            env=environment(home) | dict(exports),
            cwd=home.parent,
            timeout=60,
            check=True,
        )


def test_the_inbox_is_worked_through_in_two_goes_with_a_person_between(tmp_path: Path) -> None:
    home = tmp_path / "desk"
    first = run(home, DESK / "demo.py")
    assert first.count("1 gate open") == 3
    assert "02-espresso-machine: May `pay` give back 489.00 EUR for order R-10232?" in first
    asked = re.findall(r"asks 1 of finance within 3 h 5\d min, because of above-limit", first)
    assert len(asked) == 2
    assert "09-somebody-elses-order: Refund 79.00 EUR for order R-10244? (not_the_buyer)" in first
    typed(home, first, 0, 1, 2)
    second = run(home, DESK / "demo.py")
    assert "No gate waits." in second
    assert "Nothing was paid or mailed twice." in second
    evidence = Evidence(home)
    assert (len(evidence.refunds()), sum(one.cents for one in evidence.refunds())) == (14, 129_280)
    assert evidence.problems() == []


def test_the_commands_that_say_no_and_make_less_work_as_they_are_printed(tmp_path: Path) -> None:
    home = tmp_path / "desk"
    first = run(home, DESK / "demo.py")
    typed(home, first, -1)
    second = run(home, DESK / "demo.py")
    assert "May `pay` give back 244.50 EUR for order R-10232?" in second
    typed(home, second, -2)
    third = run(home, DESK / "demo.py")
    (ticket,) = (line for line in third.splitlines() if "02-espresso-machine" in line)
    assert "declined" in ticket
    assert Evidence(home).refunded_cents("02-espresso-machine") == 0


def test_a_call_in_doubt_is_shown_and_its_gate_named(tmp_path: Path) -> None:
    home = tmp_path / "desk"
    World(home).fail_payments("R-10231", Fault.DROP, times=3)
    told = run(home, DESK / "demo.py")
    assert "Calls in doubt" in told
    assert "Did `pay` happen? (PaymentUnknown: POST /refunds had no answer" in told
    assert '\'{"answer": "retry"}\'' in told
