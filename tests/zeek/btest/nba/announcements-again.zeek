# @TEST-DOC: A worker that joins is told again what hosts announce.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker announcements.pcap %INPUT
# @TEST-EXEC: grep 10.0.0.1 worker/.stdout | grep -e _hue -e md= >announced
# @TEST-EXEC: btest-diff announced
# @TEST-EXEC: compare-stderr

event dns_message(c: connection, is_orig: bool, msg: dns_msg, len: count)
	{
	if ( time_to_double(network_time()) == 1700000001.0 )
		hook NBA::worker_joined("other");
	}
