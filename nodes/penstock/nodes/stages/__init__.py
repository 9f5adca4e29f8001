"""The stages of a tool call, each one concern of every call; no stage knows another."""
