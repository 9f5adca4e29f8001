"""One tool call: its admission, authorization, claim, invocation and outcome."""
