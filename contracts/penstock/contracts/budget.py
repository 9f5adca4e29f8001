"""A budget: what may be used up, and the accounts on which that is kept.

What a call may use at most is reserved before it, and what it has used is recorded after it. In
between it is held: nobody else can have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from penstock.contracts.ids import AccountId, RunId
from penstock.contracts.policy import Spend

_Cap = TypeVar("_Cap", int, float)

MICROS = 1_000_000
"""Millionths in a unit of a currency."""


class Unit(StrEnum):
    """What a budget has caps on."""

    TOKENS = "tokens"
    """What models read and write."""
    MONEY = "money"
    """What models, and tools whose contracts name a cost, cost to run."""
    TOOL_CALLS = "tool_calls"
    """Calls of tools that are begun in the ledger before they are made."""
    TOOL_SPEND = "tool_spend"
    """What tools spend on somebody's behalf, by the amounts that their contracts name."""
    STEPS = "steps"
    """Executions of nodes, those of subgraphs too; one that is parked goes on as the same."""
    WALL_MS = "wall_ms"
    """Milliseconds for which workers drove it: not in the queue, at gates or in a pause."""


CALL_UNITS = (Unit.TOKENS, Unit.MONEY, Unit.TOOL_CALLS, Unit.TOOL_SPEND)
"""What calls are reserved in. The others are a run's own: its driver keeps to them."""


class AccountKind(StrEnum):
    """Whose an account is."""

    RUN = "run"
    """Of one run."""
    DAY = "day"
    """Of a tenant on one day, by UTC."""


class HoldKind(StrEnum):
    """What something is held for."""

    TOOL = "tool"
    """A tool call: held as long as its effect is under way or in doubt."""
    MODEL = "model"
    """A call of a model: held no longer than the lease under which it was made."""


class HoldStatus(StrEnum):
    """What has become of a hold."""

    HELD = "held"
    """It counts against its accounts at its worst."""
    SETTLED = "settled"
    """What was used has been recorded. Final, but for a tool call that is made again."""


