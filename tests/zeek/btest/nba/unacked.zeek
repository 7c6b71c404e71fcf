# @TEST-DOC: With too many batches in flight, sessions are skipped and counted.
#
# @TEST-EXEC: replay eight.pcap %INPUT >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

redef NBA::batch_size = 1;
redef NBA::max_unacked = 3;

# Never.
redef NBA::heartbeat_interval = 100000days;

event zeek_init()
	{
	event NBA::hello("btest");
	}
