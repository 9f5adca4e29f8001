"""The environment that the parts of `penstock dev` run in: this process's, and what they need."""

import os
from collections.abc import Mapping

from penstock.runs.settings import PREFIX

_SAYS_WHERE_TRACES_GO = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_SDK_DISABLED",
)


def of_penstock(*, ui_url: str | None, phoenix_url: str | None) -> Mapping[str, str]:
    """Return the environment of workers and pages: where they find each other, and Phoenix.

    What is set already stays. Traces go to Phoenix unless it is said where they go.
    """
    added = {"PYTHONUNBUFFERED": "1"}
    if ui_url is not None:
        added[f"{PREFIX}UI_URL"] = ui_url
    if phoenix_url is not None:
        added[f"{PREFIX}PHOENIX_URL"] = phoenix_url
        if not any(os.environ.get(name) for name in _SAYS_WHERE_TRACES_GO):
            added["OTEL_EXPORTER_OTLP_ENDPOINT"] = phoenix_url
            added["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    return _with(added)


def of_phoenix(added: Mapping[str, str], fixed: Mapping[str, str]) -> Mapping[str, str]:
    """Return Phoenix's environment: what `added` says unless it is set, and `fixed` in any case."""
    return {**_with({"PYTHONUNBUFFERED": "1", **added}), **fixed}


def _with(added: Mapping[str, str]) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if value}
    return {**added, **known}
