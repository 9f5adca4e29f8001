"""A project: its settings, its open store, its graphs, and the services that act on them.

This is where everything is put together. Nothing is imported here before it is needed: most
commands ask the store a question or two, and LangGraph alone takes longer to import than all of
them take together.
"""

import contextlib
import os
import pwd
import sys
from collections.abc import Generator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from penstock.contracts.errors import (
    InvalidSettings,
    MigrationNeeded,
    StoreBroken,
    UnknownEffect,
    UnknownGate,
    UnknownRun,
    UnknownWorker,
    VoteRefused,
)
from penstock.contracts.ids import GateId, IdempotencyKey, RunId, WorkerId

if TYPE_CHECKING:
    from penstock.checkpoints import Checkpointer, Store
    from penstock.contracts.gate import Gate
    from penstock.contracts.run import Run
    from penstock.graphs import Catalog
    from penstock.policies import People
    from penstock.runs import Approvals, Auditor, Bulk, Engine, Fleet, Policies, Runtime, Worker
    from penstock.runs.queries import Queries
    from penstock.runs.services import Service
    from penstock.runs.settings import Settings
    from penstock.runs.signed_heads import HeadExport
    from penstock.traces import Tracing
    from penstock.traces.phoenix import PhoenixClient

_PREFIX_ROWS = 1000
"""So many open gates are searched for one that begins as was typed."""


