"""The network, how it is fitted, and how it becomes a model folder."""
