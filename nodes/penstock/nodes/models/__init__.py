"""Calls of models: their budget, their costs, and their spans."""
