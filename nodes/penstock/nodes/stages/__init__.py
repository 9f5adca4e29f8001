"""The stages of a tool call, each a concern of its own; none knows another."""
