##! Reports one session, or one name, as often as asked, so that the processor time of each can be measured.

@load base/protocols/dns

module NBA;

export {
	## How many to report.
	const bench_rows = 0 &redef;

	## Whether names are reported; else sessions.
	const bench_names = F &redef;
}

redef heartbeat_interval = 100000days;
redef max_unacked = 1000000000;

global bench_begun = F;

event NBA::bench_report(c: connection)
	{
	# Zeek's versions have different fields.
	local message: dns_msg;
	message$opcode = 0;
	message$rcode = 0;
	message$QR = T;

	local answer = dns_answer($answer_type=DNS_ANS, $query="edge.example.net",
	    $qtype=1, $qclass=1, $TTL=60secs);
	c$dns = DNS::Info($ts=network_time(), $uid=c$uid, $id=c$id, $proto=tcp,
	    $query="fw.example.com");

	local n = 0;

	while ( n < bench_rows )
		{
		if ( bench_names )
			report_name(c, message, answer, 192.0.2.7);
		else
			report_session(c);

		++n;
		}

	terminate();
	}

event new_connection(c: connection) &priority=-10
	{
	if ( bench_begun )
		return;

	bench_begun = T;
	event NBA::hello("bench");
	event NBA::bench_report(c);
	}
