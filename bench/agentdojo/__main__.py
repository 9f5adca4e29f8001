"""Measure policies on AgentDojo, print a table: `python -m bench.agentdojo --help`."""

import os

# LangGraph reads it once, when it is first imported, and Penstock refuses to work without it.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from bench.agentdojo.command import main

main()
