"""The tables that are printed."""

from collections.abc import Callable, Iterator, Sequence

from rich.table import Table

from bench import throughput
from bench.calls import CONCURRENCIES, READ, UNSAFE, Calls
from bench.cancel import ELSEWHERE, HERE, Cancel
from bench.contestants import ASYNC_SQLITE, MEMORY, NOTHING, PENSTOCK, THREADED_SQLITE
from bench.growth import Growth
from bench.recovery import Recovery
from bench.runs import PACE, Runs
from bench.spread import Spread
from bench.takeover import Takeover
from bench.taking import PACE as TAKING
from bench.targets import Verdict
from bench.throughput import RAW_COMMITS, Throughput

ABSENT = "–"  # noqa: RUF001  (a dash for what was not measured)


def of_throughput(found: Throughput, *, block: str, title: str) -> Iterator[Table]:
    """Return the tables of one block."""
    everybody = found.contestants(block)
    concurrencies = found.concurrencies(block)

    def rows(
        names: Sequence[str], cell: Callable[[str, int], Spread | None], form: str
    ) -> Sequence[Sequence[str]]:
        return [[name, *(_text(cell(name, c), form) for c in concurrencies)] for name in names]

    def numbers(value: Callable[[throughput.Sample], float]) -> Callable[[str, int], Spread | None]:
        return lambda name, c: found.spread(block, c, name, value)

    columns = [f"c={c}" for c in concurrencies]
    savers = [name for name in everybody if name not in {RAW_COMMITS, NOTHING.name}]
    durable = [name for name in savers if name != MEMORY.name]
    others = [RAW_COMMITS, ASYNC_SQLITE.name, THREADED_SQLITE.name, MEMORY.name]
    yield _table(f"{title}: steps/s", columns, rows(everybody, numbers(lambda s: s.rate), ",.0f"))
    yield _table(
        f"{title}: steps/s of {PENSTOCK.name} ÷ those of",
        columns,
        rows(others, lambda name, c: found.times(block, c, name), ".2f"),
    )
    yield _table(
        f"{title}: durable commits a step",
        columns,
        rows(durable, numbers(lambda s: s.commits_per_step), ".3f"),
    )
    yield _table(
        f"{title}: CPU µs a step",
        columns,
        rows([NOTHING.name, *savers], numbers(lambda s: s.cpu_us), ",.0f"),
    )
    yield _table(
        f"{title}: CPU µs a step beyond the graph's own",
        columns,
        rows(savers, lambda name, c: found.cpu_us_beyond_graph(block, c, name), ",.0f"),
    )
    most = concurrencies[-1]
    yield _table(
        f"{title}: ms from a step to the next, c={most}",
        ["p50", "p99"],
        [
            [
                name,
                _text(found.spread(block, most, name, lambda s: s.step_p50_s * 1e3), ",.1f"),
                _text(found.spread(block, most, name, lambda s: s.step_p99_s * 1e3), ",.1f"),
            ]
            for name in [NOTHING.name, *savers]
        ],
    )


def of_growth(found: Growth) -> Iterator[Table]:
    """Return the tables of growing conversations."""
    counts = found.message_counts()
    columns = [f"N={count}" for count in counts]
    stored = [kind for kind in found.kinds() if kind[0] != NOTHING.name]
    ours = [kind for kind in stored if kind[0] == PENSTOCK.name]
    yield _table(
        "growth: database, MB",
        columns,
        [
            [
                _kind(kind),
                *(
                    _text(found.spread(kind, n, lambda s: s.database_bytes / 1e6), ".2f")
                    for n in counts
                ),
            ]
            for kind in stored
        ],
    )
    yield _table(
        "growth: CPU µs a step",
        columns,
        [
            [
                _kind(kind),
                *(_text(found.spread(kind, n, lambda s: s.cpu_us), ",.0f") for n in counts),
            ]
            for kind in found.kinds()
        ],
    )
    yield _table(
        "growth: get_state, ms",
        columns,
        [
            [
                _kind(kind),
                *(
                    _text(found.spread(kind, n, lambda s: s.get_state_s * 1e3), ".1f")
                    for n in counts
                ),
            ]
            for kind in stored
        ],
    )
    long = counts[-1]
    yield _table(
        f"growth: prune(keep_latest), N={long}",
        ["ms", "MB in use after", "MB after VACUUM"],
        [
            [
                _kind(kind),
                _text(found.spread(kind, long, lambda s: _scaled(s.prune_s, 1e3)), ".0f"),
                _text(found.spread(kind, long, lambda s: _scaled(s.pruned_bytes, 1e-6)), ".2f"),
                _text(found.spread(kind, long, lambda s: _scaled(s.vacuumed_bytes, 1e-6)), ".2f"),
            ]
            for kind in ours
        ],
    )


