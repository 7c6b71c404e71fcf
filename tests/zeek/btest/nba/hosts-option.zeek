# @TEST-DOC: NBA::hosts replaces the local networks as the networks of hosts.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker not_hosts.pcap %INPUT
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: compare-stderr

redef NBA::hosts = {8.8.8.0/24};
