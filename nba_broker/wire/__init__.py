"""Zeek's WebSocket API: messages in and out, accounted for, and put into time order."""
