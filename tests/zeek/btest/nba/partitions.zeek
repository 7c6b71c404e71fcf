# @TEST-DOC: The sessions of a partition with a worker are sent, numbered by themselves, and those of others skipped.
#
# @TEST-EXEC: zeek --pseudo-realtime -r $TRACES/kinds.pcap $PACKAGE %INPUT
# @TEST-EXEC: zeek-cut kind partition seen sent skipped unacked <nba_stats.log | grep sensor | tail -n 3 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

redef NBA::partitions = 3;
redef NBA::batch_size = 1;

# Never.
redef NBA::heartbeat_interval = 100000days;

event zeek_init()
	{
	event NBA::hello("btest/1");
	}
