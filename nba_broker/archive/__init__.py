"""Files: logs and captures to sessions and leases, and nba_device.log."""
