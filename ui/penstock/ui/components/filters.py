"""Filters of lists: what is chosen stands in the URL, so that a link or a bookmark keeps it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeVar, cast

import streamlit as st

from penstock.ui import navigation

T = TypeVar("T")

_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of one list, each a parameter of the URL."""

    page: str
    """What the keys of their widgets begin with."""
    names: Sequence[str]
    """The parameters of the URL."""
    position: str | None = None
    """The parameter that says how far the list was paged: a changed filter begins at its top."""
    shows_labels: bool = False

    def pick(
        self,
        name: str,
        label: str,
        options: Sequence[T],
        *,
        chosen: T | None,
        empty: str | None = None,
        width: int,
        format_func: Callable[[T], str] = str,
    ) -> None:
        """Offer options, of which one or none is chosen; `empty` says what none means."""
        known = list(options) if chosen is None or chosen in options else [*options, chosen]
        st.selectbox(
            label,
            known,
            index=None if chosen is None else known.index(chosen),
            format_func=format_func,
            placeholder=empty,
            key=self.key(name),
            label_visibility=self._label_visibility,
            width=width,
            on_change=self.apply,
            args=(name,),
        )

    def search(
        self, name: str, label: str, *, hint: str, width: int, icon: str | None = None
    ) -> None:
        """Offer a field for a text."""
        st.text_input(
            label,
            navigation.parameter(name) or "",
            placeholder=hint,
            key=self.key(name),
            label_visibility=self._label_visibility,
            icon=None if icon is None else f":material/{icon}:",
            width=width,
            on_change=self.apply,
            args=(name,),
        )

    def day(self, name: str, label: str, *, chosen: date | None, width: int) -> None:
        """Offer a field for a day."""
        st.date_input(
            label,
            chosen,
            key=self.key(name),
            format="YYYY-MM-DD",
            min_value=_EARLIEST,
            max_value=_LATEST,
            width=width,
            on_change=self.apply,
            args=(name,),
        )

    def key(self, name: str) -> str:
        """Return the key of a filter's widget."""
        return f"{self.page}-{name}"

    def apply(self, name: str) -> None:
        """Put into the URL what the widget of a filter holds; widgets call it when they change."""
        value: object = st.session_state.get(self.key(name))
        if isinstance(value, list):
            text = ",".join(cast("list[str]", value))
        else:
            text = str(value or "").strip()
        self._set({name: text or None})

    def chosen(self) -> Mapping[str, str]:
        """Return the filters that stand in the URL, and how far the list was paged."""
        names = self.names if self.position is None else (*self.names, self.position)
        return {name: value for name in names if (value := navigation.parameter(name))}

    def clear(self) -> None:
        """Take all filters away."""
        for name in self.names:
            st.session_state.pop(self.key(name), None)
        self._set(dict.fromkeys(self.names))

    def clear_one(self, name: str) -> None:
        """Take one filter away."""
        self._set({name: None})

    def _set(self, values: Mapping[str, str | None]) -> None:
        position = {} if self.position is None else {self.position: None}
        navigation.set_parameters(**values, **position)

    @property
    def _label_visibility(self) -> Literal["visible", "collapsed"]:
        return "visible" if self.shows_labels else "collapsed"
