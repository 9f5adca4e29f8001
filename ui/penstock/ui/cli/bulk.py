"""`penstock cancel` and `redrive` of many runs: all that fit a filter."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from penstock.contracts.bulk import (
    BulkAction,
    BulkOutcome,
    BulkPlan,
    BulkResult,
    Exclusion,
    SeenRun,
)
from penstock.contracts.errors import NotAllowed, TooManyRuns
from penstock.contracts.run import RunStatus
from penstock.runs.bulk import BATCH_SIZE
from penstock.runs.bulk import MAX_RUN_COUNT as MOST_AT_ALL
from penstock.runs.settings import Settings
from penstock.ui import text
from penstock.ui.cli import rendering
from penstock.ui.cli.output import Output, table
from penstock.ui.cli.which import Which
from penstock.ui.project import open_project
from penstock.ui.text import EXCLUSIONS

MOST = 100
"""More runs than this are acted on only by who says that it is meant."""

_SHOWN_ROWS = 50


def act(
    settings: Settings,
    output: Output,
    deed: BulkAction,
    which: Which,
    *,
    before: str | None,
    reason: str | None,
    is_dry: bool,
    is_sure: bool,
) -> None:
    """Cancel or redrive all runs that fit, as far as it is possible for them."""
    with open_project(settings) as desk:
        who, wanted = desk.person(), which.of(settings.tenant)

        async def carry_out() -> None:
            below = None if before is None else (await desk.run(before)).id
            plan = await desk.bulk.plan(deed, wanted, by=who, before=below)
            targets = plan.targets
            if is_dry:
                output.answer(*_would(plan))
                return
            if not targets and any(why is Exclusion.NOT_YOURS for _, why in plan.left_out):
                raise NotAllowed(f"`{who}` may {deed} none of the runs that fit")
            if len(targets) > MOST and not is_sure:
                raise TooManyRuns(
                    f"{len(targets)} runs fit, and without `--yes` it is {MOST} at most; nothing"
                    " was changed. Look at them with `--dry-run`, and say `--yes` if they are meant"
                )
            ends: list[BulkResult] = []
            for first in range(0, len(targets), BATCH_SIZE):
                portion = targets[first : first + BATCH_SIZE]
                ends += await desk.bulk.carry_out(deed, portion, by=who, reason=reason)
                output.note(f"{len(ends)} of {len(targets)}")
            output.answer(*_done(plan, ends))

        asyncio.run(carry_out())


def _would(plan: BulkPlan) -> tuple[Any, ...]:
    found, deed = plan.targets, plan.action
    data = {
        "would": str(deed),
        "count": len(found),
        "runs": [_of(seen) for seen in found],
        "left_out": [{**_of(seen), "why": str(why)} for seen, why in plan.left_out],
        "has_more": plan.has_more,
    }
    if not found:
        return data, f"no run fits: there is nothing to {deed}", *_left_out(plan)
    shown = table(
        "run",
        "status",
        "graph",
        "since",
        rows=[
            (seen.id, rendering.status_text(seen.status), seen.graph, text.instant(seen.changed_at))
            for seen in found[:_SHOWN_ROWS]
        ],
        whole=("since",),
    )
    more = [f"and {len(found) - _SHOWN_ROWS} more"] if len(found) > _SHOWN_ROWS else []
    would = f"would {deed} {_runs(len(found))}; nothing was changed"
    return data, shown, *more, *_left_out(plan), would


def _done(plan: BulkPlan, ends: Sequence[BulkResult]) -> tuple[Any, ...]:
    changed = [end.run for end in ends if end.run is not None]
    left = [end for end in ends if end.outcome is not BulkOutcome.APPLIED]
    data = {
        "did": str(plan.action),
        "count": len(changed),
        "runs": [rendering.of_run(run) for run in changed],
        "left": [{"id": end.seen.id, "outcome": str(end.outcome), "why": end.why} for end in left],
        "left_out": [{**_of(seen), "why": str(why)} for seen, why in plan.left_out],
        "has_more": plan.has_more,
    }
    asked = sum(run.status is RunStatus.RUNNING for run in changed)
    said = {
        BulkAction.CANCEL: f"{_runs(len(changed) - asked)} cancelled",
        BulkAction.REDRIVE: f"{_runs(len(changed))} queued again",
    }[plan.action]
    driven = [f"{_runs(asked)} to be cancelled: their workers see it within a second"]
    return (
        data,
        said,
        *(driven if asked else []),
        *_left_out(plan),
        *(f"left as it is: {end.why}" for end in left),
    )


def _left_out(plan: BulkPlan) -> Sequence[str]:
    counts = Counter(why for _, why in plan.left_out)
    said = [f"left out: {_runs(counts[why])} {EXCLUSIONS[why]}" for why in Exclusion if counts[why]]
    if plan.has_more:
        said.append(f"more than {MOST_AT_ALL} fit; these are the newest, so do it again after this")
    return said


def _of(seen: SeenRun) -> dict[str, Any]:
    return {
        "id": seen.id,
        "graph": seen.graph,
        "principal": seen.principal,
        "status": str(seen.status),
        "changed_at": seen.changed_at,
    }


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
