"""The command line of the measurement."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.agentdojo.measure import POLICIES, Row, as_json, measure, measure_reuse, plan

_HEADINGS = (
    "policy",
    "person",
    "utility kept",
    "asks per run",
    "attacks reaching their goal",
    "utility under attack",
    "asks per attacked run",
)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.agentdojo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two policies, a careful person")
    parser.add_argument("--policy", action="append", choices=POLICIES, help="only these")
    parser.add_argument("--json", type=Path, help="write everything to this file as well")
    typed = parser.parse_args()
    console = Console()
    rows: list[Row] = []
    for policy, person in plan(quick=typed.quick):
        if not typed.policy or policy in typed.policy:
            began = time.perf_counter()
            rows.append(measure(policy, person))
            took = time.perf_counter() - began
            console.print(f"{policy}, {rows[-1].person}: {took:.0f} s")
    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    reused = measure_reuse("recommended")
    console.print("Calls made only of what the user said, and not asked about, by `recommended`:")
    for tool, count in reused.made.items():
        console.print(f"  {tool}: {reused.happened.get(tool, 0)} of {count}")
    if typed.json is not None:
        found = {"rows": [as_json(row) for row in rows], "reused": asdict(reused)}
        typed.json.write_text(json.dumps(found, indent=1) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.policy,
        row.person,
        f"{row.useful_count}/{row.benign_count}",
        f"{row.asks:.2f}",
        f"{row.reached_count}/{row.attacked_count}",
        f"{row.useful_attacked_count}/{row.attacked_count}",
        f"{row.attacked_asks:.2f}",
    )
