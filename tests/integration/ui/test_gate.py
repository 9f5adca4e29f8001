"""The page of one gate without a browser: what it says to whom."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.contracts.gate import Gate
from penstock.ui.project import Project
from support.approvals import open_approval, reject
from support.pages import TENANT, look_at, open_empty, open_strict, said
from support.runs import Runs

QUESTION = {
    "may_it_happen": "pay_refund",
    "does": "Give money back.",
    "tool_version": "1",
    "effect": "unsafe",
    "arguments": {"order": "R-1", "note": ""},
    "acts_for": "ada",
    "agent": "desk",
    "facts": {},
    "rules": ["above-limit"],
    "why": "`pay_refund` needs approval: `above-limit` wants one approval by `finance`.",
}
BECAUSE = "nobody is to write a rule and decide alone what it asks"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """A room with nothing in it."""
    with open_empty(tmp_path) as opened:
        yield opened


@pytest.fixture
def gate(desk: Project) -> Gate:
    """A call that waits for finance."""
    runs = Runs(desk.store)
    fence = runs.start("one")
    opened = open_approval(desk.store, fence, question=QUESTION, expires_s=10**9)
    runs.park(fence)
    assert opened.tenant == TENANT
    return opened


def test_admin_is_told_why_they_do_not_decide(desk: Project, gate: Gate, tmp_path: Path) -> None:
    with open_strict(desk, tmp_path, "ann"):
        app = look_at("gate", gate=gate.id)
        assert BECAUSE in said(app)
        assert not [button for button in app.button if "Approve" in button.label]


def test_whoever_only_looks_is_told_who_decides(desk: Project, gate: Gate, tmp_path: Path) -> None:
    with open_strict(desk, tmp_path, "vera"):
        told = said(look_at("gate", gate=gate.id))
        assert "whoever decides here is in **finance**" in told
        assert BECAUSE not in told


def test_gate_that_is_closed_says_what_was_asked(desk: Project, gate: Gate) -> None:
    assert "What will happen" in said(look_at("gate", gate=gate.id))
    reject(desk.store, gate)
    told = said(look_at("gate", gate=gate.id))
    assert "What was asked" in told
    assert "What will happen" not in told


@pytest.mark.usefixtures("desk")
def test_page_without_a_gate_has_its_name_and_a_way_on() -> None:
    told = said(look_at("gate"))
    assert "Gate" in told
    assert "Open one from the inbox" in told
