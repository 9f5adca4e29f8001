"""Which isolation tiers work here is told with the reason."""

import os
import sys

import pytest

from penstock.contracts.tool import IsolationTier
from penstock.nodes.isolation import available_tiers, sandbox


def test_every_tier_is_told_of() -> None:
    assert available_tiers().keys() == set(IsolationTier)
    assert available_tiers()[IsolationTier.IN_PROCESS] is None


@pytest.mark.skipif(sys.platform != "linux", reason="the tier needs Linux")
def test_a_subprocess_works_on_linux() -> None:
    assert available_tiers()[IsolationTier.SUBPROCESS] is None


def test_another_system_is_told_what_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "PR_SET_PDEATHSIG" in (available_tiers()[IsolationTier.SUBPROCESS] or "")


def test_an_old_kernel_is_told_what_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    assert "pidfd_open" in (available_tiers()[IsolationTier.SUBPROCESS] or "")


def test_a_filter_of_system_calls_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(option: int, value: int) -> None:
        del option, value
        raise PermissionError

    monkeypatch.setattr(sandbox, "_prctl", refuse)
    assert "prctl" in (available_tiers()[IsolationTier.SUBPROCESS] or "")
