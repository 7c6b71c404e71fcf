"""The command nba-broker."""
