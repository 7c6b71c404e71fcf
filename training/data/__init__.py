"""Labelled archives as training data."""
