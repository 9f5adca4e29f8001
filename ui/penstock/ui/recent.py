"""Numbers that were read a moment ago and are not read again: nothing is decided by them."""

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from penstock.contracts.clock import Clock, SystemClock

T = TypeVar("T")

KEY_COUNT = 1000
"""So many answers are kept; then all are left."""


class Recent:
    """Keeps answers for some seconds, for all windows of a process."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Keep nothing yet."""
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, object]] = {}
        self._changes = 0

    def get(self, key: Hashable, ask: Callable[[], T], *, for_s: float) -> T:
        """Return what `ask` has answered under this key in the last seconds, or ask."""
        now = self._clock.now().timestamp()
        with self._lock:
            kept = self._kept.get(key)
            changes = self._changes
        if kept is not None and 0 <= now - kept[0] < for_s:
            return cast("T", kept[1])
        answer = ask()
        with self._lock:
            # What was asked before a change says nothing of what is now.
            if changes == self._changes:
                if len(self._kept) >= KEY_COUNT:
                    self._kept.clear()
                self._kept[key] = (now, answer)
        return answer

    def forget(self) -> None:
        """Keep nothing: something was changed here."""
        with self._lock:
            self._changes += 1
            self._kept.clear()
