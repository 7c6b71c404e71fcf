# @TEST-DOC: An address that DHCP has lent is told to the worker.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker lease.pcap
# @TEST-EXEC: grep lease worker/.stdout >lease
# @TEST-EXEC: btest-diff lease
# @TEST-EXEC: compare-stderr
