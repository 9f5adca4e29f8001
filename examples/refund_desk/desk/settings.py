"""Where the desk finds its folder and its services, and how it works."""

import os
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

DEFAULT_HOME = ".refund_desk"
SERVICES_FILE = "services.json"


class MailKind(StrEnum):
    """What is done about a mail of which nobody knows whether it was sent."""

    LOOK_UP = "look_up"
    """The mail server is asked for it by its Message-ID."""
    ASK = "ask"
    """It cannot be asked, so a person is."""


class ServicesMissing(Exception):
    """Nothing in the desk's folder says where its services listen."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"`{file}` is not there, so the desk cannot find its services. Start them with"
            " `python -m world`, or set REFUND_DESK_HOME to the folder they were started in."
        )


class Services(BaseModel):
    """Where the services listen; whoever starts them writes this into the desk's folder."""

    model_config = ConfigDict(frozen=True)

    payments_url: str
    """The payment provider's root, without a slash at its end."""
    smtp_host: str
    """The mail server's host."""
    smtp_port: int
    """The mail server's port."""
    mail_log_url: str
    """Where the mail server says which mails it took over."""


class Settings(BaseModel):
    """What can be set from outside."""

    model_config = ConfigDict(frozen=True)

    home: Path
    """The folder with the inbox, the shop's database and `services.json`; absolute."""
    mail: MailKind
    """Whether the mail server is asked if it took a mail over, where that is not known."""
    model: str
    """`provider:model` of the model that reads the tickets; empty for the rules in `rules.py`."""

    @property
    def inbox(self) -> Path:
        """The folder with the tickets."""
        return self.home / "inbox"

    @property
    def shop(self) -> Path:
        """The shop's database."""
        return self.home / "shop.db"

    def services(self) -> Services:
        """Read where the services listen now.

        Raises:
            ServicesMissing: They were never started here.
        """
        file = self.home / SERVICES_FILE
        try:
            return Services.model_validate_json(file.read_text())
        except FileNotFoundError:
            raise ServicesMissing(file) from None


def read_settings() -> Settings:
    """Read the environment; every node does so anew, because it may run in any process."""
    return Settings(
        home=home(),
        mail=MailKind(os.environ.get("REFUND_DESK_MAIL", MailKind.LOOK_UP)),
        model=os.environ.get("PENSTOCK_MODEL", ""),
    )


def home() -> Path:
    """Return the folder that REFUND_DESK_HOME names, else `.refund_desk` where we are."""
    return Path(os.environ.get("REFUND_DESK_HOME", DEFAULT_HOME)).resolve()
