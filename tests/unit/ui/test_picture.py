"""A graph is drawn as it is, whatever its nodes are called."""

from penstock.contracts.ids import RunId
from penstock.contracts.step import Step, StepKind, StepStatus
from penstock.graphs.topology import Topology, Way
from penstock.ui.components.picture import LIGHT, dot
from support.runs import NOW


def step(node: str, status: StepStatus) -> Step:
    return Step(
        run_id=RunId("run"),
        epoch=1,
        task_id=node,
        namespace="",
        node=node,
        kind=StepKind.OTHER,
        status=status,
        started_at=NOW,
        ended_at=None,
        error=None,
    )


def way(source: str, target: str) -> Way:
    return Way(source=source, target=target, is_conditional=False, label="")


def test_the_node_that_waits_is_drawn_as_waiting() -> None:
    shape = Topology(nodes=("plan", "pay"), ways=(way("plan", "pay"),))
    steps = [step("plan", StepStatus.SUCCEEDED), step("pay", StepStatus.PARKED)]
    drawn = dot(shape, steps, palette=LIGHT)
    assert f'"pay" [label="pay" fillcolor="{LIGHT.fills[StepStatus.PARKED]}" penwidth=2.5' in drawn
    assert f'"plan" [label="plan" fillcolor="{LIGHT.fills[StepStatus.SUCCEEDED]}"' in drawn
    assert '"plan" -> "pay" [label="" style="bold"]' in drawn


def test_name_of_a_node_cannot_write_into_the_picture() -> None:
    nasty = 'a"]; evil [label="x\\'
    drawn = dot(Topology(nodes=(nasty,), ways=()), (), palette=LIGHT)
    (line,) = [line for line in drawn.splitlines() if "evil" in line]
    assert line.startswith('"a\\"]; evil [label=\\"x\u29f5" [label=')
