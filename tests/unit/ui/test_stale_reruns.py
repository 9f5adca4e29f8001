"""What is relied on of Streamlit that it does not promise."""

import inspect

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner

from penstock.ui.stale_reruns import ignore_stale_reruns


def test_streamlit_still_tells_which_page_a_session_is_at() -> None:
    ignore_stale_reruns()
    told = inspect.getsource(inspect.unwrap(AppSession.request_rerun))
    assert "client_state.page_script_hash" in told
    assert "client_state.is_auto_rerun" in told
    assert "self._pages_manager = PagesManager(" in inspect.getsource(AppSession)
    assert isinstance(PagesManager.intended_page_script_hash, property)
    assert isinstance(PagesManager.current_page_script_hash, property)
    assert "set_script_intent(" in inspect.getsource(script_runner)


def test_streamlit_is_told_once() -> None:
    ignore_stale_reruns()
    first = AppSession.request_rerun
    ignore_stale_reruns()
    assert AppSession.request_rerun is first
