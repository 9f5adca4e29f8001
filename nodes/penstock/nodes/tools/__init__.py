"""Tools: their contracts, and what LangChain sees of them."""
