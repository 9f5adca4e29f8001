"""A tool whose module starts a thread when it is imported, as some libraries do."""

import threading

from penstock.nodes import tool

_never = threading.Event()
threading.Thread(target=_never.wait, daemon=True).start()


@tool(isolation="subprocess")
def threads() -> int:
    """Count the threads."""
    return threading.active_count()
