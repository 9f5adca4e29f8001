"""The rules of roles and of the way into the control room, each broken once."""

import re

import pytest

from mutants.test_mutants import RUNS_ROOM, Copy, Mutant, check, checkout_copy

__all__ = ["checkout_copy"]

UI_ROOM = "ui/penstock/ui"
ROLES = "tests/integration/test_roles.py"
WAY_IN = "tests/integration/test_way_in.py"
CLAIMS = "tests/unit/ui/test_claims.py"
RECENT = "tests/unit/ui/test_recent.py"
DRAWN = "tests/unit/ui/test_drawn.py"

MUTANTS = [
    Mutant(
        "whoever comes starts runs",
        "runtime.py",
        "        require(self._people, Right.START, actor, tenant)\n",
        "",
        (f"{ROLES}::test_who_has_no_role_starts_nothing",),
        RUNS_ROOM,
    ),
    Mutant(
        "whoever comes steers the runs of others",
        "roles.py",
        "    if not (own and person == run.principal):\n",
        "    if not own and person == run.principal:\n",
        (f"{ROLES}::test_who_is_no_operator_steers_nobody_elses_run",),
        RUNS_ROOM,
    ),
    Mutant(
        "who is of another tenant has rights",
        "roles.py",
        "    if principal.tenant != tenant:\n        return False\n",
        "",
        (f"{ROLES}::test_rights_follow_from_who_somebody_is",),
        RUNS_ROOM,
    ),
    Mutant(
        "whoever comes says which policy decides",
        "roles.py",
        "            return people.has(ADMINS, person, tenant)\n",
        "            return True\n",
        (f"{ROLES}::test_only_admins_change_policies",),
        RUNS_ROOM,
    ),
    Mutant(
        "the stream of the pages is open without a login",
        "doorway.py",
        '        if scope["path"] in _OPEN:\n',
        '        if scope["path"] in _OPEN or scope["type"] == "websocket":\n',
        (f"{WAY_IN}::test_stream_and_what_changes_something_are_closed_without_a_login",),
        UI_ROOM,
    ),
    Mutant(
        "a page of another site opens the stream",
        "doorway.py",
        '        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()\n',
        "        return True\n",
        (f"{WAY_IN}::test_page_of_another_site_opens_no_stream_and_posts_nothing",),
        UI_ROOM,
    ),
    Mutant(
        "the room answers to any name",
        "doorway.py",
        "        return self._hosts is None or host.lower() in self._hosts\n",
        "        return True\n",
        (f"{WAY_IN}::test_room_without_a_login_answers_to_its_own_name_alone",),
        UI_ROOM,
    ),
    Mutant(
        "a login leads to another site",
        "doorway.py",
        '    return wanted if is_ours and not parts.scheme and not parts.netloc else "/"\n',
        "    return wanted\n",
        (f"{WAY_IN}::test_login_leads_to_no_other_site",),
        UI_ROOM,
    ),
    Mutant(
        "a session outlives its password",
        "sessions.py",
        "self.accounts.mark(session.name) != session.mark",
        "self.accounts.mark(session.name) is None",
        (f"{WAY_IN}::test_session_ends_with_the_password_it_was_begun_by",),
        UI_ROOM,
    ),
    Mutant(
        "the room is served to everybody without a login",
        "serving.py",
        "            if not is_loopback(settings.ui_host):\n",
        "            if not settings.ui_host:\n",
        (f"{WAY_IN}::test_room_is_not_served_to_others_without_a_login",),
        UI_ROOM,
    ),
    Mutant(
        "a token for another client lets in",
        "claims.py",
        "        return None\n    begun",
        "        pass\n    begun",
        (f"{CLAIMS}::test_token_for_another_client_lets_nobody_in",),
        UI_ROOM,
    ),
    Mutant(
        "a session at a provider never ends",
        "claims.py",
        "    if now.timestamp() - begun >= settings.ui_session_s:\n",
        "    if now.timestamp() < begun:\n",
        (f"{CLAIMS}::test_session_ends_after_its_time",),
        UI_ROOM,
    ),
    Mutant(
        "whoever names an address is taken for its owner",
        "claims.py",
        'claims.get("email_verified") is False',
        'claims.get("email_verified") is None',
        (f"{CLAIMS}::test_address_that_nobody_has_verified_is_refused",),
        UI_ROOM,
    ),
    Mutant(
        "what a model says is HTML on a card",
        "components/drawn.py",
        '                yield html.escape(token["said"])\n',
        '                yield token["said"]\n',
        (f"{DRAWN}::test_markup_that_somebody_said_is_text",),
        UI_ROOM,
    ),
    Mutant(
        "a name between backticks is HTML on a card",
        "components/drawn.py",
        """{html.escape(token['code'])}""",
        """{token['code']}""",
        (f"{DRAWN}::test_name_between_backticks_is_a_name",),
        UI_ROOM,
    ),
    Mutant(
        "another site shows the room inside its own",
        "assets.py",
        "frame-ancestors 'none'",
        "frame-ancestors *",
        ("tests/unit/ui/test_assets.py::test_first_document_is_ours_and_is_shown_inside_no_other",),
        UI_ROOM,
    ),
    Mutant(
        "what was counted before a change counts after it",
        "recent.py",
        "            if changes == self._changes:\n",
        "            if changes is not None:\n",
        (f"{RECENT}::test_answer_that_was_asked_for_before_a_change_is_not_kept",),
        UI_ROOM,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