class OnExhaustion(StrEnum):
    """What becomes of a run whose budget does not hold what comes next."""

    FAIL = "fail"
    """It fails as `budget_exhausted`."""
    GATE = "gate"
    """It waits at a gate of kind `budget` until somebody raises the cap, or says how it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount of money."""

    micros: int
    """Millionths of the currency's unit: 2_500_000 is 2.50."""
    currency: str
    """Its ISO 4217 code, such as `USD`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, as an operator names it; each amount for a million tokens."""

    input: Decimal
    output: Decimal
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Caps on what a run may use. Zero is zero: nothing; None is no cap.

    The defaults stop what has gone astray, and no run that has not. Money and tool spend have none:
    a cap has a currency, and one that nobody named would refuse whatever is paid in another, and
    every model without a known price.
    """

    tokens: int | None = 20_000_000
    """By default 200 calls that read 100,000 tokens each."""
    money: Money | None = None
    tool_calls: int | None = 10_000
    """By default as many as a run may take steps."""
    tool_spend: Spend | None = None
    steps: int | None = 10_000
    wall_s: float | None = 24 * 3600.0
    """Seconds for which workers drive it: not in the queue, at gates or in a pause."""
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    """What models cost, by their names: those without a known price, or with another than that."""
    on_exhaustion: OnExhaustion | None = None
    """None is `fail`, and for the budget of one run what its graph says."""
    gate_expires_s: float | None = 7 * 24 * 3600.0
    """How long people have at a gate of kind `budget`; None for as long as it takes."""

    def __post_init__(self) -> None:
        """Refuse caps below zero, which could only be meant as something else.

        Raises:
            ValueError: a cap is below zero.
        """
        for unit, cap in self.caps.items():
            if cap is not None and cap < 0:
                msg = (
                    f"a budget was made with {cap} {unit}; wanted is 0 or more, or None for no cap"
                )
                raise ValueError(msg)

    @property
    def caps(self) -> Mapping[Unit, int | None]:
        """The caps in whole numbers; money in micros, tool spend in minor units, time in ms."""
        return {
            Unit.TOKENS: self.tokens,
            Unit.MONEY: None if self.money is None else self.money.micros,
            Unit.TOOL_CALLS: self.tool_calls,
            Unit.TOOL_SPEND: None if self.tool_spend is None else self.tool_spend.minor,
            Unit.STEPS: self.steps,
            Unit.WALL_MS: _ms(self.wall_s),
        }

    def tightened(self, other: "Budget") -> "Budget":
        """Return the tighter of both, cap by cap. Prices are this one's, which workers know too.

        Raises:
            ValueError: both cap money, or tool spend, in different currencies, or `other` has
                prices.
        """
        if other.prices:
            msg = "the budget of a run names prices; name them where its graph is declared"
            raise ValueError(msg)
        for unit, ours, theirs in (
            (Unit.MONEY, self.money, other.money),
            (Unit.TOOL_SPEND, self.tool_spend, other.tool_spend),
        ):
            if ours is not None and theirs is not None and ours.currency != theirs.currency:
                msg = (
                    f"a budget caps {unit} in {theirs.currency}, where {ours.currency} is capped;"
                    " name one currency"
                )
                raise ValueError(msg)
        money = [cap for cap in (self.money, other.money) if cap is not None]
        spend = [cap for cap in (self.tool_spend, other.tool_spend) if cap is not None]
        return Budget(
            tokens=_least(self.tokens, other.tokens),
            money=min(money, key=lambda cap: cap.micros, default=None),
            tool_calls=_least(self.tool_calls, other.tool_calls),
            tool_spend=min(spend, key=lambda cap: cap.minor, default=None),
            steps=_least(self.steps, other.steps),
            wall_s=_least(self.wall_s, other.wall_s),
            prices=self.prices,
            on_exhaustion=other.on_exhaustion or self.on_exhaustion,
            gate_expires_s=_least(self.gate_expires_s, other.gate_expires_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What a call may use at most, or has used."""

    tokens: int = 0
    money: Money | None = None
    """None where it costs nothing."""
    is_priced: bool = True
    """Whether it is known what it costs; what is not is refused where money is capped."""
    tool_calls: int = 0
    tool_spend: Spend | None = None
    """None where it spends nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account that a call is reserved on; it is opened with `budget` where there is none yet."""

    id: AccountId
    kind: AccountKind
    tenant: str
    budget: Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How an account stands in one unit."""

    unit: Unit
    cap: int | None
    """None for no cap."""
    spent: int
    held: int
    """What is reserved for calls under way, or in doubt."""
    currency: str | None
    """Of money and tool spend; None as long as there was neither a cap nor an amount."""

    @property
    def left(self) -> int | None:
        """What may still be reserved; below zero where calls have used more than they might."""
        return None if self.cap is None else self.cap - self.spent - self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatement:
    """How an account stands."""

    id: AccountId
    kind: AccountKind
    balances: tuple[Balance, ...]
    """One for each unit that it has caps in."""
    on_exhaustion: OnExhaustion = OnExhaustion.FAIL
    gate_expires_s: float | None = None

    def balance(self, unit: Unit) -> Balance:
        """Return how it stands in a unit."""
        return next(each for each in self.balances if each.unit is unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What one call has held, or used."""

    id: str
    """The key of a tool call's effect; of a model's call, an id of its own."""
    run_id: RunId
    epoch: int
    """Of the run, when it was reserved."""
    kind: HoldKind
    name: str
    """Of the tool or the model."""
    status: HoldStatus
    worst: Amounts
    """What was reserved."""
    used: Amounts | None
    """What it came to; None while it is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why a call does not fit."""

    account: AccountId
    kind: AccountKind
    unit: Unit
    left: int
    wanted: int
    currency: str | None
    """That of the cap, for money and tool spend."""
    wanted_currency: str | None = None
    """That of the call, for money and tool spend."""
    is_priced: bool = True
    """Whether it is known what the call costs."""
    cap: int | None = None
    """What the cap was then."""

    @property
    def is_raisable(self) -> bool:
        """Whether a higher cap would let it fit: one of a run, in the currency of the call."""
        is_same = self.wanted == 0 or self.wanted_currency == self.currency
        return self.kind is AccountKind.RUN and self.is_priced and is_same

    @property
    def lacking(self) -> int:
        """How much more the cap would have to be at least."""
        return max(self.wanted - self.left, 1)

    @property
    def scale(self) -> str:
        """In what the cap is counted, such as `tokens` or `millionths of USD`."""
        return (
            f"{_SCALES.get(self.unit, self.unit.replace('_', ' '))} {self.currency or ''}".strip()
        )

    def amount_text(self, amount: int) -> str:
        """Say an amount as people do, such as `0.25 USD`."""
        match self.unit:
            case Unit.MONEY:
                return f"{Decimal(amount) / MICROS:f} {self.currency or ''}".strip()
            case Unit.WALL_MS:
                return f"{amount / 1000:g} s"
            case _:
                return f"{amount} {self.scale.removesuffix('s') if amount == 1 else self.scale}"

    def explanation(self, name: str) -> str:
        """Say that `name` does not fit."""
        wanted, left = self.amount_text(self.wanted), self.amount_text(self.left).partition(" ")[0]
        return f"`{name}` may take {wanted}, and the budget of the {self.kind} has {left} left"


_SCALES = {
    Unit.MONEY: "millionths of",
    Unit.TOOL_SPEND: "minor units of",
    Unit.WALL_MS: "milliseconds",
}


def run_account(run_id: RunId) -> AccountId:
    """Return the id of a run's account."""
    return AccountId(f"run:{run_id}")


def run_of_account(account_id: AccountId) -> RunId | None:
    """Return the run whose account it is; None for that of a day."""
    kind, _, rest = account_id.partition(":")
    return RunId(rest) if kind == AccountKind.RUN else None


def day_account(tenant: str, day: str) -> AccountId:
    """Return the id of a tenant's account of a day, such as `2026-01-31`."""
    return AccountId(f"day:{day}:{tenant}")


def _least(one: _Cap | None, other: _Cap | None) -> _Cap | None:
    return min((cap for cap in (one, other) if cap is not None), default=None)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
