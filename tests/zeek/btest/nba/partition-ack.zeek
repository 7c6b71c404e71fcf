# @TEST-DOC: An acknowledgement frees the batches of its own partition only, and a new worker those of its own.
#
# @TEST-EXEC: zeek --pseudo-realtime -r $TRACES/eight.pcap $PACKAGE %INPUT >freed
# @TEST-EXEC: btest-diff freed
# @TEST-EXEC: compare-stderr

module NBA;

redef partitions = 2;

# Never.
redef heartbeat_interval = 100000days;

function unacked(): string
	{
	return fmt("%d %d", unacked_batches(shares[0]), unacked_batches(shares[1]));
	}

event print_unacked(step: string)
	{
	print fmt("%s: %s", step, unacked());
	}

event begin()
	{
	for ( i in shares )
		for ( n in vector(1, 2, 3) )
			send_batch(shares[i], network_time());

	event print_unacked("sent");
	event NBA::ack(this_node, this_run + "/1", 2);
	event print_unacked("two of partition 1 acknowledged");
	event NBA::ack(this_node, this_run, 1);
	event print_unacked("one of partition 0 acknowledged");
	event NBA::ack(this_node, this_run + "/2", 3);
	event NBA::ack(this_node, "another run/1", 3);
	event print_unacked("others acknowledged");
	event NBA::hello("another/1");
	event print_unacked("a new worker of partition 1");
	}

event zeek_init()
	{
	event NBA::hello("btest");
	event NBA::hello("btest/1");
	event begin();
	}
