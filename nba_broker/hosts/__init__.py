"""Which host a session belongs to, and what is known of the host's hardware."""