def of_recovery(found: Recovery) -> Table:
    """Return the table of revivals."""
    return _table(
        f"recovery: {found.samples[0].message_count} messages, fresh process, ms from opening",
        ["to the node", "to the durable step"],
        [
            [
                name,
                found.spread(name, lambda s: s.node_s * 1e3).text(".0f"),
                found.spread(name, lambda s: s.durable_s * 1e3).text(".0f"),
            ]
            for name in found.contestants()
        ],
    )


def of_runs(found: Runs) -> Table:
    """Return the table of runs."""
    return _table(
        f"runs: {PACE.slots} at once",
        ["measured"],
        [
            ["runs/s, by a worker", found.rate(lambda one: one.driven_rate).text(".0f")],
            ["runs/s, the graph directly", found.rate(lambda one: one.direct_rate).text(".0f")],
            ["runs/s, on InMemorySaver", found.rate(lambda one: one.memory_rate).text(".0f")],
            ["ms from decision to node, p50", found.decision_ms(50).text(".1f")],
            ["ms from decision to node, p99", found.decision_ms(99).text(".1f")],
            ["% of a CPU, by an idle worker", found.rate(lambda one: one.idle_percent).text(".1f")],
            ["s to import penstock.graphs", found.rate(lambda one: one.import_s).text(".2f")],
        ],
    )


def of_calls(found: Calls) -> Table:
    """Return the table of tool calls."""
    cells: dict[str, Callable[[str, int], str]] = {
        "calls/s": lambda e, c: found.of(e, c, lambda s: s.rate).text(",.0f"),
        "CPU ms": lambda e, c: found.of(e, c, lambda s: s.cpu_ms).text(".2f"),
        "CPU ms beyond the bare tool": lambda e, c: found.beyond_bare_ms(e, c).text(".2f"),
        "commits": lambda e, c: found.of(e, c, lambda s: s.commits).text(".2f"),
    }
    rows = [
        [f"{effect}: {what}", *(cell(effect, c) for c in CONCURRENCIES)]
        for effect in (READ, UNSAFE)
        for what, cell in cells.items()
    ]
    columns = [f"c={c}" for c in CONCURRENCIES]
    return _table("tool calls, each by itself, recorded in the ledger", columns, rows)


def of_takeover(found: Takeover) -> Table:
    """Return the table of runs that changed their worker."""
    pace = f"beat {TAKING.beat_s:g} s, lease {TAKING.lease_s:g} s"
    return _table(
        f"takeover: {len(found.samples)} kills, {pace}",
        ["measured"],
        [["s from SIGKILL to the other's claim", found.claimed_s().text(".1f")]],
    )


def of_cancel(found: Cancel) -> Table:
    """Return the table of cancellations."""
    return _table(
        "cancel: ms until a run is cancelled in the middle of a tool call",
        ["p50", "p99"],
        [
            [f"its worker is {where}", *(f"{found.ms(where, percent):.0f}" for percent in (50, 99))]
            for where in (HERE, ELSEWHERE)
        ],
    )


def of_verdicts(verdicts: Sequence[Verdict]) -> Iterator[Table]:
    """Return what is held or not, and what stands beside its target without a judgement."""
    marks = {True: "[green]held[/]", False: "[bold red]missed[/]"}
    exact = [verdict for verdict in verdicts if verdict.is_held is not None]
    noisy = [verdict for verdict in verdicts if verdict.is_held is None]
    if exact:
        yield _table(
            "targets, free of noise",
            ["measured", "target", ""],
            [[one.what, one.measured, one.target, marks[bool(one.is_held)]] for one in exact],
        )
    if noisy:
        yield _table(
            "targets that noise can hide",
            ["measured", "target"],
            [[one.what, one.measured, one.target] for one in noisy],
        )


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _text(found: Spread | None, form: str) -> str:
    return ABSENT if found is None else found.text(form)


def _kind(kind: tuple[str, bool]) -> str:
    name, deltas = kind
    return f"{name} + DeltaChannel" if deltas else name


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
