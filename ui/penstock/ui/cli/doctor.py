"""`penstock doctor`: what is wrong with this installation, and what to do about it."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import PenstockError, PhoenixUnreachable
from penstock.contracts.run import Run, RunStatus
from penstock.contracts.worker import WorkerState
from penstock.ui.cli.options import AsJson
from penstock.ui.cli.output import Exit, Output, exit_code_of, table
from penstock.ui.cli.store import shown_url
from penstock.ui.project import (
    Project,
    head_export,
    load_graphs,
    open_project,
    phoenix_client,
    read_settings,
)
from penstock.ui.text import age
from penstock.ui.views.store import Check, HealthReport

if TYPE_CHECKING:
    from penstock.graphs import Catalog

_PACKAGES = ("penstock", "langgraph", "langgraph-checkpoint", "langchain-core", "sqlalchemy")
_STUCK = timedelta(minutes=5)
_LOOK_ROWS = 1000

_UNSIGNED = (
    "no signed heads: a chain that is rewritten as a whole cannot be found, unless"
    " PENSTOCK_AUDIT_KEY and PENSTOCK_AUDIT_HEADS are set"
)


def doctor(*, as_json: AsJson = False) -> Exit | None:
    """Look for what is wrong: versions, graphs, the store, workers, stuck runs."""
    from penstock.checkpoints.migration import HEAD

    settings = read_settings()
    checks = [_versions(), _isolation()]
    catalog: Catalog | None = None
    try:
        catalog = load_graphs(settings)
        names = ", ".join(sorted(graph.name for graph in catalog)) or "none"
        checks.append(Check(name="graphs", ok=True, found=f"{names} from {settings.graphs}"))
    except PenstockError as error:
        todo = "mend it, set PENSTOCK_GRAPHS, or begin with `penstock init`"
        checks.append(Check(name="graphs", ok=False, found=str(error), todo=todo))
    code = Exit.OK
    try:
        with open_project(settings, catalog) as project:
            # A checkpointer cannot be made without it.
            _ = project.checkpointer
            checks.append(Check(name="strict mode", ok=True, found="on"))
            found = f"{shown_url(settings)} at migration {HEAD}"
            checks.append(Check(name="store", ok=True, found=found))
            checks += asyncio.run(_look(project, catalog))
    except PenstockError as error:
        todo = (
            "run `penstock migrate`"
            if error.code == "migration_needed"
            else "do what it says, then look again"
        )
        checks.append(Check(name="store", ok=False, found=str(error), todo=todo))
        code = exit_code_of(error)
    ok = all(check.ok for check in checks)
    if not ok and code is Exit.OK:
        code = Exit.REFUSED
    rows = [(check.name, "ok" if check.ok else "wrong", _text(check)) for check in checks]
    Output(as_json=as_json).answer(
        HealthReport(ok=ok, checks=checks), table("check", "", "found", rows=rows)
    )
    return code


async def _look(project: Project, catalog: "Catalog | None") -> Sequence[Check]:
    from penstock.checkpoints import database

    durability = await project.store.read(database.durability)
    runs = await project.queries.list(
        statuses={RunStatus.RUNNING, RunStatus.QUEUED},
        tenant=project.settings.tenant,
        limit=_LOOK_ROWS,
    )
    now = SystemClock().now()
    return [
        Check(
            name="durability",
            ok=database.is_durable(durability),
            found=", ".join(f"{name} {value}" for name, value in durability.items()),
            todo="have the database wait for the disk at a commit",
        ),
        _workers(project),
        _stuck(runs, now),
        *([] if catalog is None else [await _policies(project, catalog)]),
        await _notices(project),
        *await _phoenix(project),
        await _audit(project),
        *_homeless(runs, catalog),
    ]


def _versions() -> Check:
    found = [f"Python {sys.version.split()[0]}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (not installed as a package)")
    return Check(name="versions", ok=True, found=", ".join(found))


def _isolation() -> Check:
    """Tell which isolation tiers work; one that is missing is wrong only for tools that want it."""
    from penstock.nodes import isolation

    found = [
        f"{tier} works" if reason is None else f"{tier} does not: {reason}"
        for tier, reason in isolation.available_tiers().items()
    ]
    return Check(name="isolation", ok=True, found="; ".join(found))


def _workers(project: Project) -> Check:
    """Tell which workers are heard of; whether runs wait for one is looked at by themselves."""
    known = [each for each in project.fleet.workers() if each.state is not WorkerState.ENDED]
    heard_of = [
        f"{each.id} is {each.state}" for each in known if each.state is not WorkerState.GONE
    ]
    gone = len(known) - len(heard_of)
    also = [f"{gone} more of the last day not any more"] if gone else []
    return Check(
        name="workers", ok=True, found=", ".join([*(heard_of or ["none is heard of"]), *also])
    )


def _stuck(runs: Sequence[Run], now: datetime) -> Check:
    """Find runs that nobody has taken up, or whose worker is gone and was not missed."""
    stuck = [
        f"{run.id} is {run.status} since {age((now - since).total_seconds())}"
        for run in runs
        for since in [run.lease_expires_at or run.changed_at]
        if now - since > _STUCK
    ]
    return Check(
        name="stuck runs",
        ok=not stuck,
        found="; ".join(stuck) or "none",
        todo="start a `penstock worker` that has their graphs",
    )


async def _notices(project: Project) -> Check:
    """Tell whether people are told of the gates that are open."""
    from penstock.checkpoints.gates import notices

    tenant = project.settings.tenant
    counts = await project.store.read(lambda connection: notices.counts(connection, tenant=tenant))
    link = "with links" if project.settings.links() else "without links"
    return Check(
        name="notices",
        ok=counts.given_up == 0,
        found=f"{counts.due} to be sent, {counts.given_up} given up; {link}",
        todo="mend the channels that the workers' logs name, and tell people of the gates yourself",
    )


async def _phoenix(project: Project) -> Sequence[Check]:
    """Tell whether the Phoenix that is known is there, and how the telling goes."""
    phoenix = phoenix_client(project.settings)
    if phoenix is None:
        return []
    from penstock.checkpoints import annotations

    counts = await project.store.read(annotations.counts)
    try:
        found, ok = f"version {await phoenix.version()} at {project.settings.phoenix_url}", True
    except PhoenixUnreachable as error:
        found, ok = str(error), False
    return [
        Check(
            name="phoenix",
            ok=ok,
            found=f"{found}; {counts.waiting} to be told, {counts.given_up} given up",
            todo="start it, or unset PENSTOCK_PHOENIX_URL; runs go on without it",
        )
    ]


async def _audit(project: Project) -> Check:
    """Tell whether the record is guarded, goes on, and could be rewritten unseen."""
    from penstock.checkpoints.audit.verification import missing_triggers, torn_chains

    missing = await project.store.read(missing_triggers)
    broken = await project.store.read(torn_chains)
    wrong: list[str] = []
    todo: list[str] = []
    noted = ""
    if missing:
        wrong.append(f"missing or off: the triggers {', '.join(missing)}")
        todo.append("make the triggers again as a new store has them")
    if broken:
        chains = ", ".join(f"`{tenant}`" for tenant in broken)
        wrong.append(f"head and last event disagree, and nothing more is recorded: tenant {chains}")
        todo.append("restore the store from a backup that fits its signed heads")
    try:
        export = head_export(project.settings)
    except PenstockError as error:
        wrong.append(str(error))
        todo.append("name a key that `penstock audit keygen` made")
    else:
        noted = _UNSIGNED if export is None else "heads are signed and written out"
    if missing or broken:
        todo.insert(0, "see with `penstock audit verify` what was changed")
    return Check(
        name="audit",
        ok=not todo,
        found="; ".join(wrong or ["append-only, and every chain goes on", noted]),
        todo=", then ".join(todo),
    )


def _homeless(runs: Sequence[Run], catalog: "Catalog | None") -> Sequence[Check]:
    """Find queued runs whose graph is not one of the project's, as it is now."""
    if catalog is None:
        return []
    known = {(graph.name, str(graph.fingerprint)) for graph in catalog}
    lost = [
        f"{run.id} of graph {run.graph}"
        for run in runs
        if run.status is RunStatus.QUEUED and (run.graph, run.fingerprint) not in known
    ]
    return [
        Check(
            name="graphs of queued runs",
            ok=not lost,
            found="; ".join(lost) or "all are known",
            todo="start a worker with the code they were started with, or cancel them",
        )
    ]


async def _policies(project: Project, catalog: "Catalog") -> Check:
    """Find policies that cannot be used, and groups that ask nobody; say which decide."""
    found: list[str] = []
    wrong: list[str] = []
    for graph in catalog:
        versions = await project.policies.versions(graph.name)
        active = next((version for version in versions if version.is_active), None)
        try:
            own = project.policies.check(graph.name)
            policy = own if active is None else project.policies.compiled(graph.name, active.source)
        except PenstockError as error:
            wrong.append(f"{graph.name}: {error}")
            continue
        found.append(f"{graph.name}: its own, not loaded yet" if active is None else active.name)
        if active is not None and active.source.digest != own.digest:
            found.append(f"{graph.name} has another text in its folder")
        wrong += [
            f"{graph.name} asks group {group}, which has no members"
            for group in sorted(policy.groups)
            if project.settings.people
            and not project.people.members(group, project.settings.tenant)
        ]
    return Check(
        name="policies",
        ok=not wrong,
        found="; ".join([*wrong, *found]) or "no graphs",
        todo="mend them, or name members in the file of people",
    )


def _text(check: Check) -> str:
    return check.found if check.ok else f"{check.found}: {check.todo}"
