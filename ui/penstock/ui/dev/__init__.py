"""`penstock dev`: everything that a person needs on one machine, as one command."""
