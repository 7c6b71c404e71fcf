"""Passive IoT identification for Zeek: the worker that turns session starts into verdicts."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("nba-broker")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0"
