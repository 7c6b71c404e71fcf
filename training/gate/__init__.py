"""Whether a candidate may replace the running model."""
