"""Where Streamlit finds its script: apart from `pages/`, which it would take for its own."""
