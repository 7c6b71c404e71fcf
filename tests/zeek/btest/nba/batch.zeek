# @TEST-DOC: A batch has a row for each session start: IPv4, IPv6, ICMP, without an address, without a MAC.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker kinds.pcap
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: compare-stderr
