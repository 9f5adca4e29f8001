"""The meter of models: a callback handler that keeps their calls within the run's budget.

LangChain calls the handler before and after each call of a model, in any graph. A call that exceeds
the budget is not made, and the run ends, or waits at a gate. The signals for that are no
`Exception`, so neither a fallback nor a retry in the graph goes on without the budget. Only where
people have decided that the graph finishes without such calls do they fail with an error that it
may catch.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID  # noqa: TID251  (how LangChain names calls; none is made here)

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.tracers.context import register_configure_hook
from sqlalchemy import Connection

from penstock.checkpoints import budgets
from penstock.checkpoints.fence import require_lease
from penstock.contracts.budget import AccountStatement, Amounts, HoldKind, Unit
from penstock.contracts.errors import OverBudget
from penstock.contracts.signals import BudgetExhausted, GateAwaited, GateExpired, LeaseLost
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.gates.exhaustion import Resolution, resolve_exhaustion
from penstock.nodes.models.callbacks import EventKind, Handler
from penstock.nodes.models.costs import (
    TokenUsage,
    input_bound,
    output_bound,
    price,
    prompt_bound,
    worst_price,
)
from penstock.nodes.models.spans import ModelSpans

UNNAMED = "model"
"""The name of a model that has none."""

_REFUSED = frozenset({400, 401, 403, 404, 413, 422, 429})
"""The HTTP statuses of a service that has refused a call without beginning it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Called:
    name: str | None
    provider: str | None
    worst: Amounts


