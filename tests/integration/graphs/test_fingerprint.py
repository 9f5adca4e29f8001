"""A graph's fingerprint is the same in every process."""

import subprocess
import sys

from support.checkout import import_path

PROGRAM = """
from penstock.graphs import declare
from support.graphs import chain, chat
print(*(declare(graph, name="it").fingerprint for graph in (chain(None, length=9), chat(None))))
"""


def test_a_fingerprint_does_not_depend_on_the_seed_of_hashing() -> None:
    environment = {"PYTHONPATH": import_path(), "LANGGRAPH_STRICT_MSGPACK": "true"}
    told = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
