"""Reruns of a page that was left: none takes away the page that a person went to.

A fragment that reruns every few seconds may ask for its next rerun just as its page is left.
Streamlit executes nothing more for it, but reports that rerun under the name of the page that was
left. The browser takes that for another page, clears the page that is there, and stays empty.
"""

from functools import wraps
from typing import Any

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession


def ignore_stale_reruns() -> None:
    """Have Streamlit ignore automatic reruns of any page but the one that was asked for last."""
    if hasattr(AppSession.request_rerun, "__wrapped__"):
        return
    request_rerun: Any = AppSession.request_rerun

    @wraps(request_rerun)
    def heed(self: AppSession, client_state: ClientState | None) -> None:
        if client_state is not None:
            # It has no other way to say which page it is at. A contract test holds it to this.
            pages = self._pages_manager  # pyright: ignore[reportPrivateUsage]
            asked = pages.intended_page_script_hash or pages.current_page_script_hash
            if client_state.is_auto_rerun and client_state.page_script_hash != asked:
                return
            if not client_state.fragment_id:
                pages.set_script_intent(client_state.page_script_hash, client_state.page_name)
        request_rerun(self, client_state)

    AppSession.request_rerun = heed
