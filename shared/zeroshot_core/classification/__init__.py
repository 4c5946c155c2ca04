"""Labels for things of which no example, or few, are known."""
