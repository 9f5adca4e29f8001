"""What is relied on of Streamlit that it does not promise."""

import inspect

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner

from penstock.ui.left_pages import look_no_more_at_left_pages


def test_streamlit_still_tells_which_page_a_session_is_at() -> None:
    look_no_more_at_left_pages()
    told = inspect.getsource(inspect.unwrap(AppSession.request_rerun))
    assert "client_state.page_script_hash" in told
    assert "client_state.is_auto_rerun" in told
    assert "self._pages_manager = PagesManager(" in inspect.getsource(AppSession)
    assert isinstance(PagesManager.intended_page_script_hash, property)
    assert isinstance(PagesManager.current_page_script_hash, property)
    assert "set_script_intent(" in inspect.getsource(script_runner)


def test_streamlit_is_told_once() -> None:
    look_no_more_at_left_pages()
    first = AppSession.request_rerun
    look_no_more_at_left_pages()
    assert AppSession.request_rerun is first
