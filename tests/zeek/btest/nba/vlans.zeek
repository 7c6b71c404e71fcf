# @TEST-DOC: A session comes with the VLANs of its frames; a priority alone is no VLAN.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker vlans.pcap
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: compare-stderr
