"""Filters of runs as conditions. Facts in other tables are subqueries, evaluated once."""

from sqlalchemy import ColumnElement, and_, func, or_, select

from penstock.checkpoints.schema import (
    budget_accounts,
    gate_approvals,
    gates,
    run_tags,
    runs,
    steps,
)
from penstock.contracts.budget import AccountKind, Money, run_account
from penstock.contracts.gate import GateStatus
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import RunStatus
from penstock.contracts.step import StepStatus

STANDING = (StepStatus.STARTED, StepStatus.PARKED)
"""The statuses of the steps in which a run waits, under its epoch."""


def matches(wanted: RunFilter) -> list[ColumnElement[bool]]:
    """Return the conditions under which a run matches a filter."""
    conditions = [runs.c.tenant == wanted.tenant]
    if wanted.statuses:
        conditions.append(runs.c.status.in_(sorted(wanted.statuses)))
    for column, value in (
        (runs.c.graph, wanted.graph),
        (runs.c.fingerprint, wanted.fingerprint),
        (runs.c.thread_id, wanted.thread_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.since is not None:
        conditions.append(runs.c.created_at >= wanted.since)
    if wanted.is_redrivable:
        conditions += [runs.c.status == RunStatus.FAILED, runs.c.failure_redrivable == 1]
    conditions += [has_tag(tag, tenant=wanted.tenant) for tag in wanted.tags]
    if wanted.tokens is not None or wanted.money is not None:
        conditions.append(_has_used(wanted.tenant, wanted.tokens, wanted.money))
    if wanted.waits_for is not None:
        conditions += [runs.c.status == RunStatus.WAITING, _is_asked(wanted.waits_for)]
    if wanted.node is not None:
        conditions += [runs.c.status == RunStatus.WAITING, _stands_in(wanted.node)]
    if wanted.text:
        # Ids are of 0-9, a-f and hyphens: none that begins so comes after this.
        begins_so = and_(runs.c.id >= wanted.text, runs.c.id < f"{wanted.text}g")
        same = [runs.c.key, runs.c.thread_id, runs.c.principal]
        conditions.append(or_(begins_so, *(column == wanted.text for column in same)))
    return conditions


def has_tag(tag: str, *, tenant: str | None) -> ColumnElement[bool]:
    """Return the condition that a run has a tag; an index serves it with a tenant."""
    tagged = select(run_tags.c.run_id).where(run_tags.c.tag == tag)
    if tenant is not None:
        tagged = tagged.where(run_tags.c.tenant == tenant)
    return runs.c.id.in_(tagged)


def _has_used(tenant: str, tokens: int | None, money: Money | None) -> ColumnElement[bool]:
    # No index has what was spent: it would have to be changed with every call.
    accounts = budget_accounts.c
    before = len(run_account(RunId("")))
    used = select(func.substr(accounts.id, before + 1)).where(
        accounts.tenant == tenant, accounts.kind == AccountKind.RUN
    )
    if tokens is not None:
        used = used.where(accounts.spent_tokens >= tokens)
    if money is not None:
        used = used.where(
            accounts.spent_money >= money.micros, accounts.money_currency == money.currency
        )
    return runs.c.id.in_(used)


def _is_asked(group: str) -> ColumnElement[bool]:
    asked = (
        select(gates.c.run_id)
        .join(gate_approvals, gate_approvals.c.gate_id == gates.c.id)
        .where(gates.c.status == GateStatus.OPEN, gate_approvals.c.group_name == group)
    )
    return runs.c.id.in_(asked)


def _stands_in(node: str) -> ColumnElement[bool]:
    return (
        select(steps.c.id)
        .where(
            steps.c.run_id == runs.c.id,
            steps.c.epoch == runs.c.epoch,
            steps.c.status.in_(STANDING),
            steps.c.node == node,
        )
        .exists()
    )
