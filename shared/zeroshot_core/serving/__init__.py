"""What every adapter and door needs."""
