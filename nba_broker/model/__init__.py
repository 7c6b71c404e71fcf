"""A model folder, its inputs, and its scores."""
