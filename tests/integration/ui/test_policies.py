"""The page of policies without a browser: what it shows to whom, and what comes of candidates."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from penstock.checkpoints import policies
from penstock.contracts.clock import SystemClock
from penstock.contracts.policy import PolicyFile, PolicySetName, PolicySource, Verdict
from penstock.policies import make_source, write_sheet
from penstock.ui.project import Project
from support.decided import decided, record
from support.pages import (
    has_button,
    html,
    look_at,
    open_policed,
    press,
    said_with_tables,
    show_to,
    start_run,
    tables,
)

NASTY = "<img src=x onerror=alert(1)> [link](http://evil) **bold** :red[x]"
BARE = re.compile(r"(?<!\\)<img|(?<!\\)\[link|(?<!\\)\*\*bold|(?<!\\):red\[x")
"""What of it Markdown would read."""
EVERYTHING = '--- allow/all.cedar\n@id("all")\npermit (principal, action, resource);\n'
FORBIDS = EVERYTHING + '@id("none")\nforbid (principal, action, resource);\n'


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Project]:
    """A project whose policy of `paying` decides; alma, an admin, looks."""
    with open_policed(tmp_path) as opened:
        asyncio.run(opened.policies.load("paying", by="alma"))
        show_to(opened, "alma")
        yield opened


def source(allow: str, gates: str | None = None) -> PolicySource:
    """Return a policy of a file in each set."""
    files = [PolicyFile(set=PolicySetName.ALLOW, name="all.cedar", text=allow)]
    if gates is not None:
        files.append(PolicyFile(set=PolicySetName.GATES, name="pay.cedar", text=gates))
    return make_source(files)


def load(desk: Project, made: PolicySource, by: str = "adam") -> None:
    """Have a policy of `paying` decide, whether or not it fits."""
    at = SystemClock().now()
    desk.store.write_blocking(lambda tx: policies.load(tx, "paying", made, at=at, by=by))


def deciding(desk: Project) -> str:
    """Return the name of what decides."""
    return desk.store.read_blocking(lambda tx: policies.active(tx, "paying")).name


def calls(desk: Project, *verdicts: tuple[Verdict, str], tool: str = "pay") -> None:
    """Write down what was decided about calls a minute ago, each because of a rule."""
    run_id, at = start_run(desk, "paying"), SystemClock().now() - timedelta(minutes=1)
    record(
        desk.store,
        *(
            decided(
                run_id,
                verdict,
                rule,
                call=f"{run_id}-{number}",
                graph="paying",
                tool=tool,
                args={"order": NASTY, "cents": 100},
                tenant="default",
                at=at,
            )
            for number, (verdict, rule) in enumerate(verdicts)
        ),
    )


def tried(text: str) -> AppTest:
    """Try a candidate."""
    app = look_at("policies", graph="paying", view="try")
    app.text_area[0].set_value(text)
    return press(app, "Check and try it")


@pytest.mark.usefixtures("desk")
def test_rules_are_listed_with_what_they_do() -> None:
    app = look_at("policies", graph="paying")
    assert "`paying@1` decides" in said_with_tables(app)
    (table,) = tables(app)
    assert table["Rule"] == ["all", "above-100"]
    assert table["It"] == ["✓ permits", "◐ asks 1 of finance"]
    assert not app.exception


def test_rules_are_counted_by_what_was_said_because_of_them(desk: Project) -> None:
    calls(
        desk,
        (Verdict.ALLOW, "all"),
        (Verdict.ALLOW, "all"),
        (Verdict.ASK, "above-100"),
        (Verdict.DENY, "scopes"),
        (Verdict.DENY, "taken-away"),
    )
    app = look_at("policies", graph="paying")
    (table,) = tables(app)
    assert table["Allowed"] == [2, 0]
    assert table["Asked"] == [0, 1]
    told = said_with_tables(app)
    assert "a scope is missing: 1 denied" in told
    assert "which no longer stands in the policy: 1 denied" in told


def test_a_rule_is_shown_with_its_text_and_its_calls(desk: Project) -> None:
    calls(desk, (Verdict.ASK, "above-100"), (Verdict.ALLOW, "all"))
    app = look_at("policies", graph="paying", rule="above-100")
    assert '<span class="annotation">@gate</span>' in html(app)
    assert "1 asked about" in said_with_tables(app)
    (table,) = tables(app)
    assert table["It was"] == ["asked about"]
    assert not app.exception


def test_whatever_stands_in_a_policy_is_text(desk: Project) -> None:
    nasty = NASTY.replace('"', "")
    load(
        desk,
        source(f'// {nasty}\n@id("all")\n@doc("{nasty}")\npermit (principal, action, resource);\n'),
    )
    for view in ("text", "versions", "rules"):
        app = look_at("policies", graph="paying", view=view)
        assert "<img" not in html(app)
        assert not BARE.search("\n".join(str(each.value) for each in [*app.markdown, *app.caption]))
        assert not app.exception
    assert "&lt;img" in html(look_at("policies", graph="paying", view="text"))
    app = look_at("policies", graph="paying", rule="all")
    assert not BARE.search(said_with_tables(app))
    app = look_at("policies", graph="paying", rule=NASTY)
    assert not BARE.search(said_with_tables(app))


def test_policy_that_does_not_fit_its_tools_says_where(desk: Project) -> None:
    load(
        desk,
        source('@id("all")\npermit (principal, action == Penstock::Action::"payy", resource);'),
    )
    app = look_at("policies", graph="paying")
    told = said_with_tables(app)
    assert "It does not fit the graph's tools as they are now" in told
    assert "Did you mean `pay`?" in told
    assert 'class="l hit"' in html(app)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('--- allow/all.cedar\n@id("all")\npermit (principal, acton, resource);\n', "is no policy"),
        (EVERYTHING.replace(", action,", ', action == Penstock::Action::"payy",'), "Did you mean"),
        (EVERYTHING.replace(";\n", " when { context.args.cent > 1 };\n"), "has no argument"),
        (EVERYTHING.replace("@id", "@name"), "has no annotation"),
        ("permit (principal, action, resource);", "stands in no file"),
        ("", "There is nothing"),
    ],
)
def test_candidate_that_cannot_be_used_is_told_line_by_line(
    desk: Project, text: str, wrong: str
) -> None:
    app = tried(text)
    assert "It cannot be used; nothing was tried" in said_with_tables(app)
    assert wrong in said_with_tables(app)
    assert not has_button(app, "Do it")
    assert deciding(desk) == "paying@1"
    assert not app.exception


def test_candidate_that_allows_everything_is_called_looser(desk: Project) -> None:
    calls(desk, (Verdict.ASK, "above-100"), (Verdict.DENY, "none"), (Verdict.ALLOW, "all"))
    app = tried(EVERYTHING)
    told = said_with_tables(app)
    assert "2 of 3 calls" in told
    assert "It is looser" in told
    assert "2 calls that were denied or asked about" in told
    (table,) = tables(app)
    assert sorted(table["It was"]) == ["asked about: 1 of finance", "denied"]
    assert set(table["It would be"]) == {"allowed"}
    assert not app.exception


def test_calls_that_cannot_be_decided_anew_are_said_and_not_counted(desk: Project) -> None:
    calls(desk, (Verdict.ALLOW, "all"), tool="gone")
    app = tried(FORBIDS)
    told = said_with_tables(app)
    assert "1 calls could not be decided anew" in told
    assert "no such tool any more" in told
    assert "0 of 0 calls" in told


def test_candidate_decides_once_an_admin_says_so(desk: Project) -> None:
    app = press(tried(FORBIDS), "Do it")
    assert "decides from now on" in said_with_tables(app)
    found = desk.store.read_blocking(lambda tx: policies.active(tx, "paying"))
    assert (found.name, found.loaded_by) == ("paying@2", "alma")
    assert [file.name for file in found.source.files] == ["all.cedar"]
    assert not app.exception


def test_of_two_windows_that_activate_the_second_is_told_and_does_nothing(desk: Project) -> None:
    first, second = tried(FORBIDS), tried(EVERYTHING)
    press(first, "Do it")
    app = press(second, "Do it")
    told = said_with_tables(app)
    assert "Somebody was quicker; nothing was loaded" in told
    assert "decides by now" in told
    assert deciding(desk) == "paying@2"
    assert len(desk.store.read_blocking(lambda tx: policies.versions(tx, "paying"))) == 2


def test_candidate_that_was_compared_with_an_older_version_says_so(desk: Project) -> None:
    app = tried(FORBIDS)
    load(desk, source('@id("other")\npermit (principal, action, resource);'))
    assert "Check it again to compare with that" in said_with_tables(app.run())


@pytest.mark.parametrize("person", ["vera", "olga", "fay", "ada"])
def test_who_is_no_admin_tries_and_activates_nothing(desk: Project, person: str) -> None:
    show_to(desk, person)
    app = tried(FORBIDS)
    assert "What it would have come to" in said_with_tables(app)
    assert not has_button(app, "Do it")
    assert "members of **admins** load policies" in said_with_tables(app)


def test_who_lost_the_right_meanwhile_activates_nothing(desk: Project, tmp_path: Path) -> None:
    app = tried(FORBIDS)
    people = tmp_path / "people.toml"
    people.write_text(people.read_text().replace('groups = ["admins"]', "groups = []"))
    app = press(app, "Do it")
    assert "members of **admins** load policies" in said_with_tables(app)
    assert deciding(desk) == "paying@1"


def test_a_version_decides_again(desk: Project) -> None:
    load(desk, source(FORBIDS.partition("\n")[2]))
    app = look_at("policies", graph="paying", view="versions")
    assert '<span class="l add">' in html(app)
    app = press(app, "Do it")
    assert "decides from now on" in said_with_tables(app)
    assert deciding(desk) == "paying@1"
    show_to(desk, "vera")
    assert not has_button(look_at("policies", graph="paying", view="versions"), "Do it")


def test_five_hundred_rules_are_listed_in_pages_and_found_by_words(desk: Project) -> None:
    many = "".join(
        f'@id("rule-{number}")\npermit (principal, action, resource)'
        f' when {{ context.args has order && context.args.order == "A-{number}" }};\n'
        for number in range(500)
    )
    load(desk, source(many))
    app = look_at("policies", graph="paying")
    (table,) = tables(app)
    assert len(table["Rule"]) == 50
    assert "Page 1 of 10, 500 rules" in said_with_tables(app)
    app = look_at("policies", graph="paying", find="A-417")
    (table,) = tables(app)
    assert table["Rule"] == ["rule-417"]
    assert not app.exception
    found = desk.store.read_blocking(lambda tx: policies.active(tx, "paying"))
    app = tried(write_sheet(found.source))
    assert "It decides already" in said_with_tables(app)


def test_graph_of_which_nothing_was_loaded_says_what_happens(desk: Project) -> None:
    app = look_at("policies", graph="wiring")
    assert "was loaded yet" in said_with_tables(app)
    assert not app.exception
    assert desk.policies is not None


def test_where_no_graph_is_at_hand_the_policy_is_shown_and_cannot_be_tried(tmp_path: Path) -> None:
    with open_policed(tmp_path, at_hand=False) as bare:
        show_to(bare, "alma")
        assert "No policy is known yet" in said_with_tables(look_at("policies"))
        load(bare, source('@id("all")\npermit (principal, action, resource);'))
        app = look_at("policies")
        (table,) = tables(app)
        assert table["Rule"] == ["all"]
        assert "cannot be checked against the tools" in said_with_tables(app)
        app = look_at("policies", view="try")
        assert "The graph is not at hand here" in said_with_tables(app)
        assert not app.exception
