"""Telling the calls of a segment to stop, because its run has to end now."""

import asyncio


class Halt:
    """Asked once; what is under way in the segment is then stopped, and nothing more is begun.

    What had begun is settled all the same, or is in doubt: stopping says nothing of what happened.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Stand by on a loop; on the one that runs, where none is named."""
        self._loop = loop or asyncio.get_running_loop()
        self._asked: asyncio.Future[None] = self._loop.create_future()
        self.closing = asyncio.Event()
        """Set when no further attempt is to be made in the segment."""
        self.why = ""
        """Why it was asked, as the end of a sentence."""

    @property
    def is_asked(self) -> bool:
        """Whether what is under way is to stop."""
        return self._asked.done()

    def ask(self, why: str) -> None:
        """Have everything stop; the first reason is the one that is told."""
        if not self.is_asked:
            self.why = why
            self.closing.set()
            self._asked.set_result(None)

    def here(self) -> "asyncio.Future[None] | None":
        """Return what is done when it is asked.

        On another loop there is none: a synchronous call then stands on the segment's own, where
        nobody can ask.
        """
        return self._asked if asyncio.get_running_loop() is self._loop else None
