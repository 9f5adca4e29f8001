"""The contract of a tool on a page: what it does, takes, brings and promises, and how it fails."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from penstock.contracts.tool import ToolContract
from penstock.ui.components import contracts, schemas
from penstock.ui.components.table import shown
from penstock.ui.components.words import plain, sentence


def terms(contract: ToolContract, *, is_adopted: bool) -> None:
    """Show the contract of a tool as people read it."""
    st.text(contract.description)
    st.markdown(
        f"**If its worker dies in the middle of a call.** {contracts.if_worker_dies(contract)}"
    )
    for warning in contract.warnings:
        st.warning(sentence(warning), icon=":material/warning:")
    st.header("Arguments", anchor=False)
    _fields(contract.arguments_schema, contract.sensitive, nothing="It takes no arguments.")
    st.header("Result", anchor=False)
    _fields(
        contract.result_schema,
        contract.sensitive,
        nothing=f"It returns: {plain(schemas.spelled(contract.result_schema))}.",
    )
    st.header("Terms", anchor=False)
    told = contracts.terms(contract)
    shown(
        {
            "term": [plain(name) for name in told],
            f"version {plain(contract.version)}": [plain(value) for value in told.values()],
        },
        border="horizontal",
    )
    st.caption(sentence(contracts.said_by(contract, is_adopted=is_adopted)))
    st.header("How it can fail", anchor=False)
    failures = contracts.failures(contract)
    shown(
        {
            "error": [plain(each[0]) for each in failures],
            "says": [plain(each[1]) for each in failures],
            "then": [plain(each[2]) for each in failures],
        },
        border="horizontal",
    )
    with st.expander("Its schemas as JSON"):
        st.json({"arguments": contract.arguments_schema, "result": contract.result_schema})


def _fields(schema: Mapping[str, Any], sensitive: frozenset[str], *, nothing: str) -> None:
    found = schemas.fields(schema, sensitive)
    if not found:
        st.markdown(nothing)
        return
    columns: dict[str, Sequence[str]] = {
        "name": [
            f"**{plain(each.name)}**" + (" :material/visibility_off:" * each.is_sensitive)
            for each in found
        ],
        "type": [plain(each.type) for each in found],
        "wanted": [
            "yes" if each.is_wanted else f"no, else {plain(each.default)}" if each.default else "no"
            for each in found
        ],
        "limits": [plain(each.limits) for each in found],
        "about": [plain(each.about) for each in found],
    }
    shown({name: cells for name, cells in columns.items() if any(cells)}, border="horizontal")
    if any(each.is_sensitive for each in found):
        st.caption(":material/visibility_off: is shown to nobody, and no policy sees it.")
