"""What is usual for a host, and when it no longer does it."""
