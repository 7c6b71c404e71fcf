"""Files: logs and captures to sessions and leases, and the logs of ours."""
