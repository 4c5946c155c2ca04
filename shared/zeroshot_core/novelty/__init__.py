"""How new a text is."""
