"""Forms built from schemas, and what people fill in at gates."""
