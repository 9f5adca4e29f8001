"""What the outside sees of runs, gates, calls, workers, policies, budgets and the audit.

Each module has the view models of one noun, and functions from contracts to them. The command
line prints them as JSON; whatever else speaks JSON of these nouns uses the same ones. A view's
fields are a promise to programs: they are added to, and neither renamed nor taken away.

Views are plain dataclasses. `documents` makes JSON of them, by Pydantic's `TypeAdapter`, which is
imported only then.
"""