class Project:
    """An open store and what acts on it; each service is made when it is first asked for."""

    def __init__(
        self,
        settings: "Settings",
        store: "Store",
        *,
        people: "People",
        catalog: "Catalog | None" = None,
    ) -> None:
        """Act on `store`; without a catalog no runs can be started."""
        self.settings = settings
        self.store = store
        self.people = people
        self._catalog = catalog

    @cached_property
    def catalog(self) -> "Catalog":
        """The project's graphs; none where they were not loaded."""
        from penstock.graphs import Catalog

        return self._catalog if self._catalog is not None else Catalog.of()

    @cached_property
    def checkpointer(self) -> "Checkpointer":
        """What keeps the state of threads."""
        from penstock.checkpoints import Checkpointer

        return Checkpointer(self.store)

    @cached_property
    def engine(self) -> "Engine":
        """What tells the workers of this process of queued runs."""
        from penstock.runs.engine import LocalEngine

        return LocalEngine()

    @cached_property
    def queries(self) -> "Queries":
        """What is known of runs."""
        from penstock.runs.queries import Queries

        return Queries(self.store)

    @property
    def control(self) -> "Runtime":
        """What acts on runs that there are, whatever their graphs."""
        return self.runtime

    @cached_property
    def runtime(self) -> "Runtime":
        """What starts runs and acts on them."""
        from penstock.runs.runtime import Runtime

        return Runtime(
            self.store,
            self.checkpointer,
            self.catalog,
            engine=self.engine,
            people=self.people,
            elsewhere=erasure_targets(self.settings),
        )

    @cached_property
    def bulk(self) -> "Bulk":
        """What acts on many runs."""
        from penstock.runs.bulk import Bulk

        return Bulk(self.store, self.control, people=self.people)

    @cached_property
    def approvals(self) -> "Approvals":
        """What people do at gates that ask for an approval."""
        from penstock.runs.approvals import Approvals

        return Approvals(self.store, self.catalog, engine=self.engine, people=self.people)

    @cached_property
    def policies(self) -> "Policies":
        """What operators do with policies."""
        from penstock.runs.policies import Policies

        return Policies(
            self.store,
            self.catalog,
            people=self.people,
            default=self.settings.policy,
            tenant=self.settings.tenant,
        )

    @cached_property
    def auditor(self) -> "Auditor":
        """What reads and verifies the audit."""
        from penstock.runs.audit import Auditor

        return Auditor(self.store)

    @cached_property
    def fleet(self) -> "Fleet":
        """What operators do about workers."""
        from penstock.runs.fleet import Fleet

        return Fleet(self.store, people=self.people)

    def make_services(self) -> None:
        """Make every service now, before several threads ask for them."""
        _ = (self.control, self.runtime, self.bulk, self.approvals, self.policies)
        _ = (self.auditor, self.fleet, self.queries)

    def worker(self, tracing: "Tracing", catalog: "Catalog | None" = None) -> "Worker":
        """Return a worker for the graphs of `catalog`, or all; runs queued here wake it."""
        from penstock.runs.worker import Worker

        return Worker(
            self.store,
            self.checkpointer,
            catalog or self.catalog,
            engine=self.engine,
            pace=self.settings.pace(),
            people=self.people,
            policy=self.settings.policy,
            tracing=tracing,
            day_budget=self.settings.budget_of_day(),
            services=worker_services(
                self.settings, self.store, self.people, catalog or self.catalog
            ),
        )

    def person(self, named: str | None = None) -> str:
        """Return who acts: whoever the login belongs to, or is named and it may act as.

        Raises:
            UnknownPerson: the login belongs to nobody, or to several.
            VoteRefused: it may not act as whoever is named.
        """
        if self.settings.people is None:
            return named or self.settings.actor
        login = pwd.getpwuid(os.getuid()).pw_name
        if named is None:
            return self.people.person_of(login)
        if not self.people.may_act_as(login, named):
            raise VoteRefused(
                f"the login `{login}` may not act as `{named}`; `logins` of the user in"
                f" `{self.settings.people}` says which may"
            )
        return named

    async def run(self, typed: str) -> "Run":
        """Return the tenant's run with this id, or the only one whose id begins so.

        Raises:
            UnknownRun: there is none, or more than one.
        """
        # Ids are of 0-9, a-f and hyphens: those that begin so are the last ones before this.
        before = RunId(f"{typed}g")
        found = await self.queries.list(tenant=self.settings.tenant, before=before, limit=2)
        matching = [run for run in found if typed and run.id.startswith(typed)]
        if len(matching) == 1:
            return matching[0]
        raise UnknownRun(self._not_one("run", typed, count=len(matching)))

    async def gate(self, typed: str) -> GateId:
        """Return the id of the tenant's gate, given whole or, of an open one, its beginning.

        Raises:
            UnknownGate: there is none, or more than one.
        """
        tenant = self.settings.tenant
        found = await self.queries.open_gates(tenant=tenant, limit=_PREFIX_ROWS)
        matching: list[Gate] = [gate for gate in found if typed and gate.id.startswith(typed)]
        if len(matching) == 1:
            return matching[0].id
        if not matching and len(typed) == 32:
            return GateId(typed)
        raise UnknownGate(self._not_one("open gate", typed, count=len(matching)))

    async def effect(self, typed: str) -> IdempotencyKey:
        """Return the key of the tenant's effect, given whole or its beginning.

        Raises:
            UnknownEffect: there is none, or more than one.
        """
        found = await self.queries.effect_keys(typed, tenant=self.settings.tenant)
        if typed and len(found) == 1:
            return found[0]
        raise UnknownEffect(self._not_one("effect", typed, count=len(found)))

    def worker_id(self, typed: str) -> WorkerId:
        """Return the id of the worker that is typed, whole, or its beginning or its end.

        Raises:
            UnknownWorker: there is none, or more than one.
        """
        ids = [worker.id for worker in self.fleet.workers()]
        matching = [each for each in ids if each == typed] or [
            each for each in ids if typed and (each.startswith(typed) or each.endswith(typed))
        ]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise UnknownWorker(
                f"more than one worker in `{self.store.name}` has an id that begins or ends with"
                f" `{typed}`; type more"
            )
        raise UnknownWorker(
            f"no worker in `{self.store.name}` has the id `{typed}`, or it was not heard of for a"
            " day"
        )

    def _not_one(self, what: str, typed: str, *, count: int) -> str:
        of = f"of tenant `{self.settings.tenant}` in `{self.store.name}`"
        if count:
            return f"more than one {what} {of} has an id that begins with `{typed}`; type more"
        return f"no {what} {of} has the id `{typed}`"


def read_settings() -> "Settings":
    """Read the settings from the environment.

    Raises:
        InvalidSettings: a variable cannot be used; the message says which and why.
    """
    from pydantic import ValidationError

    from penstock.runs.settings import PREFIX, Settings

    try:
        settings = Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"`{PREFIX}{str(problem['loc'][0]).upper()}`: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise InvalidSettings(problems) from error
    if settings.worker_lease_s <= settings.worker_beat_s:
        msg = (
            f"`{PREFIX}WORKER_LEASE_S` is {settings.worker_lease_s:g} and must be longer than"
            f" `{PREFIX}WORKER_BEAT_S`, which is {settings.worker_beat_s:g}"
        )
        raise InvalidSettings(msg)
    return settings


def load_graphs(settings: "Settings") -> "Catalog":
    """Load the project's graphs, with the variables that its `langgraph.json` names.

    A variable that is set already stays as it is. What the project's code prints while it is
    imported goes to standard error.

    Raises:
        InvalidManifest, InvalidGraph: as `Catalog.load`.
    """
    from dotenv import dotenv_values

    from penstock.graphs import Catalog, read_manifest

    manifest = read_manifest(settings.graphs)
    named = manifest.env if isinstance(manifest.env, dict) else dotenv_values(str(manifest.env))
    for name, value in named.items():
        if value is not None:
            os.environ.setdefault(name, value)
    with contextlib.redirect_stdout(sys.stderr):
        return Catalog.load(manifest)


