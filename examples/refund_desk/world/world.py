"""Everything around the desk, in one folder: inbox, shop, payment provider and mail server.

<home>/inbox/*.txt      the tickets
<home>/shop.db          the shop
<home>/payments.db      the provider's ledger
<home>/mail/*.eml       what the customers got
<home>/services.json    where the services listen now
"""

import shutil
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from desk.settings import SERVICES_FILE, Services
from world.evidence import Evidence
from world.mailbox import Mailbox, MailFault
from world.provider import Fault, Ledger, Provider
from world.seed import seed

TICKETS = Path(__file__).resolve().parent.parent / "tickets"


class World:
    """The services, running while the context lasts; started again, they know what they knew."""

    def __init__(self, home: Path) -> None:
        """Lay out `home`, which is made where it is missing and filled only once."""
        self.home = home.resolve()
        inbox = self.home / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        for ticket in TICKETS.glob("*.txt"):
            shutil.copy(ticket, inbox)
        self._ledger = Ledger(self.home / "payments.db")
        seed(self.home / "shop.db", self._ledger)
        self.evidence = Evidence(self.home)
        self._mail_faults: deque[MailFault] = deque()
        self._running = ExitStack()

    @property
    def tickets(self) -> list[str]:
        """The ids of the tickets in the inbox, in order."""
        return sorted(file.stem for file in (self.home / "inbox").glob("*.txt"))

    def fail_payments(self, order: str, kind: Fault, *, times: int = 1) -> None:
        """Let the next payments for an order, or for any order (`*`), go wrong."""
        self._ledger.fail(order, kind, times=times)

    def fail_mails(self, kind: MailFault, *, times: int = 1) -> None:
        """Let the mail server die in the middle of the next conversations."""
        self._mail_faults.extend([kind] * times)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            provider = starting.enter_context(Provider(self._ledger))
            mailbox = starting.enter_context(Mailbox(self.home / "mail", self._mail_faults))
            services = Services(
                payments_url=provider.url,
                smtp_host=mailbox.host,
                smtp_port=mailbox.port,
                mail_log_url=mailbox.log_url,
            )
            # Replaced in one go: a worker that reads it meanwhile finds the old or the new.
            fresh = self.home / f"{SERVICES_FILE}.part"
            fresh.write_text(services.model_dump_json(indent=2))
            fresh.replace(self.home / SERVICES_FILE)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()
