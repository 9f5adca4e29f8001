"""The rules of roles and of the way into the control room, each broken once."""

import re

import pytest

from mutants.test_mutants import RUNS_ROOM, Copy, Mutant, check, checkout_copy

__all__ = ["checkout_copy"]

UI_ROOM = "ui/penstock/ui"
ROLES = "tests/integration/test_roles.py"
WAY_IN = "tests/integration/test_way_in.py"

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
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)
