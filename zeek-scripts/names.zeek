##! Sends the names that hosts asked the DNS for, and the addresses that they stand for.

@load base/protocols/dns
@load base/utils/site
@load ./main
@load ./sessions

module NBA;

export {
	## Whether names are sent. Without them the worker shows destinations by address and
	## organisation alone.
	option report_names = T;
}

# NetBIOS, mDNS and LLMNR: their answers tell everybody where one of the neighbours is. Zeek's versions
# differ in how they match mDNS answers to queries.
const neighbour_ports: set[port] = {
	137/udp,
	5353/udp,
	5355/udp,
	5355/tcp
};

# Names may have any bytes, and Zeek's JSON does not change them: invalid UTF-8 would disconnect the
# worker. Hosts ask for names of letters, digits, hyphens and underscores.
const usual_name = /[\x21-\x7e]+/;
const max_name = 255;

# The other operations of the DNS announce changes to servers.
const standard_query = 0;

function report_name(c: connection, msg: dns_msg, ans: dns_answer, a: addr)
	{
	if ( ! active
	    || ! report_names
	    || ! msg$QR
	    || msg$opcode != standard_query
	    || msg$rcode != 0
	    || ans$answer_type != DNS_ANS
	    || ! c?$dns
	    || ! c$dns?$query )
		return;

	if ( c$id$resp_p in neighbour_ports || c$id$orig_p in neighbour_ports )
		return;

	local host = c$id$orig_h;

	if ( ! is_local_host(host) )
		return;

	local share = shares[partitions == 1 ? 0 : partition_for(host, originator_mac(
	    c))];
	# The name that was asked for: a CNAME (ans$query) is only on the way to the address.
	local name = c$dns$query;

	if ( name != usual_name || |name| > max_name )
		{
		++share$invalid_names;
		return;
		}

	local batch = share$names;
	local waiting_names = |batch$ts| + 1;
	local now = network_time();

	if ( waiting_names == 1 && |share$batch$ts| == 0 )
		share$batch_began = now;

	if ( c?$vlan && c$vlan != 0 )
		add_vlan(c, batch$vlan, waiting_names - 1);

	++share$seen_names;
	batch$ts += time_to_double(now);
	batch$host += host;
	batch$name += name;
	batch$address += a;
	batch$ttl += interval_to_double(ans$TTL);

	if ( waiting_names >= batch_size || waiting_names >= max_batch_size )
		flush_batch(share);
	}

event dns_A_reply(c: connection, msg: dns_msg, ans: dns_answer, a: addr)
	{
	report_name(c, msg, ans, a);
	}

event dns_AAAA_reply(c: connection, msg: dns_msg, ans: dns_answer, a: addr)
	{
	report_name(c, msg, ans, a);
	}
