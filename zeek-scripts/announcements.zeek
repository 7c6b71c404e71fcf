##! Sends what hosts announce of themselves by mDNS: types of services, and models.

@load base/protocols/dns
@load ./main
@load ./names
@load ./sessions

module NBA;

export {
	## Whether announcements are sent. Without them hints of what an unknown host may be rest on
	## other facts.
	option report_announcements = T;
}

# Where hosts announce. The sender of such a packet speaks of itself; what is sent to one host
# alone may be in a connection that another one began.
const announcement_groups: set[addr] = {
	224.0.0.251,
	[ff02::fb]
};

# RFC 6762: other ports are to be ignored.
const announcement_port = 5353/udp;

# The instances that are in the answer to a query for a type of services (RFC 6763).
const service_instance = /(.*\.)?_[a-z0-9_-]+\._(tcp|udp)\.local\.?/i;

# What descriptions say of model, maker and kind (HomeKit: md, ci; printers: ty).
const described = /(md|ty|model|vendor|manufacturer|ci)=.+/i;

# Descriptions may have any bytes, and Zeek's JSON does not change them.
const plain_text = /[\x20-\x7e]+/;
const max_announcement = 128;

# Different announcements of a host that are sent within announced_for.
const max_announcements = 32;

# Hosts that are remembered. If there are more, all are forgotten, so that made-up ones keep no other
# from being heard.
const max_announcers = 4096;

# What a host announces changes seldom, and is sent once in this time.
const announced_for = 12hrs;

# What was sent, by address and VLAN.
global announced_before: table[addr, string] of set[string]
    &create_expire=announced_for;

function report_announcement(c: connection, what: string)
	{
	if ( |what| > max_announcement || what != plain_text )
		return;

	local host = c$id$orig_h;
	local vlan: vector of string;

	if ( c?$vlan && c$vlan != 0 )
		add_vlan(c, vlan, 0);

	local place = |vlan| > 0 ? vlan[0] : "";

	if ( [host, place] !in announced_before )
		{
		if ( |announced_before| >= max_announcers )
			clear_table(announced_before);

		announced_before[host, place] = set();
		}

	local before = announced_before[host, place];

	if ( what in before || |before| >= max_announcements )
		return;

	local batch = shares[partitions == 1 ? 0 : partition_for(host, originator_mac(
	    c))]$announcements;

	# More wait for the worker than one batch takes: the host will announce it again.
	if ( |batch$ts| >= max_batch_size || |batch$ts| >= batch_size )
		return;

	add before[what];
	batch$ts += time_to_double(network_time());
	batch$host += host;
	batch$what += what;
	batch$vlan += place;
	}

# Whether a host says this of itself. A query may list the answers of others (RFC 6762, 7.1).
function is_announcement(c: connection, msg: dns_msg, ans: dns_answer): bool
	{
	return active
	    && report_announcements
	    && c$id$resp_h in announcement_groups
	    && c$id$resp_p == announcement_port
	    && c$id$orig_p == announcement_port
	    && msg$QR
	    && msg$AA
	    && msg$opcode == standard_query
	    && ( ans$answer_type == DNS_ANS || ans$answer_type == DNS_ADDL )
	    && is_local_host(c$id$orig_h);
	}

event dns_PTR_reply(c: connection, msg: dns_msg, ans: dns_answer, name: string)
	{
	if ( ! is_announcement(c, msg, ans) || name != service_instance )
		return;

	local labels = split_string(name, /\./);
	local last = |labels| - ( ends_with(name, ".") ? 2 : 1 );
	report_announcement(c, to_lower(fmt("%s.%s", labels[last - 2], labels[last -
	    1])));
	}

event dns_TXT_reply(c: connection, msg: dns_msg, ans: dns_answer,
    strs: string_vec)
	{
	if ( ! is_announcement(c, msg, ans) )
		return;

	for ( i in strs )
		{
		local text = strs[i];

		if ( text != described )
			next;

		local equals = strstr(text, "=");
		report_announcement(c, to_lower(sub_bytes(text, 1, equals - 1)) + sub_bytes(
		    text, equals, |text|));
		}
	}

# This worker may not know what an earlier one was told.
hook worker_joined(worker: string)
	{
	clear_table(announced_before);
	}
