"""Policies of the tests, as folders."""

from pathlib import Path

_HERE = Path(__file__).parent / "policies"

OPEN = _HERE / "open"
"""Allows everything, for tests of all else."""

DESK = _HERE / "desk"
"""Asks two of `finance` above 500, `security` what is tainted, and denies above 10000."""

COUNCIL = _HERE / "council"
"""Asks about a call of `pay` what its note says, and denies above 10000."""
