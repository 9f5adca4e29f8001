"""The world around the refund desk: what it talks to, and the evidence of what it did."""

from world.evidence import Evidence
from world.mailbox import MailFault
from world.provider import Fault
from world.world import World

__all__ = ["Evidence", "Fault", "MailFault", "World"]
