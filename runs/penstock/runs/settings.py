"""The settings of a process: read once from the environment where it starts, then passed on.

`docs/cli.md` lists them; a test holds the list to this class.
"""

import getpass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from penstock.contracts.amounts import read_budget
from penstock.contracts.budget import Budget
from penstock.contracts.run import DEFAULT_TENANT
from penstock.contracts.trace import Protocol
from penstock.runs.links import SECRET_LENGTH, GateLinks
from penstock.runs.pace import Pace
from penstock.runs.retention import Retention
from penstock.traces.phoenix_links import PhoenixLinks

PREFIX = "PENSTOCK_"
"""What the name of every variable begins with."""

_PACE = Pace()


class Otlp(BaseSettings):
    """The standard variables that say what is exported; OpenTelemetry reads the rest."""

    model_config = SettingsConfigDict(env_prefix="OTEL_", env_ignore_empty=True, frozen=True)

    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    exporter_otlp_protocol: Protocol = Protocol.HTTP
    exporter_otlp_traces_protocol: Protocol | None = None
    exporter_otlp_metrics_endpoint: str | None = None
    exporter_otlp_metrics_protocol: Protocol | None = None
    traces_exporter: str = "otlp"
    metrics_exporter: str | None = None
    sdk_disabled: bool = False

    def traces(self) -> Protocol | None:
        """Return how traces are exported; None where they are not."""
        endpoint = self.exporter_otlp_traces_endpoint or self.exporter_otlp_endpoint
        if self.sdk_disabled or endpoint is None or self.traces_exporter != "otlp":
            return None
        return self.exporter_otlp_traces_protocol or self.exporter_otlp_protocol

    def metrics(self) -> Protocol | None:
        """Return how metrics are exported; None where they are not.

        They have to be asked for: what takes traces, such as Phoenix, often takes no metrics.
        """
        is_asked = self.metrics_exporter == "otlp" and self.exporter_otlp_endpoint is not None
        has_own = self.exporter_otlp_metrics_endpoint is not None
        is_off = self.sdk_disabled or self.metrics_exporter not in {None, "otlp"}
        if is_off or not (has_own or is_asked):
            return None
        return self.exporter_otlp_metrics_protocol or self.exporter_otlp_protocol


class LoginBy(StrEnum):
    """How somebody who opens the control room says who they are."""

    NOTHING = "nothing"
    """Not at all: whoever reaches it is whoever started it. On this machine only."""
    PASSWORD = "password"  # noqa: S105  (a way to log in, not a password)
    """By a name and a password from the file of accounts."""
    OIDC = "oidc"
    """By an identity provider that speaks OpenID Connect."""


