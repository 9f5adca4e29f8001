"""The gates of calls: approvals, edits, questions, and budgets that are used up."""
