"""A program that sends messages by Apprise, and ends; `notifications` starts it as a process.

It is a process of its own for four reasons. A channel that hangs is killed with it. What Apprise
and its clients log, with the secrets of URLs, goes nowhere. A worker is spared a large import. And
no thread of a library keeps a worker from ending. No module imports it.

It reads one JSON object, and writes a line for each message as soon as its outcome is known.
"""

import json
import os
import re
import sys
import threading
import time
from typing import Any, TextIO

from apprise import Apprise, AppriseAsset, NotifyFormat

_STATUS = re.compile(r"\berror=(\d{3})\b")


def _untyped(channel: Apprise) -> Any:
    # Its methods take dicts of which it does not say what is in them.
    return channel


def _channel(url: str) -> Apprise | None:
    """Return the channel of a URL; None if Apprise does not know its kind."""
    # Without a limit of its own Apprise sends in the thread that asks it to.
    asset = AppriseAsset(storage_mode="memory", service_timeout=0, secure_logging=True)
    asset.async_mode = False
    asset.app_id = "Penstock"
    channel = Apprise(asset=asset)
    return channel if _untyped(channel).add(url) else None


def _send(channel: Apprise | None, title: str, body: str) -> str | None:
    """Send a message; return why it was not delivered, without any secret; None if it was."""
    if channel is None:
        return "it is no URL that Apprise knows"
    try:
        result = _untyped(channel).notify(title=title, body=body, body_format=NotifyFormat.TEXT)
    except Exception as error:
        return f"sending raised `{type(error).__name__}`"
    if result:
        return None
    statuses = {found[1] for entry in result.logs() for found in _STATUS.finditer(entry.message)}
    if statuses:
        return f"it answered with status {', '.join(sorted(statuses))}"
    return "it did not take the message"


def main(out: TextIO) -> None:
    """Send the messages of standard input at once; end when all outcomes are known, or late."""
    job: dict[str, Any] = json.load(sys.stdin)
    lock = threading.Lock()

    def send(number: int, channel: Apprise | None, title: str, body: str) -> None:
        error = _send(channel, title, body)
        with lock:
            print(json.dumps({"number": number, "error": error}), file=out, flush=True)

    threads = [
        threading.Thread(
            target=send,
            args=(number, _channel(message["url"]), message["title"], message["body"]),
            daemon=True,
        )
        for number, message in enumerate(job["messages"])
    ]
    # Apprise loads itself when it is first used. The time of the channels begins after that.
    end = time.monotonic() + job["limit_s"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr
    main(answers)
    # Threads that hang, in whatever library, are left behind.
    os._exit(0)
