"""Calls of models: what they may use, what they cost, and how they are seen from outside."""
