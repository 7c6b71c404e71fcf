"""The systems that the model is compared with."""
