# @TEST-DOC: An acknowledgement of another node or run, or of a batch never sent or done before, is ignored.
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
	if ( unacked != 6 )
		return;

	event NBA::ack(NBA::this_node, NBA::this_run, 4);
	event NBA::ack(NBA::this_node, NBA::this_run, 2);
	event NBA::ack(NBA::this_node, NBA::this_run, 1000);
	event NBA::ack(NBA::this_node, "another run", 6);
	event NBA::ack("another node", NBA::this_run, 6);
	}
