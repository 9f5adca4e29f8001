"""Versions of policies, and who changes them."""

from support.mutants import Mutant

DECIDED = "tests/integration/test_decisions.py"
VERSIONS = "tests/integration/test_policy_versions.py"
ROLES = "tests/integration/test_roles.py"
PAGES = "tests/integration/ui/test_policies.py"
SHEET = "tests/unit/policies/test_sheet.py"
WHAT_IF = "tests/unit/test_what_if.py"

MUTANTS = [
    Mutant(
        "a candidate replaces whatever decides",
        at="replace",
        old="active_digest(connection, graph) != seen",
        new="seen is not None and active_digest(connection, graph) is None",
        killed_by=[f"{VERSIONS}::test_candidate_replaces_nothing_that_its_maker_has_not_seen"],
    ),
    Mutant(
        "who saw that nothing decided replaces what does",
        at="replace",
        old="active_digest(connection, graph) != seen",
        new="seen is not None and active_digest(connection, graph) != seen",
        killed_by=[f"{VERSIONS}::test_candidate_replaces_nothing_that_its_maker_has_not_seen"],
    ),
    Mutant(
        "whoever comes replaces a policy",
        at="Policies.replace",
        old="require(self._people, Right.MANAGE_POLICIES, by, self._tenant)",
        new="",
        killed_by=[f"{ROLES}::test_only_admins_change_policies"],
    ),
    Mutant(
        "whoever comes loads a policy",
        at="Policies.load",
        old="require(self._people, Right.MANAGE_POLICIES, by, self._tenant)",
        new="",
        killed_by=[f"{ROLES}::test_only_admins_change_policies"],
    ),
    Mutant(
        "whoever comes says which version decides",
        at="Policies.use",
        old="require(self._people, Right.MANAGE_POLICIES, by, self._tenant)",
        new="",
        killed_by=[f"{ROLES}::test_only_admins_change_policies"],
    ),
    Mutant(
        "a candidate that does not fit its tools decides",
        at="Policies.replace",
        old="self.compiled(graph, candidate)",
        new="",
        killed_by=[f"{ROLES}::test_admin_replaces_a_policy_that_is_sound"],
    ),
    Mutant(
        "the page replaces what decides by now and not what was seen",
        at="_activate",
        old="replace(graph, source, tried.seen, done_with=_keys(graph))",
        new="replace(graph, source, active, done_with=_keys(graph))",
        killed_by=[
            f"{PAGES}::test_of_two_windows_that_activate_the_second_is_told_and_does_nothing"
        ],
    ),
    Mutant(
        "who is no admin is offered to activate",
        at="_activate",
        old="""
            if not front.may(Right.MANAGE_POLICIES):
                only_admins()
                return
        """,
        new="",
        killed_by=[f"{PAGES}::test_who_is_no_admin_tries_and_activates_nothing"],
    ),
    Mutant(
        "what stands in a policy is HTML",
        at="highlighted",
        old="f'<span class=\"{token.kind}\">{escape(part)}</span>'",
        new="f'<span class=\"{token.kind}\">{part}</span>'",
        killed_by=[f"{PAGES}::test_whatever_stands_in_a_policy_is_text"],
    ),
    Mutant(
        "a call that waits counts each time it is decided about",
        at="tallies",
        old=".distinct()",
        new="",
        killed_by=[f"{DECIDED}::test_a_call_counts_once_for_what_was_said_of_it"],
    ),
    Mutant(
        "other tenants are counted",
        at="_of_graph",
        old="decisions.c.tenant == tenant",
        new="",
        killed_by=[f"{DECIDED}::test_tallies_are_of_one_graph_one_tenant_and_their_time"],
    ),
    Mutant(
        "a call that cannot be decided anew is called denied",
        at="Redecision.is_changed",
        old="""
            if self.why_not is not None:
                return False
        """,
        new="",
        killed_by=[
            f"{WHAT_IF}::test_call_of_a_tool_that_is_gone_is_left_out_and_casts_doubt_on_the_next"
        ],
    ),
    Mutant(
        "a sheet that a browser sends back is another version",
        at="_text",
        old="_lines(_ended(known))",
        new="known.split()",
        killed_by=[f"{SHEET}::test_what_a_browser_sends_back_of_it_is_the_same_version"],
    ),
]
