"""Passive IoT identification for Zeek: the worker that turns session starts into verdicts."""

import os
from importlib.metadata import PackageNotFoundError, version

# Before ONNX Runtime is imported anywhere: its builds for Linux otherwise keep an id of the machine
# in the home directory and send what runs there to their maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

try:
    __version__ = version("nba-broker")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0"
