"""`penstock spend`: what runs have used, by day or by graph."""

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from penstock.checkpoints import spending
from penstock.contracts.clock import SystemClock
from penstock.contracts.spend import MEASURED, DailySpend, Measure, SpendBy, SpendFilter
from penstock.runs.settings import Settings
from penstock.ui import measures
from penstock.ui.cli.output import Output, table
from penstock.ui.project import open_project

_FORMULA = tuple("=+-@\t\r")


def spend(
    settings: Settings,
    output: Output,
    *,
    by: SpendBy,
    day_count: int,
    graph: str | None,
    tenant: str | None,
) -> None:
    """Show what the runs of a tenant have used, beginning with a day of UTC."""
    wanted = SpendFilter(tenant=tenant or settings.tenant, since=first_day(day_count), graph=graph)
    with open_project(settings) as desk:
        found = desk.store.read_blocking(lambda connection: spending.by_day(connection, wanted))
    keys = sorted({_key(each, by) for each in found})
    counted = measures_of(found)
    sums = {key: total([each for each in found if _key(each, by) == key]) for key in keys}
    whole = total(found)
    data: dict[str, Any] = {
        "tenant": wanted.tenant,
        "since": wanted.since.isoformat(),
        "by": by,
        "rows": [{by: key, "used": _told(sums[key])} for key in keys],
        "total": _told(whole),
    }
    if not found:
        output.answer(data, f"no run of tenant `{wanted.tenant}` has used anything since then")
        return
    rows = [
        (
            name,
            *(measures.amount_text(each, used[each]) if each in used else "" for each in counted),
        )
        for name, used in [*sums.items(), ("in all", whole)]
    ]
    drawn = table(
        "day (UTC)" if by is SpendBy.DAY else "graph",
        *(measures.measure_name(each) for each in counted),
        rows=rows,
    )
    output.answer(data, drawn)


def first_day(day_count: int) -> date:
    """Return the first of so many days that end with today, by UTC."""
    return SystemClock().now().date() - timedelta(days=max(day_count, 1) - 1)


def measures_of(found: Sequence[DailySpend]) -> Sequence[Measure]:
    """Return in which measures something was used, in the order in which they are shown."""
    return sorted(
        {each.measure for each in found},
        key=lambda measure: (MEASURED.index(measure.unit), measure.currency or ""),
    )


def total(found: Sequence[DailySpend]) -> dict[Measure, int]:
    """Add up what was used, measure by measure."""
    sums: dict[Measure, int] = {}
    for each in found:
        sums[each.measure] = sums.get(each.measure, 0) + each.amount
    return sums


def as_csv(found: Sequence[DailySpend]) -> str:
    """Return what was used as CSV, in whole numbers: micros, minor units, milliseconds."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(["day_utc", "graph", "unit", "currency", "amount", "amount_as_written"])
    for each in found:
        # A spreadsheet would compute what begins like a formula.
        graph = f"'{each.graph}" if each.graph.startswith(_FORMULA) else each.graph
        measure = each.measure
        lines.writerow(
            [
                each.day.isoformat(),
                graph,
                measure.unit,
                measure.currency or "",
                each.amount,
                measures.amount_text(measure, each.amount),
            ]
        )
    return written.getvalue()


def _key(used: DailySpend, by: SpendBy) -> str:
    return used.day.isoformat() if by is SpendBy.DAY else used.graph


def _told(sums: dict[Measure, int]) -> dict[str, Any]:
    """Return sums as JSON has them: under each unit, of money under each currency."""
    told: dict[str, Any] = {}
    for measure, amount in sorted(sums.items(), key=lambda item: str(item[0])):
        if measure.currency is None:
            told[measure.unit] = amount
        else:
            told.setdefault(measure.unit, {})[measure.currency] = amount
    return told
