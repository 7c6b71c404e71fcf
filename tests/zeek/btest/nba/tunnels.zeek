# @TEST-DOC: Of a tunnel the sessions inside count, and none of its ends, whatever it carries.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker tunnels.pcap
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: compare-stderr
