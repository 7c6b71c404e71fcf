"""The triage page: what the logs say of every host, for an analyst to look at and to answer.

Needs the extra ``triage``; nothing else of the runtime imports it.
"""
