"""Measurements of the checkpointer beside LangGraph's own; `make bench` runs them."""
