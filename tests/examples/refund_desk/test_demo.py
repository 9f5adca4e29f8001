"""The demonstration works through the inbox, waits for people, and goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.checkout import ROOT, import_path
from world import Evidence, Fault, World

DESK = ROOT / "examples" / "refund_desk"


def run(home: Path, *program: object) -> str:
    """Run a program as a user would, and return what it printed."""
    path = os.pathsep.join((import_path(), str(DESK)))
    done = subprocess.run(
        [sys.executable, *map(str, program)],
        cwd=home.parent,
        env={
            "PYTHONPATH": path,
            "PATH": "",
            "COLUMNS": "120",
            "REFUND_DESK_HOME": str(home),
            "PENSTOCK_STORE_URL": f"sqlite:///{home / 'penstock.db'}",
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_inbox_is_worked_through_in_two_goes_with_a_person_between(tmp_path: Path) -> None:
    home = tmp_path / "desk"
    first = run(home, DESK / "demo.py")
    assert first.count("1 gate open") == 3
    assert "Refund 489.00 EUR for order R-10232? (02-espresso-machine: above_limit)" in first
    told: Any = json.loads(run(home, "-m", "penstock.ui", "gates", "--json"))
    for gate in told["gates"]:
        run(home, "-m", "penstock.ui", "decide", gate["id"], '{"approved": true}')
    second = run(home, DESK / "demo.py")
    assert "No gate waits." in second
    assert "Nothing was paid or mailed twice." in second
    evidence = Evidence(home)
    assert (len(evidence.refunds()), sum(one.cents for one in evidence.refunds())) == (14, 129_280)
    assert evidence.problems() == []


def test_a_call_in_doubt_is_shown_and_its_gate_named(tmp_path: Path) -> None:
    home = tmp_path / "desk"
    World(home).fail_payments("R-10231", Fault.DROP, times=3)
    told = run(home, DESK / "demo.py")
    assert "Calls in doubt" in told
    assert "Did `pay` happen? (PaymentUnknown: POST /refunds had no answer" in told
    assert '\'{"answer": "retry"}\'' in told
