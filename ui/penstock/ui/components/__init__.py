"""Parts of pages: texts, tables, cards and pictures."""
