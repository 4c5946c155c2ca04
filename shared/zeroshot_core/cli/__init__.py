"""The command ``zeroshot``; its door is `main.app`."""
