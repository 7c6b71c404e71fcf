"""What a model is worth on traffic that it has not seen."""
