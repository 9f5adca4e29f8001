"""The rules of changing policies and of showing them, each broken once."""

import re

import pytest

from mutants.test_mutants import (
    CHECKPOINTS,
    POLICIES,
    RUNS_ROOM,
    Copy,
    Mutant,
    check,
    checkout_copy,
)

__all__ = ["checkout_copy"]

UI_ROOM = "ui/penstock/ui"
VERSIONS = "tests/integration/test_policy_versions.py"
ROLES = "tests/integration/test_roles.py"
DECIDED = "tests/integration/test_decided.py"
PAGES = "tests/integration/ui/test_policies.py"
SHEET = "tests/unit/policies/test_sheet.py"
WHAT_IF = "tests/unit/test_whatif.py"

MUTANTS = [
    Mutant(
        "a candidate replaces whatever decides",
        "policies.py",
        "    if active_digest(connection, graph) != seen:\n",
        "    if seen is not None and active_digest(connection, graph) is None:\n",
        (f"{VERSIONS}::test_candidate_replaces_nothing_that_its_maker_has_not_seen",),
        CHECKPOINTS,
    ),
    Mutant(
        "who saw that nothing decided replaces what does",
        "policies.py",
        "    if active_digest(connection, graph) != seen:\n",
        "    if seen is not None and active_digest(connection, graph) != seen:\n",
        (f"{VERSIONS}::test_candidate_replaces_nothing_that_its_maker_has_not_seen",),
        CHECKPOINTS,
    ),
    Mutant(
        "whoever comes replaces a policy",
        "policing.py",
        "            require(self._people, Right.RULE, by, self._tenant)\n"
        "            return policies.replace(",
        "            return policies.replace(",
        (f"{ROLES}::test_only_admins_change_policies",),
        RUNS_ROOM,
    ),
    Mutant(
        "whoever comes loads a policy",
        "policing.py",
        "            require(self._people, Right.RULE, by, self._tenant)\n            return load(",
        "            return load(",
        (f"{ROLES}::test_only_admins_change_policies",),
        RUNS_ROOM,
    ),
    Mutant(
        "whoever comes says which version decides",
        "policing.py",
        "            require(self._people, Right.RULE, by, self._tenant)\n"
        "            return policies.activate(",
        "            return policies.activate(",
        (f"{ROLES}::test_only_admins_change_policies",),
        RUNS_ROOM,
    ),
    Mutant(
        "a candidate that does not fit its tools decides",
        "policing.py",
        "        self.compiled(graph, candidate)\n        at = self._clock.now()\n",
        "        at = self._clock.now()\n",
        (f"{ROLES}::test_admin_replaces_a_policy_that_is_sound",),
        RUNS_ROOM,
    ),
    Mutant(
        "the page replaces what decides by now and not what was seen",
        "forms/candidate.py",
        "            replace(graph, source, tried.seen, done_with=_keys(graph))\n",
        "            replace(graph, source, active, done_with=_keys(graph))\n",
        (f"{PAGES}::test_of_two_windows_that_activate_the_second_is_told_and_does_nothing",),
        UI_ROOM,
    ),
    Mutant(
        "who is no admin is offered to activate",
        "forms/candidate.py",
        "    if not front.may(Right.RULE):\n        only_admins()\n        return\n",
        "",
        (f"{PAGES}::test_who_is_no_admin_tries_and_activates_nothing",),
        UI_ROOM,
    ),
    Mutant(
        "what stands in a policy is HTML",
        "components/cedar.py",
        "                line.append(f'<span class=\"{token.kind}\">{escape(part)}</span>')\n",
        "                line.append(f'<span class=\"{token.kind}\">{part}</span>')\n",
        (f"{PAGES}::test_whatever_stands_in_a_policy_is_text",),
        UI_ROOM,
    ),
    Mutant(
        "a call that waits counts each time it is decided about",
        "decisions.py",
        "            func.count(decisions.c.effect_key.distinct()).label",
        "            func.count(decisions.c.effect_key).label",
        (f"{DECIDED}::test_a_call_counts_once_for_what_was_said_of_it",),
        CHECKPOINTS,
    ),
    Mutant(
        "other tenants are counted",
        "decisions.py",
        "    found = [decisions.c.graph == graph, decisions.c.tenant == tenant]\n",
        "    found = [decisions.c.graph == graph]\n",
        (f"{DECIDED}::test_tallies_are_of_one_graph_one_tenant_and_their_time",),
        CHECKPOINTS,
    ),
    Mutant(
        "a call that cannot be decided anew is called denied",
        "whatif.py",
        "        if self.why_not is not None:\n            return False\n",
        "",
        (f"{WHAT_IF}::test_call_of_a_tool_that_is_gone_is_left_out_and_casts_doubt_on_the_next",),
        RUNS_ROOM,
    ),
    Mutant(
        "a sheet that a browser sends back is another version",
        "sheet.py",
        "    if known is not None and _lines(_ended(known)) == lines:\n",
        "    if known is not None and known.split() == lines:\n",
        (f"{SHEET}::test_what_a_browser_sends_back_of_it_is_the_same_version",),
        POLICIES,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
