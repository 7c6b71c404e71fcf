##! Stands in for the worker: joins a Zeek that reads a capture, prints what arrives, acknowledges it.

@load ./sockets
@load base/utils/numbers

module Worker;

export {
	## How long to think about each batch.
	const delay = 0secs &redef;

	## What of a batch to print beside its numbers.
	const print_sessions = T &redef;
	const print_clock = F &redef;
}

event Worker::join()
	{
	Cluster::publish(NBA::hello_topic, NBA::hello, "btest");
	schedule 1sec { Worker::join() };
	}

event Worker::acknowledge(node: string, run: string, seq: count, last: bool)
	{
	Cluster::publish(NBA::ack_topic_prefix + node + "/", NBA::ack, node, run, seq);

	if ( last )
		terminate();
	}

event zeek_init()
	{
	Cluster::subscribe(NBA::sessions_topic_prefix);
	Cluster::subscribe(NBA::names_topic_prefix);
	Cluster::subscribe(NBA::announced_topic_prefix);
	Cluster::subscribe(NBA::lease_topic);
	# Not at once: a hello may be faster than the subscriptions.
	schedule 500msecs { Worker::join() };
	}

event NBA::sessions(node: string, run: string, seq: count, sent: count,
    skipped: count, now: double, ts: vector of double, host: vector of addr,
    uid: vector of string, mac: vector of string, dst: vector of addr,
    dport: vector of port, vlan: vector of string)
	{
	print fmt("%s batch %d: %d sessions, sent %d, skipped %d%s", node, seq, |ts|,
	    sent, skipped, print_clock ? fmt(", all until %.6f", now) : "");

	if ( print_sessions )
		for ( i in ts )
			print fmt("  %.6f %s %s %s %s %s%s", ts[i], host[i], mac[i] == "" ? "-" :
			    mac[i], dst[i], dport[i], uid[i] ==
			    /C[0-9A-Za-z]+/, |vlan| == 0 ? "" : fmt(" VLAN \"%s\"",
			    vlan[i]));

	# A batch without sessions begins a capture, and another ends it.
	local last = seq > 1 && |ts| == 0;

	if ( delay == 0secs )
		event Worker::acknowledge(node, run, seq, last);
	else
		schedule delay { Worker::acknowledge(node, run, seq, last) };
	}

event NBA::names(node: string, run: string, seq: count, sent: count,
    skipped: count, now: double, ts: vector of double, host: vector of addr,
    name: vector of string, address: vector of addr, ttl: vector of double,
    vlan: vector of string)
	{
	print fmt("%s names of batch %d: %d, sent %d, skipped %d", node, seq, |ts|,
	    sent, skipped);

	if ( print_sessions )
		for ( i in ts )
			print fmt("  %.6f %s %s %s %.0f%s", ts[i], host[i], name[i],
			    address[i], ttl[i], |vlan| == 0 ? "" : fmt(
			    " VLAN \"%s\"", vlan[i]));
	}

event NBA::announced(node: string, ts: vector of double, host: vector of addr,
    what: vector of string, vlan: vector of string)
	{
	print fmt("%s announced: %d", node, |ts|);

	for ( i in ts )
		print fmt("  %.6f %s %s%s", ts[i], host[i], what[i], vlan[i] == "" ? "" :
		    fmt(" VLAN \"%s\"", vlan[i]));
	}

event NBA::lease(ts: double, ip: addr, mac: string, hostname: string,
    vendor_class: string, params: vector of count)
	{
	print fmt("lease %.6f %s %s %s \"%s\" %s", ts, ip, mac, hostname, vendor_class,
	    params);
	}
