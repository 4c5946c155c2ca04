"""Numbers and curves for things without a history."""
