"""What a destination address means: its pool."""
