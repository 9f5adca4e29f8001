"""The way into the control room, what is shown there, and to whom."""

from support.mutants import Mutant

ROLES = "tests/integration/test_roles.py"
WAY_IN = "tests/integration/test_way_in.py"
ASSETS = "tests/unit/ui/test_assets.py"
CLAIMS = "tests/unit/ui/test_login_claims.py"
DRAWN = "tests/unit/ui/test_markdown_html.py"
RECENT = "tests/unit/ui/test_timed_cache.py"

MUTANTS = [
    Mutant(
        "whoever comes starts runs",
        at="Runtime.start",
        old="require(self._people, Right.START, actor, tenant)",
        new="",
        killed_by=[f"{ROLES}::test_who_has_no_role_starts_nothing"],
    ),
    Mutant(
        "whoever comes steers the runs of others",
        at="require_steering",
        old="not (own and person == run.principal)",
        new="not own and person == run.principal",
        killed_by=[f"{ROLES}::test_who_is_no_operator_steers_nobody_elses_run"],
    ),
    Mutant(
        "who is of another tenant has rights",
        at="has_right",
        old="""
            if principal.tenant != tenant:
                return False
        """,
        new="",
        killed_by=[f"{ROLES}::test_rights_follow_from_who_somebody_is"],
    ),
    Mutant(
        "whoever comes says which policy decides",
        at="has_right",
        old="people.has(ADMINS, person, tenant)",
        new="True",
        killed_by=[f"{ROLES}::test_only_admins_change_policies"],
    ),
    Mutant(
        "the stream of the pages is open without a login",
        at="LoginMiddleware._is_logged_in",
        old="scope['path'] in _OPEN",
        new="scope['path'] in _OPEN or scope['type'] == 'websocket'",
        killed_by=[f"{WAY_IN}::test_stream_and_what_changes_something_are_closed_without_a_login"],
    ),
    Mutant(
        "a page of another site opens the stream",
        at="_is_same_origin",
        old="urlsplit(origin).netloc.lower() == headers.get('host', '').lower()",
        new="True",
        killed_by=[f"{WAY_IN}::test_page_of_another_site_opens_no_stream_and_posts_nothing"],
    ),
    Mutant(
        "the room answers to any name",
        at="access_middleware",
        old='["*"] if hosts is None else sorted(map(_bracketed, hosts))',
        new='["*"]',
        killed_by=[f"{WAY_IN}::test_room_without_a_login_answers_to_its_own_name_alone"],
    ),
    Mutant(
        "a login leads to another site",
        at="_inside",
        old='wanted if is_ours and not parts.scheme and not parts.netloc else "/"',
        new="wanted",
        killed_by=[f"{WAY_IN}::test_login_leads_to_no_other_site"],
    ),
    Mutant(
        "a session outlives its password",
        at="Sessions.person",
        old="self.accounts.mark(session.name) != session.mark",
        new="self.accounts.mark(session.name) is None",
        killed_by=[f"{WAY_IN}::test_session_ends_with_the_password_it_was_begun_by"],
    ),
    Mutant(
        "the room is served to everybody without a login",
        at="check_access",
        old="is_loopback(settings.ui_host)",
        new="settings.ui_host",
        killed_by=[f"{WAY_IN}::test_room_is_not_served_to_others_without_a_login"],
    ),
    Mutant(
        "a token for another client lets in",
        at="claimed_login",
        old="""
            if ours is None or not (
                meant_for == ours or (isinstance(meant_for, list) and ours in meant_for)
            ):
                return None
        """,
        new="""
            if ours is None or not (
                meant_for == ours or (isinstance(meant_for, list) and ours in meant_for)
            ):
                pass
        """,
        killed_by=[f"{CLAIMS}::test_token_for_another_client_lets_nobody_in"],
    ),
    Mutant(
        "a session at a provider never ends",
        at="claimed_login",
        old="now.timestamp() - begun >= settings.ui_session_s",
        new="now.timestamp() < begun",
        killed_by=[f"{CLAIMS}::test_session_ends_after_its_time"],
    ),
    Mutant(
        "whoever names an address is taken for its owner",
        at="claimed_login",
        old="claims.get('email_verified') is False",
        new="claims.get('email_verified') is None",
        killed_by=[f"{CLAIMS}::test_address_that_nobody_has_verified_is_refused"],
    ),
    Mutant(
        "what a model says is HTML on a card",
        at="_parts",
        old="html.escape(token['said'])",
        new="token['said']",
        killed_by=[f"{DRAWN}::test_markup_that_somebody_said_is_text"],
    ),
    Mutant(
        "a name between backticks is HTML on a card",
        at="_parts",
        old="html.escape(token['code'])",
        new="token['code']",
        killed_by=[f"{DRAWN}::test_name_between_backticks_is_a_name"],
    ),
    Mutant(
        "another site shows the room inside its own",
        at="Assets._send_own_document",
        old="\"frame-ancestors 'none'\"",
        new="'frame-ancestors *'",
        killed_by=[f"{ASSETS}::test_first_document_is_ours_and_is_shown_inside_no_other"],
    ),
    Mutant(
        "what was counted before a change counts after it",
        at="TimedCache.get",
        old="changes == self._changes",
        new="changes is not None",
        killed_by=[f"{RECENT}::test_answer_that_was_asked_for_before_a_change_is_not_kept"],
    ),
]
