"""What a host usually does, and when it no longer does."""
