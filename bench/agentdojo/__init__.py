"""What policies keep of utility, and stop of attacks, on AgentDojo's banking and slack suites."""
