"""What really happened, told by the files that the services leave behind.

It works while the world is up and after it has ended, and believes nothing that the desk says.
"""

import email
import email.policy
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

from desk import shop
from world.provider import Ledger, LedgerEntry
from world.seed import EARLIER_KEY


class Evidence:
    """What can be found out about one folder."""

    def __init__(self, home: Path) -> None:
        """Look into the folder that a world was started in."""
        self._home = home
        self.ledger = Ledger(home / "payments.db")

    def refunds(self) -> list[LedgerEntry]:
        """Return what the provider has paid since the desk began, in order."""
        seeded = f"{EARLIER_KEY}/"
        return [each for each in self.ledger.refunds() if not each.reference.startswith(seeded)]

    def refunded_cents(self, ticket: str) -> int:
        """Return what was paid for one ticket."""
        return sum(each.cents for each in self.refunds() if each.reference.startswith(f"{ticket}/"))

    def mails(self) -> list[EmailMessage]:
        """Return every mail that the mail server took over."""
        files = sorted((self._home / "mail").glob("*.eml"))
        return [_read(file) for file in files]

    def mail_counts(self) -> Counter[str]:
        """Return how many mails each ticket was answered with."""
        return Counter(str(mail["X-Ticket"]) for mail in self.mails())

    def problems(self) -> list[str]:
        """Return everything that should not have happened: doubled, lost or unasked effects."""
        problems = [
            f"ticket `{ticket}` was answered {count} times"
            for ticket, count in sorted(self.mail_counts().items())
            if count > 1
        ]
        database = self._home / "shop.db"
        paid = Counter[str]()
        totals = Counter[str]()
        for each in self.ledger.refunds():
            paid[each.reference] += each.cents
            totals[each.order] += each.cents
        noted = {each["key"]: each for each in shop.list_refunds(database)}
        for key in sorted(paid.keys() | noted.keys()):
            in_shop = noted[key]["cents"] if key in noted and noted[key]["state"] == "paid" else 0
            if paid[key] != in_shop:
                problems.append(f"refund `{key}`: {paid[key]} cents paid, {in_shop} noted")
        for number, cents in sorted(totals.items()):
            order = shop.find_order(database, number)
            allowed = order["total_cents"] if order else 0
            if cents > allowed:
                problems.append(f"order `{number}`: {cents} cents refunded of {allowed}")
        return problems


def _read(file: Path) -> EmailMessage:
    return email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
