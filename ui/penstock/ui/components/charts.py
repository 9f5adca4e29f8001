"""Pictures that Streamlit draws, whose signatures speak of what is not typed."""

from collections.abc import Mapping
from typing import Any, cast

import streamlit as st

_vega = cast("Any", st.vega_lite_chart)  # pyright: ignore[reportUnknownMemberType]


def vega(spec: Mapping[str, Any], *, key: str) -> None:
    """Draw a chart of Vega-Lite, whose data are within."""
    _vega(None, dict(spec), width="stretch", key=key)
