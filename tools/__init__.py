"""Programs for developers of this project; not installed."""
