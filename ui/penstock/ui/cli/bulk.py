"""`penstock cancel` and `redrive` of many runs: all that fit a filter."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.contracts.errors import IllegalTransition, TooManyRuns
from penstock.contracts.ids import RunId
from penstock.contracts.run import LIVE, Run, RunStatus
from penstock.runs.settings import Settings
from penstock.ui.cli import texts, words
from penstock.ui.cli.desk import Desk, open_desk
from penstock.ui.cli.output import Output, table

MOST = 100
"""More runs than this are acted on only by who says that it is meant."""

AT_ONCE = 50
"""So many share a commit, and one line tells of them."""

_PAGE_ROWS = 500
_SHOWN_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which runs; the same that `penstock runs` lists with the same options."""

    statuses: Collection[RunStatus]
    graph: str | None
    before: str | None


def cancel(
    settings: Settings,
    output: Output,
    wanted: Filter,
    *,
    reason: str | None,
    is_dry: bool,
    is_sure: bool,
) -> None:
    """Cancel all runs that are not over and fit."""
    with open_desk(settings) as desk:
        who = desk.person()

        async def change(run_id: RunId) -> Run:
            return await desk.runtime.cancel(run_id, by=who, reason=reason)

        _act(desk, output, wanted, "cancel", LIVE, change, is_dry=is_dry, is_sure=is_sure)


def redrive(
    settings: Settings, output: Output, wanted: Filter, *, is_dry: bool, is_sure: bool
) -> None:
    """Queue all failed runs again that fit and that this can help."""
    with open_desk(settings) as desk:
        who = desk.person()

        async def change(run_id: RunId) -> Run:
            return await desk.runtime.redrive(run_id, by=who)

        failed = frozenset({RunStatus.FAILED})
        _act(desk, output, wanted, "redrive", failed, change, is_dry=is_dry, is_sure=is_sure)


def _act(
    desk: Desk,
    output: Output,
    wanted: Filter,
    what: str,
    possible: Collection[RunStatus],
    change: Callable[[RunId], Awaitable[Run]],
    *,
    is_dry: bool,
    is_sure: bool,
) -> None:
    async def act() -> None:
        found = await _find(desk, wanted, possible)
        if is_dry:
            output.answer(*_would(what, found))
            return
        if len(found) > MOST and not is_sure:
            raise TooManyRuns(
                f"{len(found)} runs fit, and without `--yes` it is {MOST} at most; nothing was"
                f" changed. Look at them with `--dry-run`, and say `--yes` if they are meant"
            )
        changed: list[Run] = []
        left: list[tuple[Run, str]] = []
        for first in range(0, len(found), AT_ONCE):
            portion = found[first : first + AT_ONCE]
            ends = await asyncio.gather(
                *(change(run.id) for run in portion), return_exceptions=True
            )
            for run, end in zip(portion, ends, strict=True):
                if isinstance(end, Run):
                    changed.append(end)
                elif isinstance(end, IllegalTransition):
                    # It has come to an end meanwhile.
                    left.append((run, str(end)))
                else:
                    raise end
            output.note(f"{first + len(portion)} of {len(found)}")
        output.answer(*_done(what, changed, left))

    asyncio.run(act())


async def _find(desk: Desk, wanted: Filter, possible: Collection[RunStatus]) -> list[Run]:
    """Return all of the tenant's runs that fit and that it is possible for, newest first."""
    statuses = possible if not wanted.statuses else set(wanted.statuses) & set(possible)
    before = None if wanted.before is None else (await desk.run(wanted.before)).id
    found: list[Run] = []
    while statuses:
        page = await desk.runtime.list(
            statuses=statuses,
            graph=wanted.graph,
            tenant=desk.settings.tenant,
            before=before,
            limit=_PAGE_ROWS,
        )
        # What failed for good is not redriven, and is no mistake of whoever asks for all.
        found += [run for run in page if run.failure is None or run.failure.redrivable]
        if len(page) < _PAGE_ROWS:
            break
        before = page[-1].id
    return found


def _would(what: str, found: Sequence[Run]) -> tuple[Any, ...]:
    data = {"would": what, "count": len(found), "runs": [words.of_run(run) for run in found]}
    if not found:
        return data, f"no run fits: there is nothing to {what}"
    shown = table(
        "run",
        "status",
        "graph",
        "created",
        rows=[
            (run.id, words.status_text(run.status), run.graph, texts.instant(run.created_at))
            for run in found[:_SHOWN_ROWS]
        ],
        whole=("created",),
    )
    more = [f"and {len(found) - _SHOWN_ROWS} more"] if len(found) > _SHOWN_ROWS else []
    return data, shown, *more, f"would {what} {_runs(len(found))}; nothing was changed"


def _done(what: str, changed: Sequence[Run], left: Sequence[tuple[Run, str]]) -> tuple[Any, ...]:
    data = {
        "did": what,
        "count": len(changed),
        "runs": [words.of_run(run) for run in changed],
        "left": [{"id": run.id, "why": why} for run, why in left],
    }
    asked = sum(run.status is RunStatus.RUNNING for run in changed)
    said = {
        "cancel": f"{_runs(len(changed) - asked)} cancelled",
        "redrive": f"{_runs(len(changed))} queued again",
    }[what]
    driven = [f"{_runs(asked)} to be cancelled: their workers see it within a second"]
    return data, said, *(driven if asked else []), *(f"left as it is: {why}" for _, why in left)


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
