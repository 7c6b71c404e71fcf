"""The command nba-train."""