class Meter(Handler):
    """Reserves the most that each call of a model may use, and settles what it has used.

    Its methods are synchronous: LangChain runs them in a thread where the call is asynchronous.
    """

    kind = EventKind.MODELS
    raise_error = True
    """Else LangChain would log the error and make the call all the same."""

    def __init__(self, context: SegmentContext) -> None:
        """Meter the calls of a segment's models."""
        self._context = context
        self._called: dict[UUID, _Called] = {}
        self._calling = threading.Lock()
        self._is_over = False
        self._spans = ModelSpans(context.trace)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002  (LangChain's signature)
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Reserve the most that a call may use.

        Raises:
            BudgetExhausted, GateAwaited, GateExpired, OverBudget: It exceeds the budget.
            LeaseLost: Another worker drives the run now.
        """
        params: dict[str, Any] = kwargs.get("invocation_params") or {}
        read = sum(input_bound(each, params) for each in messages)
        self._spans.begin(run_id, messages, params, metadata or {})
        self._reserve(run_id, read, params, metadata or {})

    def on_llm_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002  (LangChain's signature)
        prompts: list[str],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Reserve the most that a call may use of a model that takes one text.

        Raises:
            BudgetExhausted, GateAwaited, GateExpired, OverBudget, LeaseLost: As
                `on_chat_model_start`.
        """
        params: dict[str, Any] = kwargs.get("invocation_params") or {}
        read = sum(prompt_bound(each, params) for each in prompts)
        self._spans.begin(run_id, [prompts], params, metadata or {})
        self._reserve(run_id, read, params, metadata or {})

    def on_llm_end(
        self,
        response: LLMResult,
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002  (LangChain's signature)
    ) -> None:
        """Settle what a call has used, or else all that was reserved for it."""
        called, used = self._pop(run_id), _usage(response)
        money = None
        if called is not None and used is not None:
            money = price(called.name, called.provider, used, self._context.budget.prices)
        self._spans.end(run_id, response, used, money)
        if called is None:
            return
        if used is None:
            self._settle_whole(run_id, happened=True)
            return
        real = Amounts(tokens=used.tokens, money=money, is_priced=called.worst.is_priced)
        self._context.store.post(
            lambda connection: budgets.settle(connection, _hold_id(run_id), real)
        )

    def on_llm_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002  (LangChain's signature)
    ) -> None:
        """Settle a failed call as used whole, unless the service refused to begin it."""
        self._spans.fail(run_id, f"{type(error).__name__}: {error}")
        if self._pop(run_id) is not None:
            is_refused = getattr(error, "status_code", None) in _REFUSED
            self._settle_whole(run_id, happened=not is_refused)

    def close(self) -> None:
        """Settle the calls that have not ended as used whole."""
        with self._calling:
            self._is_over = True
            left, self._called = self._called, {}
        self._spans.cut_off()
        for run_id in left:
            self._settle_whole(run_id, happened=True)

    def _reserve(
        self, run_id: UUID, read: int, params: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> None:
        name, provider = _text(metadata, "ls_model_name"), _text(metadata, "ls_provider")
        most = TokenUsage(input=read, output=output_bound(params, metadata))
        money = worst_price(name, provider, most, self._context.budget.prices)
        worst = Amounts(tokens=most.tokens, money=money, is_priced=money is not None)
        context = self._context

        def change(connection: Connection) -> int | None:
            require_lease(connection, context.run.fence)
            accounts = context.accounts()
            budgets.reserve(
                connection,
                _hold_id(run_id),
                accounts,
                worst,
                fence=context.run.fence,
                kind=HoldKind.MODEL,
                name=name or UNNAMED,
            )
            # Only a trace needs to know what is left.
            if not context.trace.is_on:
                return None
            return _tokens_left(budgets.statement(connection, accounts[0].id))

        context.note_steps()
        try:
            context.trace.set_tokens_left(self._reserve_or_ask(change, worst))
        except GateAwaited as awaited:
            self._spans.end_waiting(run_id, awaited.gate_id)
            raise
        except (OverBudget, BudgetExhausted, GateExpired, LeaseLost) as error:
            self._spans.fail(run_id, str(error))
            raise
        with self._calling:
            is_over = self._is_over
            if not is_over:
                self._called[run_id] = _Called(name=name, provider=provider, worst=worst)
        if is_over:
            # Its node was abandoned: whether the model is still called is not known.
            self._settle_whole(run_id, happened=True)

    def _reserve_or_ask(
        self, reserve: Callable[[Connection], int | None], worst: Amounts
    ) -> int | None:
        """Reserve for a call, again once the budget was raised; return how many tokens are left."""
        while True:
            try:
                return self._context.store.write_blocking(reserve)
            except OverBudget as error:
                self._resolve(error, worst)

    def _resolve(self, error: OverBudget, worst: Amounts) -> None:
        """Return where a call fits by now that did not before.

        Raises:
            GateAwaited: The run is to wait until people have decided about its budget.
            OverBudget: They have decided that it finishes without such calls.
            BudgetExhausted: They have decided that it stops, or nobody is asked.
            GateExpired: They have not decided in time.
        """
        outcome = self._context.store.write_blocking(
            lambda connection: resolve_exhaustion(connection, self._context, error, worst)
        )
        match outcome.resolution:
            case Resolution.FITS:
                return
            case Resolution.WAIT if outcome.gate is not None:
                raise GateAwaited(outcome.gate.id)
            case Resolution.REFUSE:
                raise error
            case _:
                raise BudgetExhausted(error) from error

    def _pop(self, run_id: UUID) -> _Called | None:
        with self._calling:
            return self._called.pop(run_id, None)

    def _settle_whole(self, run_id: UUID, *, happened: bool) -> None:
        # Nobody waits: should this be lost, the worker that takes the run over settles it whole.
        self._context.store.post(
            lambda connection: budgets.settle_whole(connection, _hold_id(run_id), happened=happened)
        )


def install_meter(meter: Meter) -> None:
    """Meter every model that is called in this task and the tasks that it starts."""
    _METER.set(meter)


_METER: ContextVar[Meter | None] = ContextVar("penstock_meter", default=None)
# LangChain asks it whenever it gathers the callbacks of a call, and adds no handler twice.
register_configure_hook(_METER, inheritable=True)


def _hold_id(run_id: UUID) -> str:
    return f"model:{run_id}"


def _tokens_left(account: AccountStatement | None) -> int | None:
    """Return how many tokens an account has left; None where it has no cap on them."""
    balances = () if account is None else account.balances
    return next((each.left for each in balances if each.unit is Unit.TOKENS), None)


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    found = metadata.get(name)
    return found if isinstance(found, str) and found else None


def _usage(response: LLMResult) -> TokenUsage | None:
    """Return the tokens of a call, if they are reported for every answer, or for all together."""
    answers = [answer for each in response.generations for answer in each]
    reported = [
        getattr(getattr(answer, "message", None), "usage_metadata", None) for answer in answers
    ]
    counts = [each for each in reported if each]
    if counts and len(counts) == len(answers):
        return _sum(counts)
    of_all: Any = (response.llm_output or {}).get("token_usage") or {}
    read, written = of_all.get("prompt_tokens"), of_all.get("completion_tokens")
    if isinstance(read, int) and isinstance(written, int):
        return TokenUsage(input=read, output=written)
    return None


def _sum(counts: Sequence[Mapping[str, Any]]) -> TokenUsage:
    details: list[dict[str, int]] = [each.get("input_token_details") or {} for each in counts]
    return TokenUsage(
        input=sum(each.get("input_tokens") or 0 for each in counts),
        output=sum(each.get("output_tokens") or 0 for each in counts),
        cache_read=sum(each.get("cache_read") or 0 for each in details),
        cache_write=sum(each.get("cache_creation") or 0 for each in details),
    )
