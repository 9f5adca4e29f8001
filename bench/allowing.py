"""A policy that allows everything: what is measured is all else."""

from pathlib import Path

OPEN = Path(__file__).parent / "policies" / "open"
