"""Scripts for those who develop this project; no part of what is installed."""
