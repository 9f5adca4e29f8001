"""Models are called within the run's budget, in any graph: by a callback handler in its config.

LangChain asks the handler before each call, and tells it what came of it. A call that the budget
does not hold is not made, and its run ends, or waits at a gate: the signals are no `Exception`, so
neither a fallback nor a retry in the graph goes on without the budget. Only where people have said
that the graph is to finish without such calls, they fail with an error that it may catch.
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
from penstock.nodes.calls.acting import Acting
from penstock.nodes.gates.exhaustion import Next, judge
from penstock.nodes.models.callbacks import Handler, Heard
from penstock.nodes.models.estimate import input_bound, output_bound, prompt_bound
from penstock.nodes.models.prices import Used, price, worst_price
from penstock.nodes.models.spans import ModelSpans

UNNAMED = "model"
"""What a model is called that does not say its name."""

_REFUSED = frozenset({400, 401, 403, 404, 413, 422, 429})
"""HTTP statuses with which a service says that it has not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Called:
    name: str | None
    provider: str | None
    worst: Amounts


class Meter(Handler):
    """Reserves what each call of a model may use at most, and settles what it has used.

    Its methods are synchronous: LangChain executes them in a thread where the call is asynchronous.
    """

    hears = Heard.MODELS
    raise_error = True
    """Else LangChain would log what stands in the way of a call, and make it."""

    def __init__(self, acting: Acting) -> None:
        """Meter the models of a segment."""
        self._acting = acting
        self._called: dict[UUID, _Called] = {}
        self._calling = threading.Lock()
        self._is_over = False
        self._spans = ModelSpans(acting.trace)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002  (LangChain's signature)
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Reserve what a call may use.

        Raises:
            BudgetExhausted, GateAwaited, GateExpired, OverBudget: it does not fit; it is not made.
            LeaseLost: somebody else drives the run now.
        """
        params: dict[str, Any] = kwargs.get("invocation_params") or {}
        read = sum(input_bound(each, params) for each in messages)
        self._spans.began(run_id, messages, params, metadata or {})
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
        """Reserve what a call may use, of a model that takes one text.

        Raises:
            BudgetExhausted, GateAwaited, GateExpired, OverBudget, LeaseLost: as
                `on_chat_model_start`.
        """
        params: dict[str, Any] = kwargs.get("invocation_params") or {}
        read = sum(prompt_bound(each, params) for each in prompts)
        self._spans.began(run_id, [prompts], params, metadata or {})
        self._reserve(run_id, read, params, metadata or {})

    def on_llm_end(
        self,
        response: LLMResult,
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002  (LangChain's signature)
    ) -> None:
        """Settle what a call has used; where it does not say, that is what was reserved."""
        called, used = self._pop(run_id), _usage(response)
        money = None
        if called is not None and used is not None:
            money = price(called.name, called.provider, used, self._acting.budget.prices)
        self._spans.ended(run_id, response, used, money)
        if called is None:
            return
        if used is None:
            self._settle_whole(run_id, happened=True)
            return
        real = Amounts(tokens=used.tokens, money=money, is_priced=called.worst.is_priced)
        self._acting.store.post(
            lambda connection: budgets.settle(connection, _hold_id(run_id), real)
        )

    def on_llm_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002  (LangChain's signature)
    ) -> None:
        """Settle a call that failed: nothing was used only where the service refused to begin."""
        self._spans.failed(run_id, f"{type(error).__name__}: {error}")
        if self._pop(run_id) is not None:
            is_refused = getattr(error, "status_code", None) in _REFUSED
            self._settle_whole(run_id, happened=not is_refused)

    def ended(self) -> None:
        """Settle the calls of which nothing more was heard: what they may use counts as used."""
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
        most = Used(input=read, output=output_bound(params, metadata))
        money = worst_price(name, provider, most, self._acting.budget.prices)
        worst = Amounts(tokens=most.tokens, money=money, is_priced=money is not None)
        acting = self._acting

        def change(connection: Connection) -> int | None:
            require_lease(connection, acting.run.fence)
            accounts = acting.accounts()
            budgets.reserve(
                connection,
                _hold_id(run_id),
                accounts,
                worst,
                fence=acting.run.fence,
                kind=HoldKind.MODEL,
                name=name or UNNAMED,
            )
            # Nobody but a trace wants to know what is left.
            if not acting.trace.is_on:
                return None
            return _tokens_left(budgets.statement(connection, accounts[0].id))

        acting.note_steps()
        try:
            acting.trace.tokens_left(self._held(change, worst))
        except GateAwaited as awaited:
            self._spans.waits(run_id, awaited.gate_id)
            raise
        except (OverBudget, BudgetExhausted, GateExpired, LeaseLost) as error:
            self._spans.failed(run_id, str(error))
            raise
        with self._calling:
            is_over = self._is_over
            if not is_over:
                self._called[run_id] = _Called(name=name, provider=provider, worst=worst)
        if is_over:
            # Its node was left behind; whether it still calls the model, nobody will tell.
            self._settle_whole(run_id, happened=True)

    def _held(self, reserve: Callable[[Connection], int | None], worst: Amounts) -> int | None:
        """Reserve, again where a call fits by now that did not; return how many tokens are left."""
        while True:
            try:
                return self._acting.store.write_blocking(reserve)
            except OverBudget as error:
                self._judge(error, worst)

    def _judge(self, error: OverBudget, worst: Amounts) -> None:
        """Return where a call fits by now, that did not.

        Raises:
            GateAwaited: the run is to wait until people have said what becomes of its budget.
            OverBudget: they have said that it finishes without such calls.
            BudgetExhausted: they have said that it stops, or nobody is asked.
            GateExpired: they have said nothing in time.
        """
        verdict = self._acting.store.write_blocking(
            lambda connection: judge(connection, self._acting, error, worst)
        )
        match verdict.next:
            case Next.FITS:
                return
            case Next.WAIT if verdict.gate is not None:
                raise GateAwaited(verdict.gate.id)
            case Next.REFUSE:
                raise error
            case _:
                raise BudgetExhausted(error) from error

    def _pop(self, run_id: UUID) -> _Called | None:
        with self._calling:
            return self._called.pop(run_id, None)

    def _settle_whole(self, run_id: UUID, *, happened: bool) -> None:
        # Nobody waits: should this be lost, whoever takes the run over counts all of it as used.
        self._acting.store.post(
            lambda connection: budgets.settle_whole(connection, _hold_id(run_id), happened=happened)
        )


def meter_all(meter: Meter) -> None:
    """Have models called within the budget, whatever callbacks they are given.

    It holds for the task that this is called in, and for those that it begins.
    """
    _METER.set(meter)


_METER: ContextVar[Meter | None] = ContextVar("penstock_meter", default=None)
# LangChain asks it whenever it gathers the callbacks of a call, and adds no handler twice.
register_configure_hook(_METER, inheritable=True)


def _hold_id(run_id: UUID) -> str:
    return f"model:{run_id}"


def _tokens_left(account: AccountStatement | None) -> int | None:
    """Return how many tokens an account has left; None where it has no cap on them."""
    standings = () if account is None else account.standings
    return next((each.left for each in standings if each.unit is Unit.TOKENS), None)


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    found = metadata.get(name)
    return found if isinstance(found, str) and found else None


def _usage(response: LLMResult) -> Used | None:
    """Return what a call has used, if it says so of every answer, or of all at once."""
    answers = [answer for each in response.generations for answer in each]
    told = [getattr(getattr(answer, "message", None), "usage_metadata", None) for answer in answers]
    counts = [each for each in told if each]
    if counts and len(counts) == len(answers):
        return _sum(counts)
    of_all: Any = (response.llm_output or {}).get("token_usage") or {}
    read, written = of_all.get("prompt_tokens"), of_all.get("completion_tokens")
    if isinstance(read, int) and isinstance(written, int):
        return Used(input=read, output=written)
    return None


def _sum(counts: Sequence[Mapping[str, Any]]) -> Used:
    details: list[dict[str, int]] = [each.get("input_token_details") or {} for each in counts]
    return Used(
        input=sum(each.get("input_tokens") or 0 for each in counts),
        output=sum(each.get("output_tokens") or 0 for each in counts),
        cache_read=sum(each.get("cache_read") or 0 for each in details),
        cache_write=sum(each.get("cache_creation") or 0 for each in details),
    )
