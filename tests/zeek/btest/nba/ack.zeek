# @TEST-DOC: An acknowledgement frees the batches up to it.
#
# @TEST-EXEC: replay eight.pcap %INPUT >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

redef NBA::batch_size = 1;

# Never.
redef NBA::heartbeat_interval = 100000days;

event zeek_init()
	{
	event NBA::hello("btest");
	}

hook NBA::batch_sent(unacked: count)
	{
	if ( unacked == 6 )
		event NBA::ack(NBA::this_node, NBA::this_run, 5);
	}
