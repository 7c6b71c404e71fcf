"""Offline: from labelled archives to a model folder, and what that model is worth."""
