"""The triage page: every host in the logs, for an analyst to check and annotate.

Needs the extra ``triage``; nothing else of the runtime imports it.
"""
