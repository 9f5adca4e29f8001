"""Who is who: from a file that may change while it is read, and where there is none."""

import logging
import os
from pathlib import Path

import pytest

from penstock.contracts.errors import InvalidDirectory, UnknownPerson
from penstock.contracts.policy import PolicySetName
from penstock.policies import Directory, OpenDirectory, People
from support.policies import compiled, request, short

TEXT = """
[users.ann]
tenant = "acme"
roles = ["clerk"]
groups = ["finance", "security"]
scopes = ["pay", "mail"]
logins = ["ann", "shared"]

[users.bo]
groups = ["finance"]
scopes = ["*"]
logins = ["shared"]

[agents.desk]
scopes = ["pay", "search"]

[agents.any]
scopes = ["*"]

[notify]
board = ["mailto://board@ourco.com", "json://hooks.ourco.com"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "people.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def people(path: Path) -> Directory:
    return Directory.load(path)


def change(path: Path, text: str) -> None:
    """Replace a file as an editor does: its old reader keeps what it had."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def test_a_user_is_who_the_file_says(people: Directory) -> None:
    ann = people.principal("ann", "any", "acme")
    assert (ann.tenant, ann.roles, ann.groups, ann.scopes, ann.has_every_scope) == (
        "acme",
        {"clerk"},
        {"finance", "security"},
        {"pay", "mail"},
        False,
    )


@pytest.mark.parametrize(
    ("user", "agent", "scopes", "has_every"),
    [
        ("ann", "desk", {"pay"}, False),
        ("ann", "any", {"pay", "mail"}, False),
        ("bo", "desk", {"pay", "search"}, False),
        ("bo", "any", set[str](), True),
        ("ann", "nobody", set[str](), False),
        ("nobody", "any", set[str](), False),
    ],
)
def test_scopes_are_those_that_user_and_agent_both_have(
    people: Directory, user: str, agent: str, scopes: set[str], *, has_every: bool
) -> None:
    who = people.principal(user, agent, "acme")
    assert (who.scopes, who.has_every_scope, who.has_every_role) == (scopes, has_every, False)


def test_a_run_of_another_tenant_does_not_change_whose_a_user_is(people: Directory) -> None:
    assert people.principal("ann", "any", "evil").tenant == "acme"


def test_who_is_unknown_is_denied_in_every_tenant(people: Directory) -> None:
    policy = compiled(allow='@id("all") permit (principal, action, resource);')
    for tenant in ("acme", "default", ""):
        who = people.principal("nobody", "any", tenant)
        asked = request("search", {"word": "w"}, who=who, tenant=tenant)
        assert short(policy.decide(asked)) == "deny tenant"


def test_membership_holds_within_a_tenant(people: Directory) -> None:
    assert people.has("finance", "ann", "acme")
    assert not people.has("finance", "ann", "default")
    assert not people.has("board", "ann", "acme")
    assert not people.has("finance", "nobody", "acme")
    assert people.members("finance", "acme") == ("ann",)
    assert people.members("finance", "default") == ("bo",)


def test_roles_and_groups_are_those_of_anybody(people: Directory) -> None:
    assert people.roles == {"clerk"}
    assert people.groups == {"finance", "security", "board"}
    assert people.channels("board") == ("mailto://board@ourco.com", "json://hooks.ourco.com")
    assert people.channels("finance") == ()


def test_a_login_is_one_persons(people: Directory) -> None:
    assert people.person_of("ann") == "ann"
    with pytest.raises(UnknownPerson, match="`ann`, `bo`"):
        people.person_of("shared")
    with pytest.raises(UnknownPerson, match=r"Nobody .* has the login `eve`"):
        people.person_of("eve")


def test_a_login_acts_as_those_whose_it_is(people: Directory) -> None:
    assert people.may_act_as("shared", "bo")
    assert not people.may_act_as("ann", "bo")
    assert not people.may_act_as("ann", "nobody")


def test_a_leaver_loses_all_rights_without_a_restart(people: Directory, path: Path) -> None:
    change(path, TEXT.replace("users.ann", "users.zoe"))
    assert not people.has("finance", "ann", "acme")
    assert people.principal("ann", "any", "acme").tenant == ""
    assert people.has("finance", "zoe", "acme")


def test_a_change_in_place_is_seen(people: Directory, path: Path) -> None:
    path.write_text(TEXT.replace('"clerk"', '"boss!"'))
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert people.roles == {"boss!"}


def test_a_broken_change_is_logged_once_and_what_was_read_before_counts(
    people: Directory, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(path, "[users.ann]\nrols = []")
    with caplog.at_level(logging.ERROR):
        assert people.has("finance", "ann", "acme")
        assert people.has("finance", "ann", "acme")
    (record,) = caplog.records
    assert "users.ann.rols" in record.getMessage()
    change(path, TEXT.replace("users.ann", "users.zoe"))
    assert not people.has("finance", "ann", "acme")


def test_a_file_that_is_gone_is_logged_once_and_what_was_read_before_counts(
    people: Directory, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    with caplog.at_level(logging.ERROR):
        assert people.has("finance", "ann", "acme")
        assert people.has("finance", "ann", "acme")
    assert len(caplog.records) == 1
    path.write_text(TEXT.replace("users.ann", "users.zoe"))
    assert not people.has("finance", "ann", "acme")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[users.ann", "no TOML"),
        ("[users.ann]\nrols = []", "`users.ann.rols`"),
        ("[users.ann]\nroles = 'clerk'", "`users.ann.roles`"),
        ("[users.ann]\nroles = [5]", "`users.ann.roles.0`"),
        ("[users.ann]\ntenant = ''", "`users.ann.tenant`"),
        ("[users.ann]\ngroups = ['']", "`users.ann.groups.0`"),
        ("[agents.desk]\nroles = []", "`agents.desk.roles`"),
        ("[user.ann]", "`user`"),
        ("[notify]\nfinance = 'mailto://x'", "`notify.finance`"),
        ("users = 5", "`users`"),
    ],
)
def test_what_does_not_say_who_is_who_is_refused_with_its_place(
    path: Path, text: str, says: str
) -> None:
    path.write_text(text)
    with pytest.raises(InvalidDirectory) as error:
        Directory.load(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_what_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidDirectory, match="no TOML"):
        Directory.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(InvalidDirectory, match="cannot be read"):
            Directory.load(path)


# Where there is no file.


def test_everybody_may_do_everything_on_a_machine_of_ones_own() -> None:
    people: People = OpenDirectory()
    assert people.has("any", "ann", "acme")
    assert people.may_act_as("ann", "bo")
    assert people.person_of("ann") == "ann"
    assert (people.roles, people.groups) == (None, None)
    assert (people.members("any", "acme"), people.channels("any")) == ((), ())


def test_everybody_has_every_role_group_and_scope_that_a_policy_names() -> None:
    policy = compiled(
        allow='@id("a") permit (principal in Penstock::Role::"boss", action, resource)'
        ' when { principal in Penstock::Group::"board" && principal.scopes.contains("x")'
        ' && principal.scopes.contains("pay") };'
    )
    who = OpenDirectory().principal("ann", "desk", "acme")
    assert short(policy.decide(request("search", {"word": "w"}, who=who))) == "allow a"


def test_both_directories_are_people(people: Directory) -> None:
    both: list[People] = [people, OpenDirectory()]
    assert len(both) == len(PolicySetName)
