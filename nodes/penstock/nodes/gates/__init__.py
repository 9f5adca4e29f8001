"""What people are asked on behalf of calls, and what becomes of their answers."""
