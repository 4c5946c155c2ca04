"""What every adapter, and every other way of serving a model, needs."""
