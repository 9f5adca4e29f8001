"""What is relied on in LangGraph without its promise: where a new version differs shows here."""

import inspect
from typing import Any, TypedDict

from langchain_core.runnables import RunnableLambda
from langgraph._internal import _constants
from langgraph.checkpoint.base import BaseCheckpointSaver, get_checkpoint_metadata
from langgraph.checkpoint.serde import _msgpack
from langgraph.checkpoint.serde import types as serde_types
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from penstock.checkpoints import Checkpointer, fenced
from penstock.checkpoints.saver.pruner import DELTA_COUNTERS
from penstock.checkpoints.saver.records import _PLAIN_CHANNELS
from penstock.contracts.ids import RunId
from penstock.contracts.run import Fence
from penstock.nodes.models.callbacks import NodeAttempts
from penstock.runs.interrupts import STRICT_RESUME_KEY
from penstock.runs.segment import RUNTIME_KEY, STREAM_KEY
from penstock.traces import SegmentTrace
from support.graphs import delta_chat, on_thread


def test_strict_mode_is_read_where_we_look() -> None:
    assert _msgpack.STRICT_MSGPACK_ENABLED is True


def test_the_keys_that_a_run_is_driven_with_are_langgraphs() -> None:
    named = (
        _constants.CONFIG_KEY_STREAM,
        _constants.CONFIG_KEY_RUNTIME,
        _constants.CONFIG_KEY_STRICT_RESUME,
    )
    assert named == (STREAM_KEY, RUNTIME_KEY, STRICT_RESUME_KEY)


def test_the_channels_that_may_be_answered_early_carry_ordinary_results() -> None:
    named = {serde_types.TASKS, _constants.NO_WRITES, _constants.RETURN}
    assert named == _PLAIN_CHANNELS


def test_a_key_that_begins_with_two_underscores_is_not_stored() -> None:
    config = fenced(on_thread("t", shown="yes"), Fence(run_id=RunId("r"), epoch=1))
    stored = get_checkpoint_metadata(config, {})
    assert dict(stored) == {"shown": "yes"}


def test_every_face_of_the_base_class_is_ours() -> None:
    kept = {"config_specs", "get", "aget", "with_allowlist"}
    public = {
        name
        for name, member in inspect.getmembers(BaseCheckpointSaver)
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    }
    assert public - set(vars(Checkpointer)) == kept


async def test_metadata_names_the_delta_channels_whose_value_lies_in_writes(
    saver: Checkpointer,
) -> None:
    graph = delta_chat(saver)
    await graph.ainvoke({"said": [], "wanted": 3}, on_thread("t"), durability="sync")
    found = await saver.aget_tuple(on_thread("t"))
    assert found is not None
    metadata: Any = found.metadata
    assert "said" in metadata[DELTA_COUNTERS]
    assert "said" not in found.checkpoint["channel_values"]


async def test_only_a_node_has_the_tag_of_its_step_and_its_namespace_ends_with_its_task() -> None:
    begun: list[str] = []

    class Noting(SegmentTrace):
        def count_attempt(self, step_id: str) -> None:
            begun.append(step_id)

    def act(_: Any, runtime: Runtime) -> Any:
        RunnableLambda(str).invoke("something in a node")
        assert runtime.execution_info is not None
        return {"task": runtime.execution_info.task_id}

    graph: Any = StateGraph(TypedDict("State", {"task": str}))
    graph.add_node("act", act)
    graph.add_edge(START, "act")
    state = await graph.compile().ainvoke({}, {"callbacks": [NodeAttempts(Noting())]})
    assert begun == [state["task"]]
