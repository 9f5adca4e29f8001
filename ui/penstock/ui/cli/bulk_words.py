"""Why runs are left out where many are acted on, in words for people."""

from collections.abc import Mapping

from penstock.contracts.bulk import Why

WHY: Mapping[Why, str] = {
    Why.OVER: "over already",
    Why.STOPPING: "to be cancelled already",
    Why.NOT_FAILED: "not failed",
    Why.FOR_GOOD: "failed for good, so that a redrive cannot help",
    Why.IN_DOUBT: "with a call in doubt; decide its gate, or redrive the run alone",
    Why.NOT_YOURS: "not yours to steer",
}
"""What such a run is."""
