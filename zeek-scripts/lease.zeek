##! Sends DHCP leases to all workers.

@load base/protocols/dhcp
@load ./devices
@load ./main

module NBA;

# Printable text in UTF-8.
const printable_utf8 = /([\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*/;

function client_name(rec: DHCP::Info): string
	{
	local name = rec?$host_name ? rec$host_name : ( rec?$client_fqdn ?
	    rec$client_fqdn : "" );

	# A name may have any bytes, and Zeek's JSON does not change them. A control character makes
	# a message unreadable, and invalid UTF-8 disconnects the client.
	return name == printable_utf8 ? name : escape_string(name);
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

	if ( any_worker_lives() )
		Cluster::publish(lease_topic, NBA::lease, time_to_double(rec$ts),
		    rec$assigned_addr, rec$mac, client_name(rec));
	}
