"""The stages that a session passes, in their order."""
