"""What is different is told place by place, and nothing that is the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ui.components.differences import (
    AROUND_CHARS,
    CHANGES_LIMIT,
    Change,
    ChangeKind,
    differences,
    excerpts,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=12,
)


def added(path: str, after: Any) -> Change:
    return Change(path=path, kind=ChangeKind.ADDED, after=after)


def removed(path: str, before: Any) -> Change:
    return Change(path=path, kind=ChangeKind.REMOVED, before=before)


def changed(path: str, before: Any, after: Any) -> Change:
    return Change(path=path, kind=ChangeKind.CHANGED, before=before, after=after)


@given(VALUES)
def test_nothing_is_told_of_what_is_the_same(value: Any) -> None:
    assert differences(value, value) == []


@given(VALUES, VALUES)
def test_something_is_told_of_what_is_not_the_same(one: Any, other: Any) -> None:
    is_same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (differences(one, other) == []) is is_same


def test_dictionaries_are_compared_by_their_paths() -> None:
    before = {"order": {"cents": 5, "note": "a"}, "gone": 1}
    after = {"order": {"cents": 6, "note": "a"}, "new": [1]}
    assert differences(before, after) == [
        removed("gone", 1),
        changed("order.cents", 5, 6),
        added("new", [1]),
    ]


def test_messages_are_compared_by_their_ids() -> None:
    one, two, three = ({"id": name, "content": name} for name in ("a", "b", "c"))
    after = [two, {"id": "a", "content": "A"}, three]
    assert differences({"messages": [one, two]}, {"messages": after}) == [
        changed("messages[#a].content", "a", "A"),
        added("messages[#c]", three),
    ]


def test_what_was_put_into_a_list_is_all_that_is_told() -> None:
    assert differences([1, 2, 3], [1, 9, 2, 3]) == [added("[1]", 9)]
    assert differences([1, 2, 3], [2, 3]) == [removed("[0]", 1)]
    assert differences([1, 2, 3], [1, 5, 3]) == [changed("[1]", 2, 5)]


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ([1], [True]), ("1", 1)])
def test_values_of_other_types_are_not_the_same(one: Any, other: Any) -> None:
    assert differences({"at": one}, {"at": other}) != []


def test_no_more_places_are_told_than_anybody_reads() -> None:
    assert len(differences({}, {str(number): 1 for number in range(999)})) == CHANGES_LIMIT


def test_long_texts_are_shown_where_they_have_changed() -> None:
    shared = "x" * 1000
    before, after = excerpts(f"{shared}old{shared}", f"{shared}new{shared}")
    around_it = "x" * AROUND_CHARS
    assert (before, after) == (f"…{around_it}old{around_it}…", f"…{around_it}new{around_it}…")
    assert excerpts("short", "shore") == ("short", "shore")


@given(st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_short_texts_are_shown_whole(before: str, after: str) -> None:
    assert excerpts(before, after) == (before, after)
