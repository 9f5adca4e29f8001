"""What is taken out of what people and traces are shown: marked fields, secrets, personal data."""
