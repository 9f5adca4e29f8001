"""Parts of pages: words, cards, pictures."""
