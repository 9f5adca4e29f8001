"""All of a run as one file, for a report of a fault."""

import streamlit as st

from penstock.ui import front
from penstock.ui.components.story import Story
from penstock.ui.run_export import document_text, run_document

_NO_GRAPHS = (
    "The project's graphs are not at hand, and without them nobody knows which arguments are to be"
    " hidden."
)


def button(story: Story) -> None:
    """Show a button that makes the file when it is pressed, and no sooner."""
    run, is_known = story.run, story.graph is not None

    def text() -> str:
        known = front.desk().catalog.get(run.graph)
        return document_text(front.read(lambda connection: run_document(connection, run, known)))

    st.download_button(
        "Export",
        text,
        file_name=f"penstock-{run.id}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        disabled=not is_known,
        help="All that is known of it as one JSON file" if is_known else _NO_GRAPHS,
        key=f"export-{run.id}",
    )
