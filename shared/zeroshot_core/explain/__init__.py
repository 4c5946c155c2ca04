"""Evidence in words and as plain values."""
