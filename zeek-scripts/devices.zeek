##! Knows which device each address is, on every node.

@load ./main

module NBA;

export {
	## For how many addresses :zeek:see:`NBA::device_of` remembers the device; those with the
	## oldest verdicts are forgotten first.
	option max_devices = 100000;

	## For how long after its last verdict :zeek:see:`NBA::device_of` remembers a host.
	const device_timeout = 7days &redef;

	## Which device a host is. Works on every node.
	##
	## host: The host's address.
	##
	## Returns: The name of the device, or an empty string if it is not known.
	global device_of: function(host: addr): string;
}

# What a name or any other text from the wire may have, in bytes.
const max_text = 256;

type Device: record {
	name: string;
	# The host's; empty if unknown, and on nodes other than the manager.
	mac: string;
	# Its place in the order of verdicts.
	turn: count;
};

global device_expired: function(t: table[addr] of Device, host: addr): interval;

global devices: table[addr] of Device &write_expire=device_timeout
    &expire_func=device_expired;

# By turn, with the lowest one that may be there and the next to give.
global verdict_order: table[count] of addr;
global oldest_turn = 0;
global next_turn = 0;

# By MAC address. Of IPv6 addresses a host has many, and nobody else gets them.
global ipv4_of: table[string] of addr;

# The MAC address of whom DHCP has lent an address to.
global client_of: table[addr] of string &write_expire=device_timeout;

function device_of(host: addr): string
	{
	return host in devices ? devices[host]$name : "";
	}

# All that is kept of a device beside itself.
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

# What a verdict says.
function remember_device(host: addr, device: string, mac: string)
	{
	# A host that has moved is at its former address no more.
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

# What a lease says, which nobody has to wait for a verdict to know.
function move_device(host: addr, client: string)
	{
	local former_client = host in client_of ? client_of[host] : "";

	if ( host in client_of || |client_of| < max_devices )
		client_of[host] = client;

	# Behind a repeater a host's packets come with another MAC address than its lease, again and
	# again: that of a renewal tells nothing new.
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
