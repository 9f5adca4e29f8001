"""The words of Penstock as types: runs, steps, gates, errors, signals, ids and the clock.

Pure: no input or output, no SQL, no LangGraph.
"""
