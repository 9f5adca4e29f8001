"""Driving the refund desk on durable runs."""

import asyncio
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from desk.graph import graph
from desk.settings import home
from penstock.checkpoints import Store, migrate
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.run import Run, RunStatus
from support.shops import Shop

Question = Mapping[str, Any]
Decide = Callable[[Question], Mapping[str, Any]]


def approve(question: Question) -> Mapping[str, Any]:
    """Say yes to whatever is asked."""
    return {"approved": True, "reason": f"fine, {question['order']}"}


def reject(question: Question) -> Mapping[str, Any]:
    """Say no to whatever is asked."""
    return {"approved": False, "reason": f"not {question['order']}"}


def ask_nobody(question: Question) -> Mapping[str, Any]:
    """Fail where a person is asked."""
    raise AssertionError(f"nobody should be asked: {json.dumps(question)}")


@contextmanager
def desk() -> Generator[Shop]:
    """Open the desk on durable runs, with a store in the world's folder."""
    url = store_url()
    migrate(url)
    with Store.open(url) as store:
        yield Shop(store, graph)


def store_url() -> str:
    """Return the URL of that store."""
    return f"sqlite:///{home() / 'penstock.db'}"


async def work(ticket: str, decide: Decide = ask_nobody) -> dict[str, Any]:
    """Work on a ticket to its end, in a run of its own, and return the last state."""
    with desk() as shop:
        run = await shop.runtime.start(shop.graph.name, {"ticket": ticket}, actor="test")
        return await finish(shop, run, decide)


async def finish(shop: Shop, run: Run, decide: Decide = ask_nobody) -> dict[str, Any]:
    """Have a run worked on to its end, and return the last state.

    What is in doubt is left to be found out.
    """
    async with shop.worker(), asyncio.timeout(60):
        while True:
            run = await shop.until(run, *RunStatus)
            if run.status is not RunStatus.WAITING:
                assert run.status is RunStatus.SUCCEEDED, run.failure
                return await shop.values(run)
            for gate in await shop.runtime.gates(run.id):
                if gate.status is GateStatus.OPEN and gate.kind is GateKind.QUESTION:
                    answer = decide(json.loads(gate.question))
                    await shop.runtime.decide(gate.id, answer, by="test")
            await asyncio.sleep(0.02)


class NotingModel(GenericFakeChatModel):
    """A chat model that notes what it was told to, as a call of the tool that it was given."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - as it is declared above
        """Take the tools and go on as before."""
        return self


def noting(**notes: Any) -> NotingModel:
    """Return a model that reads `notes` out of any ticket."""
    call = {"name": "Notes", "args": notes, "id": "call-1", "type": "tool_call"}
    return NotingModel(messages=iter([AIMessage("", tool_calls=[call])]))
