# @TEST-DOC: Sessions that are far behind Zeek's own clock, which stands still after a packet from the future, do not wait for a full batch.
#
# @TEST-EXEC: zeek --pseudo-realtime -r $TRACES/kinds.pcap $PACKAGE %INPUT >sent
# @TEST-EXEC: btest-diff sent
# @TEST-EXEC: compare-stderr

module NBA;

# Never.
redef heartbeat_interval = 100000days;

global begun = F;

hook batch_sent(unacked: count)
	{
	if ( unacked <= 4 )
		print fmt("batch %d", unacked);
	}

event zeek_init()
	{
	event NBA::hello("btest");
	}

event new_connection(c: connection) &priority=100
	{
	if ( begun )
		return;

	begun = T;

	local session = copy(c);
	session$id$orig_h = 192.168.1.10;
	session$start_time = session$start_time - 1day;

	for ( i in vector(1, 2, 3, 4, 5, 6) )
		{
		print fmt("session %d", i + 1);
		report_session(session);
		session$start_time = session$start_time + 60msecs;
		}
	}
