"""What a tool is: its function, what it takes and brings, and what its author promises of it."""
