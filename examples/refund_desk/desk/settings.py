"""Where the desk finds its folder and its services, and what it may do without asking."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

DEFAULT_HOME = ".refund_desk"
SERVICES_FILE = "services.json"


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


class Settings(BaseModel):
    """What can be set from outside."""

    model_config = ConfigDict(frozen=True)

    home: Path
    """The folder with the inbox, the shop's database and `services.json`; absolute."""
    limit_cents: int
    """A refund above it is shown to a person first."""
    timeout_s: float
    """How long to wait for the payment provider and for the mail server."""
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
        limit_cents=int(os.environ.get("REFUND_DESK_LIMIT_CENTS", "10000")),
        timeout_s=float(os.environ.get("REFUND_DESK_TIMEOUT_S", "5")),
        model=os.environ.get("PENSTOCK_MODEL", ""),
    )


def home() -> Path:
    """Return the folder that REFUND_DESK_HOME names, else `.refund_desk` where we are."""
    return Path(os.environ.get("REFUND_DESK_HOME", DEFAULT_HOME)).resolve()
