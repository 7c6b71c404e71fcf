"""The command nba-broker: one module per command."""
