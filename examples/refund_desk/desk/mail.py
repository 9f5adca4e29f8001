"""Mail to customers, over SMTP.

SMTP has no idempotency key: a mail whose sender dies between the server's answer and the next
checkpoint is sent again. Both copies bear the same Message-ID, which is made from the ticket, so
the customer's mail program shows one of them and whoever counts can count them.
"""

import smtplib
from email.message import EmailMessage
from email.utils import formatdate

DESK = "Refund desk <desk@shop.example>"


def message_id(ticket: str) -> str:
    """Return the Message-ID of the answer to a ticket."""
    return f"<{ticket}.answer@shop.example>"


def write(ticket: str, *, to: str, subject: str, text: str) -> EmailMessage:
    """Write the answer to a ticket."""
    message = EmailMessage()
    message["From"] = DESK
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = message_id(ticket)
    message["X-Ticket"] = ticket
    message.set_content(text)
    return message


def send(message: EmailMessage, *, host: str, port: int, timeout_s: float) -> None:
    """Hand a message to the mail server; when it returns, the server has taken it over."""
    with smtplib.SMTP(host, port, timeout=timeout_s) as smtp:
        smtp.send_message(message)