def login_name() -> str:
    """Return who is logged in, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


class Settings(BaseSettings):
    """What an operator may say about a process. Variables that are empty count as not set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    store_url: str = "sqlite:///penstock.db"
    """Where everything durable lies, as SQLAlchemy spells it."""
    store_busy_timeout_s: float = Field(default=30.0, gt=0)
    """How long to wait for another process's transaction to end."""
    graphs: Path = Path("langgraph.json")
    """The project's `langgraph.json`, or its folder."""
    policy: Path | None = None
    """The folder of the policy for graphs that name none; without one, a built-in policy."""
    people: Path | None = None
    """The file that says who is who; without one, whoever reaches the store may do everything."""
    tenant: str = Field(default=DEFAULT_TENANT, min_length=1)
    """Whose runs are started, listed and acted on."""
    actor: str = Field(default_factory=login_name, min_length=1)
    """Who acts, for the audit events."""
    ui_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where people find the pages; without it messages about gates carry no link."""
    link_secret: SecretStr | None = Field(default=None, min_length=SECRET_LENGTH)
    """What links are signed with, in every process the same; without it there are none."""
    phoenix_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where Phoenix is, which shows the traces; without it there are no links, and it is not told
    how people decided."""
    phoenix_public_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where people find it in a browser, where that is elsewhere, as behind a proxy."""
    phoenix_api_key: SecretStr | None = None
    """What it wants to be shown by whoever writes to it; without one, nothing."""
    phoenix_env: Path | None = None
    """The environment that `penstock dev` starts Phoenix from; without one, it looks for one."""
    audit_key: Path | None = None
    """The key that workers sign the heads of the audit's chains with; without it none are."""
    audit_heads: str | None = None
    """Where signed heads go: a file that lines are added to, or a URL that they are POSTed to."""
    audit_heads_every_s: float = Field(default=60.0, gt=0)
    """A chain that moved is signed after so long at the latest."""
    audit_heads_every_count: int = Field(default=1000, ge=1)
    """And after so many events."""
    retention_runs_days: int | None = Field(default=None, ge=1)
    """A run that has been over for so long is forgotten; without it none is."""
    retention_audit_days: int = Field(default=1096, ge=184)
    """An audit event that is older is taken away; half a year at least."""
    ui_host: str = Field(default="127.0.0.1", min_length=1)
    """The address that the control room listens at."""
    ui_port: int = Field(default=8501, ge=0, le=65535)
    """The port that it listens at; 0 for any that is free."""
    ui_login: LoginBy = LoginBy.NOTHING
    """How people log in there; without a login it is served on this machine only."""
    ui_accounts: Path = Path("accounts.toml")
    """The file with the passwords of people, hashed; `penstock account` writes it."""
    ui_session_s: float = Field(default=12 * 3600.0, gt=0)
    """How long somebody stays logged in."""
    ui_secret: SecretStr | None = Field(default=None, min_length=SECRET_LENGTH)
    """What sessions are signed with; without it they end with the process."""
    oidc_url: str | None = Field(default=None, pattern=r"^https?://")
    """The provider's `.well-known/openid-configuration`."""
    oidc_client_id: str | None = None
    """What the provider knows the control room by."""
    oidc_client_secret: SecretStr | None = None
    """What the control room proves itself to the provider with."""
    oidc_claim: str = Field(default="email", min_length=1)
    """The claim that is one of a person's `logins`, or their name where nobody says who is who."""
    worker_slot_count: int = Field(default=_PACE.slots, ge=1)
    """Runs that a worker drives at once."""
    worker_beat_s: float = Field(default=_PACE.beat_s, gt=0)
    """Between two signs of life of a worker; a cancellation is seen within this time."""
    worker_lease_s: float = Field(default=_PACE.lease_s, gt=0)
    """Without a sign of life for so long, a worker is taken for dead."""
    worker_poll_s: float = Field(default=_PACE.poll_s, gt=0)
    """Between two looks for runs that another process queued."""
    worker_progress_s: float = Field(default=_PACE.progress_s, gt=0)
    """A run of which nothing is heard for so long fails, unless its graph says another time."""
    worker_lost_limit_count: int = Field(default=_PACE.lost_limit, ge=1)
    """A run that took so many workers down fails as poison."""

    log_json: bool = False
    """Whether a worker logs an object of JSON a line, with run, step and trace."""
    trace_gen_ai: bool = False
    """Whether spans also have OpenTelemetry's own `gen_ai` attributes."""
    day_budget: str | None = None
    """What a tenant's runs may use in a day, as `tokens=5000000, money=20 USD`; None: no caps."""

    @field_validator("day_budget")
    @classmethod
    def _has_caps(cls, written: str | None) -> str | None:
        caps = None if written is None else read_budget(written.split(","))
        if caps is not None and not (caps.steps is None and caps.wall_s is None):
            raise ValueError("`steps` and `wall_s` are caps of a run, not of a day")
        return written

    def budget_of_day(self) -> Budget | None:
        """Return what the runs of each tenant may use in a day together; None for no caps."""
        return None if self.day_budget is None else read_budget(self.day_budget.split(","))

    def pace(self) -> Pace:
        """Return the pace of a worker."""
        return Pace(
            slots=self.worker_slot_count,
            beat_s=self.worker_beat_s,
            lease_s=self.worker_lease_s,
            poll_s=self.worker_poll_s,
            progress_s=self.worker_progress_s,
            lost_limit=self.worker_lost_limit_count,
        )

    def retention(self) -> Retention:
        """Return how long runs and audit events are kept."""
        days = self.retention_runs_days
        return Retention(
            runs=None if days is None else timedelta(days=days),
            audit=timedelta(days=self.retention_audit_days),
        )

    def phoenix_links(self) -> PhoenixLinks | None:
        """Return the links into Phoenix; None where it is not known."""
        url = self.phoenix_public_url or self.phoenix_url
        return None if url is None else PhoenixLinks(url=url)

    def links(self) -> GateLinks | None:
        """Return what signs links to gates; None where the page or the secret is not known."""
        if self.ui_url is None or self.link_secret is None:
            return None
        return GateLinks(self.link_secret, ui_url=self.ui_url)
