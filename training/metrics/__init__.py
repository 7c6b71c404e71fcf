"""What predictions are worth: tables, curves and intervals."""
