"""The life of a run: starting it, driving it, deciding its gates, ending it."""

from penstock.runs.runtime import Runtime
from penstock.runs.worker import Pace, Worker

__all__ = ["Pace", "Runtime", "Worker"]
