"""Offline: from labelled archives to a model folder, and what that model is worth."""

import nba_broker  # noqa: F401  # before onnxruntime, see there
