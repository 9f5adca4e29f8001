"""`penstock export`: all of a run as one file, for a report of a fault."""

import asyncio
import os
from pathlib import Path

from penstock.contracts.errors import ProjectExists
from penstock.runs.settings import Settings
from penstock.ui.cli.output import Output
from penstock.ui.project import load_graphs, open_project
from penstock.ui.run_export import document_text, run_document


def export(settings: Settings, output: Output, *, typed: str, file: Path | None) -> None:
    """Write all that is known of a run to a file, or to standard output.

    Raises:
        UnknownGraph: nobody here knows what is to be hidden.
        ProjectExists: there is such a file, or it cannot be written.
    """
    catalog = load_graphs(settings)
    with open_project(settings, catalog) as desk:
        run = asyncio.run(desk.run(typed))
        graph = catalog.get(run.graph)
        told = desk.store.read_blocking(lambda connection: run_document(connection, run, graph))
    if file is None:
        output.answer(told, document_text(told))
        return
    text = document_text(told)
    _write(file, text)
    cut = [f"cut: {each}" for each in told["cut"]]
    output.answer(
        {"run": run.id, "file": str(file), "bytes": len(text.encode()), "cut": told["cut"]},
        f"run {run.id} is written to `{file}`, for your eyes and whoever you give it to",
        *cut,
    )


def _write(file: Path, text: str) -> None:
    try:
        # It holds what was said and done: nobody else of this machine reads it.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ProjectExists(
            f"`{file}` cannot be written: {error.strerror}; name a file that is not there"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
