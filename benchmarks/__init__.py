"""What the runtime can carry, measured; ``make bench`` prints one JSON line per figure."""
