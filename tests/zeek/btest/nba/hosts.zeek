# @TEST-DOC: Sessions count that come from a local host, or from no address but a known MAC.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker not_hosts.pcap
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: compare-stderr
