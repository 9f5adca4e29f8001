"""The people who are asked about calls."""

from collections.abc import Mapping
from enum import StrEnum

from bench.agentdojo.suites import Scene


class Person(StrEnum):
    """How somebody answers."""

    CAREFUL = "careful"
    """Approves what the user's task wants, and rejects the rest."""
    RUBBER_STAMP = "rubber stamp"
    """Approves everything."""
    ABSENT = "absent"
    """Never answers, so that the call is denied when its time is over."""

    def approves(self, scene: Scene, tool: str, args: Mapping[str, object]) -> bool:
        """Tell whether a call is approved."""
        match self:
            case Person.CAREFUL:
                return scene.is_users(tool, args)
            case Person.RUBBER_STAMP:
                return True
            case Person.ABSENT:
                return False
