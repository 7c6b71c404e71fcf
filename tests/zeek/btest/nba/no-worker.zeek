# @TEST-DOC: Without a worker nothing is published, and every session is counted as skipped.
#
# @TEST-EXEC: replay eight.pcap >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr
