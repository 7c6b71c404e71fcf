# @TEST-DOC: Batches are numbered from 1, count what was sent so far, and an empty one ends a capture.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker eight.pcap NBA::batch_size=3
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: compare-stderr