@contextlib.contextmanager
def open_project(settings: "Settings", catalog: "Catalog | None" = None) -> Generator[Project]:
    """Open the store and make ready to act on it; without a catalog no runs can be started.

    Raises:
        MigrationNeeded: there is no store yet, or it is of another version; none was made.
        InvalidDirectory: the file that says who is who cannot be used.
        StoreError: it cannot be opened.
        InvalidSettings: the URL is not one of a store.
    """
    from penstock.checkpoints.store import Store

    with store_url_errors():
        file = store_file(settings)
        if file is not None and not os.path.lexists(file):
            msg = f"there is no store at `{settings.store_url}` yet; make one with a migration"
            raise MigrationNeeded(msg)
        store = Store.open(settings.store_url, busy_timeout_s=settings.store_busy_timeout_s)
    with store:
        yield Project(settings, store, people=read_people(settings), catalog=catalog)


def phoenix_client(settings: "Settings") -> "PhoenixClient | None":
    """Return what writes to the Phoenix that is known; None if none is."""
    if settings.phoenix_url is None:
        return None
    from penstock.traces.phoenix import PhoenixClient

    key = settings.phoenix_api_key
    return PhoenixClient(
        settings.phoenix_url, api_key=None if key is None else key.get_secret_value()
    )


def head_export(settings: "Settings") -> "HeadExport | None":
    """Return how signed heads are exported; None where the key or the target is not set.

    Raises:
        InvalidAuditKey: the key cannot be used.
    """
    if settings.audit_key is None or settings.audit_heads is None:
        return None
    from penstock.runs.signed_heads import HeadExport, HeadSigner

    return HeadExport(
        signer=HeadSigner(settings.audit_key),
        target=settings.audit_heads,
        every_s=settings.audit_heads_every_s,
        every_count=settings.audit_heads_every_count,
    )


def worker_services(
    settings: "Settings", store: "Store", people: "People", catalog: "Catalog"
) -> "Sequence[Service]":
    """Return what a worker does beside driving runs, as the settings say.

    Raises:
        InvalidAuditKey: the key that heads are signed with cannot be used.
    """
    from penstock.contracts.clock import SystemClock
    from penstock.runs.notifications import NotificationService
    from penstock.runs.phoenix import AnnotationService
    from penstock.runs.retention import RetentionService

    clock = SystemClock()
    services: list[Service] = [
        RetentionService(store, settings.retention(), clock, elsewhere=erasure_targets(settings))
    ]
    if settings.people is not None:
        services.append(NotificationService(store, people, clock, links=settings.links()))
    if (phoenix := phoenix_client(settings)) is not None:
        services.append(AnnotationService(store, phoenix, clock, catalog.trace_content))
    if (export := head_export(settings)) is not None:
        from penstock.runs.signed_heads import SignedHeadService

        services.append(SignedHeadService(store, export, clock))
    return services


def read_people(settings: "Settings") -> "People":
    """Read who is who.

    Raises:
        InvalidDirectory: the file is missing, or is not one.
    """
    from penstock.policies.directory import OpenDirectory

    if settings.people is None:
        return OpenDirectory()
    from penstock.policies.directory import Directory

    return Directory.load(settings.people)


def store_file(settings: "Settings") -> str | None:
    """Return the file of a SQLite store."""
    from sqlalchemy import make_url

    url = make_url(settings.store_url)
    return url.database if url.get_backend_name() == "sqlite" else None


@contextlib.contextmanager
def store_url_errors() -> Generator[None]:
    """Turn what the URL of a store may be blamed for into errors of Penstock."""
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    from penstock.runs.settings import PREFIX

    name = f"`{PREFIX}STORE_URL`"
    try:
        yield
    except ArgumentError as error:
        msg = f"{name} is not a database's URL; write one like `sqlite:///penstock.db`"
        raise InvalidSettings(msg) from error
    except (NoSuchModuleError, ValueError) as error:
        raise InvalidSettings(f"{name} cannot be used: {error}") from error
    except ModuleNotFoundError as error:
        msg = f"{name} needs the package `{error.name}`; install `penstock[postgres]`"
        raise InvalidSettings(msg) from error
    except OSError as error:
        msg = f"the store at {name} cannot be opened: {error.strerror or error}"
        raise StoreBroken(msg) from error


def erasure_targets(settings: "Settings") -> "Sequence[PhoenixClient]":
    """Return where else runs are forgotten that the store forgets."""
    phoenix = phoenix_client(settings)
    return [] if phoenix is None else [phoenix]
