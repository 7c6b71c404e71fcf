# @TEST-DOC: What hosts announce by mDNS of themselves arrives once, before the sessions since; what others say, and what is no service or description, is left out.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker announcements.pcap NBA::batch_size=64
# @TEST-EXEC: sed -n '/announced/,/batch/p' worker/.stdout >announced
# @TEST-EXEC: btest-diff announced
# @TEST-EXEC: compare-stderr
