##! Sends DHCP leases to all workers.

@load base/protocols/dhcp
@load ./devices
@load ./main

module NBA;

# Not logged: dhcp.log keeps its columns.
redef record DHCP::Info += {
	nba_vendor_class: string &optional;
	nba_params: vector of count &optional;
};

const boot_request = 1; # the op of a client's message (RFC 2131)

# Printable text in UTF-8.
const printable_utf8 = /([\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*/;

# A client's text may have any bytes, and Zeek's JSON does not change them. A control character makes
# a message unreadable, and invalid UTF-8 disconnects the client.
function client_text(text: string): string
	{
	if ( text == printable_utf8 && |text| <= max_text )
		return text;

	local escaped = escape_string(text);
	return |escaped| > max_text ? sub_bytes(escaped, 1, max_text) : escaped;
	}

function client_name(rec: DHCP::Info): string
	{
	return client_text(rec?$host_name ? rec$host_name : ( rec?$client_fqdn ?
	    rec$client_fqdn : "" ));
	}

event DHCP::aggregate_msgs(ts: time, id: conn_id, uid: string, is_orig: bool,
    msg: DHCP::Msg, options: DHCP::Options) &priority=5
	{
	if ( ! active || msg$op != boot_request )
		return;

	if ( options?$vendor_class )
		DHCP::log_info$nba_vendor_class = options$vendor_class;
	if ( options?$param_list )
		DHCP::log_info$nba_params = options$param_list;
	}

# An offer is no lease.
function is_lease(rec: DHCP::Info): bool
	{
	if ( ! rec?$assigned_addr || ! rec?$mac || rec$mac == "" )
		return F;

	for ( i in rec$msg_types )
		if ( rec$msg_types[i] == "ACK" )
			return T;

	return F;
	}

event DHCP::log_dhcp(rec: DHCP::Info)
	{
	if ( ! active || ! is_lease(rec) )
		return;

	move_device(rec$assigned_addr, rec$mac);

	if ( ! any_worker_lives() )
		return;

	local vendor_class = rec?$nba_vendor_class ? rec$nba_vendor_class : "";
	local params: vector of count;

	if ( rec?$nba_params )
		params = rec$nba_params;

	Cluster::publish(lease_topic, NBA::lease, time_to_double(rec$ts),
	    rec$assigned_addr, rec$mac, client_name(rec), client_text(
	    vendor_class), params);
	}
