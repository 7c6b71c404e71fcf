"""The live process: event loop, state on disk, metrics, self-tests."""
