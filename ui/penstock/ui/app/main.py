"""The script that Streamlit runs for each look at the control room; `serving` names it."""

from penstock.ui.frame import show

if __name__ == "__main__":
    show()
