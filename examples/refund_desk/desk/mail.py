"""Mail to customers, over SMTP.

SMTP has no idempotency key, so a mail whose sender dies in the middle may have been sent or not.
Its Message-ID is made from the key of the call: who knows the key can ask the mail server's log.
"""

import hashlib
import smtplib
from email.message import EmailMessage
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import quote

import httpx

DESK = "Refund desk <desk@shop.example>"


class NotTaken(Exception):
    """The mail server was not reached; nothing was sent."""


class Rejected(Exception):
    """The mail server read the mail and will not have it."""


def message_id(key: str) -> str:
    """Return the Message-ID of the mail that is sent under a key."""
    return f"<{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}@shop.example>"


def write(key: str, ticket: str, *, to: str, subject: str, text: str) -> EmailMessage:
    """Write the answer to a ticket."""
    message = EmailMessage()
    message["From"] = DESK
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = message_id(key)
    message["X-Ticket"] = ticket
    message.set_content(text)
    return message


def send(message: EmailMessage, *, host: str, port: int, timeout_s: float) -> None:
    """Hand a message to the mail server; when it returns, the server has taken it over.

    Raises:
        NotTaken: There was no server.
        Rejected: The server said no.
        OSError, SMTPException: The conversation broke off. The mail was sent, or it was not.
    """
    try:
        smtp = smtplib.SMTP(host, port, timeout=timeout_s)
    except OSError as error:
        raise NotTaken(f"no mail server at {host}:{port}: {error}") from error
    with smtp:
        try:
            smtp.send_message(message)
        except (
            smtplib.SMTPDataError,
            smtplib.SMTPSenderRefused,
            smtplib.SMTPRecipientsRefused,
        ) as error:
            raise Rejected(f"the mail server refused: {error}") from error


async def is_sent(sought: str, *, log_url: str) -> bool:
    """Ask the mail server whether it took a message over, by its Message-ID."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{log_url}/mails/{quote(sought, safe='')}")
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return False
    answer.raise_for_status()
    return True
