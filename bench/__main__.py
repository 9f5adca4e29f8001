"""Measure, print the tables, and compare with the targets: `python -m bench --help`."""

import os

# LangGraph reads it once, when it is first imported, and Penstock refuses to work without it. All
# contestants run with it, and the processes that measurements start inherit it.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from bench.command import main

main()
