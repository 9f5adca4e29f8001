"""Forms: what people fill in and submit."""
