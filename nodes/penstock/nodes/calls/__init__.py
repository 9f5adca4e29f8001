"""One call of a tool: where it comes from, what it is bound to, and who carries it out."""
