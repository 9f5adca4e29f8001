"""A contract that cannot be kept is refused where it is declared, with what to do."""

import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, cast

import pytest
from langgraph.prebuilt import ToolRuntime
from pydantic import Field
from sqlalchemy import Connection, create_engine

from penstock.contracts.errors import InvalidContract
from penstock.nodes import (
    Attempt,
    Cost,
    DidNot,
    EffectClass,
    IdempotencyKey,
    RetryAfter,
    RetryPlan,
    SecretRef,
    Terms,
    tool,
)


def pay(order: str, cents: int) -> str:
    """Pay."""
    return f"{order}{cents}"


def pay_keyed(order: str, key: IdempotencyKey) -> str:
    """Pay."""
    return f"{order}{key}"


def pay_connected(order: str, connection: Connection) -> str:
    """Pay."""
    return f"{order}{connection}"


def look_up(order: str) -> DidNot:
    del order
    return DidNot()


def needs_more(order: str, reason: str) -> DidNot:
    return look_up(order + reason)


def probe_of_run(order: str, runtime: ToolRuntime[None, Any]) -> DidNot:
    return look_up(order + str(runtime))


def made_of_nobody(nobody: str) -> str:
    return nobody


def checks_nothing() -> None: ...


def checks_too_much(result: str, reason: str) -> str:
    return result + reason


def untyped(order) -> str:  # pyright: ignore  # noqa: PGH003  (that is the point)
    """Pay."""
    return str(cast(object, order))


def positional(order: str, /) -> str:
    """Pay."""
    return order


def variadic(*orders: str) -> str:
    """Pay."""
    return str(orders)


def keywords(**orders: str) -> str:
    """Pay."""
    return str(orders)


def optional_key(order: str, key: IdempotencyKey | None = None) -> str:
    """Pay."""
    return f"{order}{key}"


def named_runtime(runtime: int) -> str:
    """Pay."""
    return str(runtime)


def set_of(orders: set[str]) -> str:
    """Pay."""
    return str(orders)


def takes_callable(then: Callable[[], None]) -> str:
    """Pay."""
    return str(then)


def aliased(order: Annotated[str, Field(alias="Order")]) -> str:
    """Pay."""
    return order


def wrong_default(cents: int = cast(int, "none")) -> str:
    """Pay."""
    return str(cents)


def unknown_annotation(order: "Nowhere") -> str:  # pyright: ignore  # noqa: F821, PGH003
    """Pay."""
    return str(cast(object, order))


def undescribed(order: str) -> str:
    return order


def secretive(order: str, token: Annotated[str, SecretRef("not a name")]) -> str:
    """Pay."""
    return order + token


def with_runtime(order: str, runtime: ToolRuntime[None, Any]) -> str:
    """Pay."""
    return f"{order}{runtime}"


def generates(order: str) -> Iterator[str]:
    """Pay."""
    yield order


async def generates_later(order: str) -> AsyncIterator[str]:
    """Pay."""
    yield order


DATABASE = create_engine("sqlite://")
REPEATED = RetryPlan(after=RetryAfter.ANY)


@tool
async def undo(order: int) -> None:
    """Undo."""
    del order


Refused = tuple[Callable[..., Any], dict[str, Any], str]

