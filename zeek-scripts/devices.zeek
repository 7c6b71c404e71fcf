##! Remembers on every node which device each address is.

@load ./main

module NBA;

export {
	## How many addresses :zeek:see:`NBA::device_of` remembers. Those with the oldest verdicts
	## are forgotten first.
	option max_devices = 100000;

	## How long after its last verdict :zeek:see:`NBA::device_of` remembers a host.
	const device_timeout = 7days &redef;

	## Which device a host is. Works on every node.
	##
	## host: The host's address.
	##
	## Returns: The name of the device, or an empty string if it is not known.
	global device_of: function(host: addr): string;
}

# Longest name or other text from the wire, in bytes.
const max_text = 256;

type Device: record {
	name: string;
	# The host's MAC address; empty if unknown, and on nodes other than the manager.
	mac: string;
	# The place of its verdict in their order.
	turn: count;
};

global device_expired: function(t: table[addr] of Device, host: addr): interval;

global devices: table[addr] of Device &write_expire=device_timeout
    &expire_func=device_expired;

# By turn; the lowest turn that may be in use, and the next one.
global verdict_order: table[count] of addr;
global oldest_turn = 0;
global next_turn = 0;

# By MAC address. A host has many IPv6 addresses, and they do not move to other hosts.
global ipv4_of: table[string] of addr;

# The MAC address that DHCP has leased an address to.
global client_of: table[addr] of string &write_expire=device_timeout;

function device_of(host: addr): string
	{
	return host in devices ? devices[host]$name : "";
	}

# Everything that is kept beside the device itself.
function unlink_device(host: addr, known: Device)
	{
	delete verdict_order[known$turn];

	if ( known$mac in ipv4_of && ipv4_of[known$mac] == host )
		delete ipv4_of[known$mac];
	}

function device_expired(t: table[addr] of Device, host: addr): interval
	{
	unlink_device(host, t[host]);
	return 0secs;
	}

function forget_here(host: addr)
	{
	if ( host !in devices )
		return;

	unlink_device(host, devices[host]);
	delete devices[host];
	}

function make_room()
	{
	while ( |devices| >= max_devices && |devices| > 0 )
		{
		while ( oldest_turn !in verdict_order )
			++oldest_turn;

		forget_here(verdict_order[oldest_turn]);
		}
	}

function remember_here(host: addr, device: string, mac: string)
	{
	forget_here(host);
	make_room();
	devices[host] = Device($name=device, $mac=mac, $turn=next_turn);
	verdict_order[next_turn] = host;
	++next_turn;

	if ( mac != "" && is_v4_addr(host) )
		ipv4_of[mac] = host;
	}

function tell_others(host: addr, device: string)
	{
	if ( Cluster::is_enabled() )
		Cluster::publish(device_topic, NBA::device_is, host, device);
	}

function forget_device(host: addr)
	{
	if ( host !in devices )
		return;

	forget_here(host);
	tell_others(host, "");
	}

# Called for a verdict.
function remember_device(host: addr, device: string, mac: string)
	{
	# A host that has moved has left its former address.
	if ( is_v4_addr(host) && mac in ipv4_of && ipv4_of[mac] != host )
		forget_device(ipv4_of[mac]);

	if ( device == "" )
		{
		forget_device(host);
		return;
		}

	remember_here(host, device, mac);
	tell_others(host, device);
	}

# Called for a lease, which comes earlier than the next verdict.
function move_device(host: addr, client: string)
	{
	local former_client = host in client_of ? client_of[host] : "";

	if ( host in client_of || |client_of| < max_devices )
		client_of[host] = client;

	# Behind a repeater a host's packets have another MAC address than its lease. A renewal of
	# the lease does not mean that the host has changed.
	if ( client == former_client )
		return;

	if ( host in devices
	    && devices[host]$mac != client
	    && ( former_client != "" || devices[host]$mac != "" ) )
		forget_device(host);

	if ( is_v4_addr(host) && client in ipv4_of && ipv4_of[client] != host )
		remember_device(host, devices[ipv4_of[client]]$name, client);
	}

event NBA::device_is(host: addr, device: string)
	{
	if ( is_manager || |device| > max_text )
		return;

	if ( device == "" )
		forget_here(host);
	else
		remember_here(host, device, "");
	}

event zeek_init()
	{
	if ( active && ! is_manager )
		Cluster::subscribe(device_topic);
	}
