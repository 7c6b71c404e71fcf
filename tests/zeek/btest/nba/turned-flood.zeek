# @TEST-DOC: A flood of sessions that may be turned is held back up to a number, and none is lost.
#
# @TEST-EXEC: replay turned.pcap %INPUT >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

module NBA;

redef max_held_sessions = 1;
