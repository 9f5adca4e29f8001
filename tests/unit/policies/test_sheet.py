"""A policy on one sheet, as people copy and edit it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import PolicyFile, PolicySetName, PolicySource
from penstock.policies import builtin_policy, make_source, read_sheet, write_sheet

LINES = st.lists(
    st.sampled_from(["permit;", "", "  x", "// ä", "-- no", "---", '"\t"']), max_size=5
)
ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def sources(draw: st.DrawFn) -> PolicySource:
    """Policies of several files, with ends of lines of either kind, or none at the end."""
    names = draw(st.lists(st.sampled_from(["a", "b c", "d.e"]), min_size=1, unique=True))
    return make_source(
        PolicyFile(
            set=name,
            name=f"{each}.cedar",
            text=draw(ENDS).join(draw(LINES)) + draw(st.sampled_from(["", "\n"])),
        )
        for name in PolicySetName
        for each in names
    )


@given(sources())
def test_sheet_that_nobody_changed_is_the_same_version(source: PolicySource) -> None:
    assert read_sheet(write_sheet(source), like=source) == source


@given(sources())
def test_what_a_browser_sends_back_of_it_is_the_same_version(source: PolicySource) -> None:
    sent = write_sheet(source).replace("\r\n", "\n")
    assert read_sheet(sent, like=source) == source
    assert read_sheet(sent.replace("\n", "\r\n"), like=source) == source


def test_what_was_changed_is_another_version() -> None:
    source = builtin_policy()
    changed = read_sheet(f"{write_sheet(source)}// one more\n", like=source)
    assert changed.digest != source.digest
    assert changed.files[0] == source.files[0]
    assert changed.files[1].text.endswith("// one more\n")


def test_heading_may_name_the_version_that_it_was_copied_from() -> None:
    source = read_sheet("\n--- gates/a.cedar of desk@12\npermit;\n")
    assert [(file.set, file.name, file.text) for file in source.files] == [
        (PolicySetName.GATES, "a.cedar", "permit;\n")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: There is nothing"),
        ("permit;", "line 1: It stands in no file"),
        ("--- allow/a.cedar\n--- allow/a.cedar\n", "line 2: .* stands there twice"),
        ("--- allows/a.cedar\n", "line 1: .* is no heading of a file"),
        ("--- allow/a.txt\n", "line 1: .* is no heading of a file"),
        ("--- allow/../../a.cedar\n", "line 1: .* is no heading of a file"),
    ],
)
def test_what_is_no_sheet_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidPolicy, match=said):
        read_sheet(text)
