"""Tickets: files in the inbox, each a mail header and the customer's words."""

import email
import email.policy
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypedDict


class Ticket(TypedDict):
    """A customer's mail."""

    id: str
    sender: str
    """The mail address it came from."""
    name: str
    """The name the sender goes by."""
    subject: str
    received_on: str
    """A date, `2026-05-04`, stamped by our own mail server."""
    text: str


class UnknownTicket(Exception):
    """There is no such file in the inbox."""

    def __init__(self, ticket: str, inbox: Path) -> None:
        super().__init__(f"the inbox `{inbox}` holds no ticket `{ticket}`")


def read(ticket: str, inbox: Path) -> Ticket:
    """Read a ticket by its id, which is its file's name without the ending, or by its file.

    Raises:
        UnknownTicket: It is not there, or the name leads out of the inbox.
    """
    inbox = inbox.resolve()
    file = (inbox / f"{ticket.removesuffix('.txt')}.txt").resolve()
    if not file.is_relative_to(inbox) or not file.is_file():
        raise UnknownTicket(ticket, inbox)
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    (sender,) = message["From"].addresses
    return Ticket(
        id=file.stem,
        sender=sender.addr_spec.lower(),
        name=sender.display_name,
        subject=str(message["Subject"]),
        received_on=parsedate_to_datetime(message["Date"]).date().isoformat(),
        text=message.get_content().strip(),
    )
