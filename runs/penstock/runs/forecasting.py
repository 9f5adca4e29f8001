"""What a fork would come to: which calls stay, which are replayed, which people are asked about.

It says what the rules of the ledger come to (`nodes/stages/recall.py`, `simulate.py`, `lineage.py`)
for the calls that the run has made. Calls that a fork makes beside those are decided about as any.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection

from penstock.checkpoints import Store, decisions, ledger, states
from penstock.contracts.effect import NOT_DONE, Effect, EffectStatus
from penstock.contracts.fork import Fate, Forecast, Foreseen
from penstock.contracts.ids import IdempotencyKey, ThreadId
from penstock.contracts.outcome import MessageCall, NodeCall
from penstock.contracts.run import RunMode
from penstock.contracts.tool import EffectClass
from penstock.graphs import Graph
from penstock.nodes.calls.keys import key_of
from penstock.runs.forking import Place

CALLS = 500
"""So many calls of the run are told of, those that began last."""

LIKE_CALLS = 20
"""So many calls of one tool by the code of one node are known by their keys."""


async def forecast(
    store: Store, graph: Graph, place: Place, *, mode: RunMode, is_edited: bool
) -> Forecast:
    """Return what a fork at a place would come to."""

    def look(connection: Connection) -> Forecast:
        lineage = ledger.lineage_of(connection, place.run.thread_id)
        effects = ledger.listed(connection, run_id=place.run.id, limit=CALLS)[::-1]
        first_decided = {
            each.effect_key: each.at for each in decisions.of_run(connection, place.run.id)[::-1]
        }
        values = states.state(connection, place.point).values
        again = _keys(graph, place, lineage, values, tasks=() if is_edited else place.tasks)
        calls = [
            Foreseen(
                effect=effect,
                fate=_fate(
                    effect,
                    is_again=effect.key in again,
                    is_before=first_decided.get(effect.key, effect.first_started_at)
                    <= place.point.at,
                    mode=mode,
                ),
            )
            for effect in effects
        ]
        return Forecast(nodes=place.nodes, calls=calls)

    return await store.read(look)


def _fate(effect: Effect, *, is_again: bool, is_before: bool, mode: RunMode) -> Fate:
    if is_again and effect.status is EffectStatus.SUCCEEDED:
        return Fate.REPLAYED
    if is_before and not is_again:
        return Fate.KEPT
    if effect.effect is EffectClass.READ:
        return Fate.ANEW
    if mode is RunMode.SIMULATE:
        return Fate.SIMULATED
    return Fate.ANEW if effect.status in NOT_DONE else Fate.ASKED


def _keys(
    graph: Graph,
    place: Place,
    lineage: ThreadId,
    values: Mapping[str, Any],
    *,
    tasks: Sequence[str],
) -> Collection[IdempotencyKey]:
    """Return the keys of calls that may come again as the same calls right after the place."""
    contracts = [tool.contract for tool in graph.tools.values()]
    origins: list[MessageCall | NodeCall] = [call for found in values.values() for call in _unanswered(found)]
    origins += [
        NodeCall(task_id=task, index=index) for task in tasks for index in range(LIKE_CALLS)
    ]
    return {
        key_of(place.run.tenant, lineage, origin, contract)
        for origin in origins
        for contract in contracts
    }


def _unanswered(found: object) -> Iterator[MessageCall]:
    """Yield the calls that messages of a list ask for, and that no message of it answers."""
    messages = [
        cast("dict[str, Any]", each)
        for each in (cast("list[object]", found) if isinstance(found, list) else ())
        if isinstance(each, dict)
    ]
    answered = {each.get("tool_call_id") for each in messages}
    for each in messages:
        calls: Any = each.get("tool_calls")
        message_id: Any = each.get("id")
        if not isinstance(calls, list) or not isinstance(message_id, str):
            continue
        for position, call in enumerate(cast("list[Any]", calls)):
            provider_id = str(call.get("id"))
            if provider_id not in answered:
                yield MessageCall(message_id=message_id, position=position, provider_id=provider_id)