REFUSED: list[Refused] = [
    (pay, {"effect": "keyed"}, "is `keyed`, and takes no `IdempotencyKey`"),
    (pay, {"effect": "probe"}, "class is `probe`, and it has no probe"),
    (pay, {"effect": "transactional", "database": DATABASE}, "takes no `Connection`"),
    (pay_connected, {"effect": "transactional"}, "names no `database`"),
    (pay_connected, {}, "takes a `Connection`, and its class is `unsafe`"),
    (pay, {"database": DATABASE}, "names a `database`, and its class is `unsafe`"),
    (pay, {"effect": "sometimes"}, "'sometimes' is not a valid EffectClass"),
    (pay, {"timeout_s": None}, "`timeout_s` is None"),
    (pay, {"timeout_s": 0}, "`timeout_s` is 0"),
    (pay, {"timeout_s": -1}, "`timeout_s` is -1"),
    (pay, {"timeout_s": math.inf}, "`timeout_s` is inf"),
    (pay, {"margin_s": -1}, "`margin_s` is -1"),
    (pay, {"key_lifetime_s": 60.0}, "has a `key_lifetime_s`, and its class is `unsafe`"),
    (pay_keyed, {"effect": "keyed", "key_lifetime_s": 30.0}, "`key_lifetime_s` is 30.0"),
    (pay, {"retry": REPEATED}, "tried again after any failure, and its class is `unsafe`"),
    (
        pay,
        {"effect": "probe", "probe": look_up, "retry": REPEATED},
        "tried again after any failure, and its class is `probe`",
    ),
    (pay, {"retry": RetryPlan(attempt_limit=0)}, "has 0 attempts"),
    (pay, {"retry": RetryPlan(first_wait_s=-1)}, "waits of (-1, 30.0)"),
    (pay, {"name": "pay out"}, "name is 'pay out'"),
    (pay, {"name": "p" * 65}, "name is 'ppp"),
    (pay, {"version": "one"}, "version is 'one'"),
    (pay, {"version": "1.2.3"}, "version is '1.2.3'"),
    (pay, {"scopes": ["Pay!"]}, "has the scope 'Pay!'"),
    (pay, {"tags": ["mo ney"]}, "has the tag 'mo ney'"),
    (pay, {"sensitive": ["card"]}, "`card` is to be sensitive, and it has none"),
    (pay, {"key": "pay:{nobody}"}, "business key is made of `nobody`"),
    (pay, {"key": "pay"}, "business key is made of no argument at all"),
    (pay, {"key": "pay:{order.id}"}, "business key is made of `order.id`"),
    (pay, {"key": "pay:{cents:03}"}, "business key formats `cents`"),
    (pay, {"key": "pay:{"}, "is no template"),
    (pay, {"key": str}, "does not say what it takes"),
    (pay, {"key": made_of_nobody}, "business key is made of `nobody`"),
    (pay, {"effect": "probe", "probe": needs_more}, "takes `reason`, which is no argument"),
    (pay, {"effect": "probe", "probe": probe_of_run}, "takes a `tool_node`"),
    (pay, {"verify": checks_nothing}, "As a check of results it takes none"),
    (pay, {"verify": checks_too_much}, "takes `reason`, which is no argument"),
    (pay, {"compensate": pay}, "compensation is of type `function`"),
    (pay, {"compensate": undo}, "compensation `undo` needs `order`"),
    (pay, {"cost": Cost(amount_micros=0, currency="EUR")}, "costs 0 millionths"),
    (pay, {"cost": Cost(amount_micros=1, currency="euro")}, "of 'euro'"),
    (with_runtime, {"isolation": "subprocess"}, "its `runtime` cannot be given there"),
    (untyped, {}, "`order` has no type"),
    (positional, {}, "`order` cannot be given by name"),
    (variadic, {}, "`orders` cannot be given by name"),
    (keywords, {}, "`orders` cannot be given by name"),
    (optional_key, {}, "`key` has something in it that only the runtime may give"),
    (named_runtime, {}, "named `runtime`"),
    (set_of, {}, "a set has no order"),
    (takes_callable, {}, "arguments cannot be recorded: a callable"),
    (aliased, {}, "`order` has an alias"),
    (wrong_default, {}, "default of `cents` is not of its type"),
    (unknown_annotation, {}, "annotations cannot be read"),
    (undescribed, {}, "Nothing says what it does"),
    (secretive, {}, "is the secret 'not a name'"),
    (generates, {}, "It is a generator"),
    (generates_later, {}, "It is a generator"),
]


@pytest.mark.parametrize(("function", "terms", "found"), REFUSED)
def test_what_cannot_be_kept_is_refused_with_its_place(
    function: Callable[..., Any], terms: dict[str, Any], found: str
) -> None:
    with pytest.raises(InvalidContract) as refused:
        tool(function, **cast(Terms, terms))
    told = str(refused.value)
    assert found in told
    assert "(test_validation.py, line " in told


def test_a_local_function_cannot_run_in_a_subprocess() -> None:
    async def inner(order: str) -> str:
        """Pay."""
        return order

    with pytest.raises(InvalidContract, match="which cannot import it"):
        tool(inner, isolation="subprocess")


def test_a_function_of_a_module_can_run_in_a_subprocess() -> None:
    assert tool(pay, isolation="subprocess").import_path == f"{__name__}:pay"


def test_an_instance_that_can_be_called_is_no_function() -> None:
    class Callee:
        def __call__(self) -> str:
            return ""

    with pytest.raises(InvalidContract, match="It is no function"):
        tool(Callee())


def test_an_unknown_term_is_a_mistake_of_the_code() -> None:
    with pytest.raises(TypeError, match="timeout"):
        tool(pay, timeout=3)  # pyright: ignore[reportCallIssue]  (that is the point)


def test_an_attempt_holds_the_key_too() -> None:
    def paying(order: str, attempt: Attempt) -> str:
        """Pay."""
        return f"{order}{attempt}"

    assert tool(paying, effect="keyed").contract.effect is EffectClass.KEYED


@pytest.mark.parametrize("effect", ["unsafe", "probe"])
def test_a_blocking_tool_that_cannot_be_repeated_is_warned_about(effect: Any) -> None:
    (warning,) = tool(pay, effect=effect, probe=look_up).contract.warnings
    assert "cannot be stopped" in warning
    assert 'isolation="subprocess"' in warning


@pytest.mark.parametrize(
    "terms", [{"effect": "read"}, {"effect": "idempotent"}, {"isolation": "subprocess"}]
)
def test_a_blocking_tool_is_not_warned_about_where_it_can_be_repeated_or_killed(
    terms: dict[str, Any],
) -> None:
    assert tool(pay, **cast(Terms, terms)).contract.warnings == ()


def test_an_asynchronous_tool_that_takes_a_connection_is_warned_about() -> None:
    async def write(connection: Connection) -> None:
        """Write."""
        del connection

    (warning,) = tool(write, effect="transactional", database=DATABASE).contract.warnings
    assert "blocks" in warning


def test_a_database_may_be_given_by_a_function() -> None:
    made = tool(pay_connected, effect="transactional", database=lambda: DATABASE)
    assert callable(made.database)


@pytest.mark.parametrize(
    ("effect", "after"),
    [("read", RetryAfter.ANY), ("keyed", RetryAfter.ANY), ("unsafe", RetryAfter.DEFINITE)],
)
def test_a_tool_without_a_plan_is_retried_as_its_class_allows(
    effect: Any, after: RetryAfter
) -> None:
    assert tool(pay_keyed, effect=effect).contract.retry.after is after
