##! Sends each host's sessions, the names that it asked for and what it announced to its worker, in numbered and acknowledged batches.

@load base/utils/hash_hrw
@load base/utils/site
@load ./main
@load ./roles

module NBA;

export {
	## The networks whose addresses are hosts to identify. If empty, those in
	## :zeek:see:`Site::local_nets`. 0.0.0.0 and :: always count, but only with a MAC address;
	## multicast, broadcast and loopback addresses never do.
	option hosts: set[subnet] = {};

	## MAC addresses of routers, in lower case; their sessions belong to many hosts. The MAC
	## address of a session decides its partition, so that a host stays with one worker whatever
	## its addresses. If the session comes through a router or has no MAC address, the MAC address
	## in its IPv6 address (EUI-64) decides, else its address. Only used with
	## :zeek:see:`NBA::partitions`, and const for the same reason.
	const routers: set[string] = {} &redef;

	## A batch is sent when it has this many sessions, or this many names have come with it.
	option batch_size = 256;

	## A batch is sent when its first session has waited this long.
	option flush_interval = 100msecs;

	## After this much silence an empty batch is sent, so that the worker knows the time.
	option heartbeat_interval = 250msecs;

	## While this many batches of a partition wait for an acknowledgement, its sessions and
	## names are skipped and counted. A slow worker costs sessions, but neither memory nor packets.
	option max_unacked = 64;

	## Called after a batch has been published.
	##
	## unacked: How many batches of its partition now wait for an acknowledgement.
	global batch_sent: hook(unacked: count);
}

# Half of the shortest interval above: a batch is never later than this.
const tick_interval = 50msecs;

# After a packet from the future, Zeek's clock stands still and there are no ticks. Sessions that
# are this much behind the clock give the time instead. No session is held back for so long.
const clock_leap = 1hr;

# The largest batch that a worker accepts, whatever the option says.
const max_batch_size = 65536;

# The lowest bit of the first byte marks a MAC address of a group; an interface without a MAC
# address has only zeros.
const no_mac = /^.[13579bdf]:|^00(:00){5}$/;

# After Zeek has reversed the direction of a broadcast, this is the originator.
const broadcast_mac = "ff:ff:ff:ff:ff:ff";

const never_hosts: set[subnet] = {
	0.0.0.0/32,
	[::]/128,
	127.0.0.0/8,
	224.0.0.0/4,
	255.255.255.255/32,
	[::1]/128,
	[ff00::]/8
};

# Those of never_hosts that a host uses until it has an address: its MAC address identifies it.
const no_address: set[addr] = {
	0.0.0.0,
	[::]
};

type Batch: record {
	ts: vector of double;
	host: vector of addr;
	uid: vector of string;
	mac: vector of string;
	dst: vector of addr;
	dport: vector of port;
	# Shorter than the others, or empty, if the last sessions, or all, have none.
	vlan: vector of string;
};

# Answers to DNS queries, which are sent just before the sessions since then, with their number: the
# worker knows a name before the session for which it was asked.
type NameBatch: record {
	ts: vector of double;
	host: vector of addr;
	name: vector of string;
	address: vector of addr;
	ttl: vector of double;
	# As that of sessions.
	vlan: vector of string;
};

# What hosts announced of themselves, which is sent with the next batch.
type AnnouncementBatch: record {
	ts: vector of double;
	host: vector of addr;
	what: vector of string;
	vlan: vector of string;
};

# What is sent to the worker of one partition.
type Share: record {
	partition: count;
	run: string;
	batch: Batch;
	names: NameBatch;
	announcements: AnnouncementBatch;
	# When the first of them came.
	batch_began: time &default=double_to_time(0.0);
	# Whether Zeek's clock was far ahead of the batch's first session.
	clock_stands: bool &default=F;
	last_sent_at: time &default=double_to_time(0.0);
	last_seq: count &default=0;
	acked_seq: count &default=0;
	seen_sessions: count &default=0;
	sent_sessions: count &default=0;
	skipped_sessions: count &default=0;
	seen_names: count &default=0;
	sent_names: count &default=0;
	skipped_names: count &default=0;
	invalid_names: count &default=0;
};

# By partition; empty while the package is not active.
global shares: vector of Share;

# With this hashing, another number of partitions moves as few hosts as possible.
global partition_pool = HashHRW::Pool();

# The MAC address that an IPv6 address was made from, or an empty string.
function eui64_mac(a: addr): string
	{
	if ( is_v4_addr(a) )
		return "";

	local parts = addr_to_counts(a);
	local high = parts[2];
	local low = parts[3];

	if ( high % 256 != 0xff || low / 16777216 != 0xfe )
		return "";

	# EUI-64 inverts the second bit of the first byte.
	local first = ( high / 16777216 ) ^ 2;

	if ( first % 2 == 1 )
		return "";

	return fmt("%02x:%02x:%02x:%02x:%02x:%02x", first, high / 65536 % 256, high / 256 %
	    256, low / 65536 % 256, low / 256 % 256, low % 256);
	}

# Depends only on the session itself, so that all sensors agree, also after a restart, without
# talking to each other. Leases do not matter here for the same reason.
function partition_for(host: addr, mac: string): count
	{
	local key = mac;

	if ( key == "" || key in routers )
		key = eui64_mac(host);

	if ( key == "" )
		key = cat(host);

	return HashHRW::get_site(partition_pool, key)$id;
	}

function unacked_batches(share: Share): count
	{
	return share$last_seq - share$acked_seq;
	}

# How many sessions and names wait to be sent.
function waiting_rows(share: Share): count
	{
	return |share$batch$ts| + |share$names$ts|;
	}

# Makes a column of VLANs as long as the others.
function fill_vlans(vlan: vector of string, rows: count)
	{
	while ( |vlan| < rows )
		vlan += "";
	}

# Adds the VLAN of one more row than there are.
function add_vlan(c: connection, vlan: vector of string, rows: count)
	{
	fill_vlans(vlan, rows);
	vlan += c?$inner_vlan ? fmt("%d.%d", c$vlan, c$inner_vlan) : cat(c$vlan);
	}

# Whether an address is that of a host to identify.
function is_local_host(host: addr): bool
	{
	return host !in never_hosts
	    && host in ( |hosts| > 0 ? hosts : Site::local_nets );
	}

# The originator's MAC address, lower case as Zeek prints it; an empty string without one.
function originator_mac(c: connection): string
	{
	local mac = c$orig?$l2_addr ? c$orig$l2_addr : "";
	return no_mac in mac ? "" : mac;
	}

function send_names(share: Share, until: double)
	{
	local batch = share$names;
	share$sent_names += |batch$ts|;

	if ( |batch$vlan| > 0 )
		fill_vlans(batch$vlan, |batch$ts|);

	Cluster::publish(fmt("%s%d/", names_topic_prefix, share$partition), NBA::names,
	    this_node, share$run, share$last_seq, share$sent_names,
	    share$skipped_names, until, batch$ts, batch$host, batch$name,
	    batch$address, batch$ttl, batch$vlan);

	share$names = NameBatch();
	}

function send_announcements(share: Share)
	{
	local batch = share$announcements;
	Cluster::publish(fmt("%s%d/", announced_topic_prefix, share$partition),
	    NBA::announced, this_node, batch$ts, batch$host, batch$what,
	    batch$vlan);
	share$announcements = AnnouncementBatch();
	}

function send_batch(share: Share, now: time)
	{
	local batch = share$batch;
	local until = time_to_double(all_reported_until(now));

	++share$last_seq;
	share$sent_sessions += |batch$ts|;
	share$last_sent_at = network_time();

	if ( |share$names$ts| > 0 )
		send_names(share, until);

	# Also an empty batch brings them, but no worker that does not keep up.
	if ( |share$announcements$ts| > 0
	    && ( unacked_batches(share) <= max_unacked || offline ) )
		send_announcements(share);

	if ( |batch$vlan| > 0 )
		fill_vlans(batch$vlan, |batch$ts|);

	Cluster::publish(fmt("%s%d/", sessions_topic_prefix, share$partition),
	    NBA::sessions, this_node, share$run, share$last_seq,
	    share$sent_sessions, share$skipped_sessions, until, batch$ts,
	    batch$host, batch$uid, batch$mac, batch$dst, batch$dport,
	    batch$vlan);

	share$batch = Batch();
	hook batch_sent(unacked_batches(share));
	}

function flush_batch(share: Share)
	{
	if ( waiting_rows(share) == 0 )
		return;

	# While a capture is read, packets wait and no session is skipped: see pcap.zeek.
	if ( ! worker_lives(share$partition)
	    || ( unacked_batches(share) >= max_unacked && ! offline ) )
		{
		share$skipped_sessions += |share$batch$ts|;
		share$skipped_names += |share$names$ts|;
		share$batch = Batch();
		share$names = NameBatch();
		return;
		}

	send_batch(share, network_time());
	}

function flush_batches()
	{
	for ( i in shares )
		flush_batch(shares[i]);
	}

# A sensor runs this for every session, so it is one function.
function report_session(c: connection)
	{
	local host = c$id$orig_h;
	# Zeek prints MAC addresses in lower case.
	local mac = c$orig?$l2_addr ? c$orig$l2_addr : "";

	if ( no_mac in mac )
		{
		if ( mac == broadcast_mac )
			return;

		mac = "";
		}

	if ( ! is_local_host(host) )
		if ( mac == "" || host !in no_address )
			return;

	local share = shares[partitions == 1 ? 0 : partition_for(host, mac)];
	local batch = share$batch;
	local waiting_sessions = |batch$ts| + 1;

	if ( waiting_sessions == 1 )
		{
		local now = network_time();
		share$clock_stands = ! offline && now - c$start_time > clock_leap;

		if ( |share$names$ts| == 0 )
			share$batch_began = now;
		}

	# VLAN 0 only carries a frame's priority.
	if ( c?$vlan && c$vlan != 0 )
		add_vlan(c, batch$vlan, waiting_sessions - 1);

	++share$seen_sessions;
	batch$ts += time_to_double(c$start_time);
	batch$host += host;
	batch$uid += c$uid;
	batch$mac += mac;
	batch$dst += c$id$resp_h;
	batch$dport += c$id$resp_p;

	if ( waiting_sessions >= batch_size
	    || waiting_sessions >= max_batch_size
	    || ( share$clock_stands && c$start_time - double_to_time(batch$ts[0]) >= flush_interval ) )
		flush_batch(share);
	}

event NBA::tick()
	{
	local now = network_time();

	for ( i in shares )
		{
		local share = shares[i];

		if ( waiting_rows(share) > 0 && now - share$batch_began >= flush_interval )
			flush_batch(share);

		# An empty batch ignores max_unacked: if the last batches were lost, its
		# acknowledgement restarts the flow.
		if ( waiting_rows(share) == 0
		    && now - share$last_sent_at >= heartbeat_interval
		    && worker_lives(share$partition) )
			send_batch(share, now);
		}

	schedule tick_interval { NBA::tick() };
	}

# After it is known whether the package is active.
event zeek_init() &priority=9
	{
	while ( active && |shares| < partitions )
		{
		local partition = |shares|;
		shares += Share($partition=partition, $run=name_in(partition, this_run));
		HashHRW::add_site(partition_pool, HashHRW::Site($id=partition));
		}
	}

event zeek_init()
	{
	if ( ! active || ! is_sensor )
		return;

	Cluster::subscribe(ack_topic_prefix + this_node + "/");

	# Offline, full batches suffice: nothing waits for them, and time jumps with the packets.
	if ( ! offline )
		schedule tick_interval { NBA::tick() };
	}

event zeek_done()
	{
	release_sessions();
	flush_batches();
	}

hook worker_joined(worker: string)
	{
	local partition = partition_of(worker);

	if ( partition >= |shares| )
		return;

	# This worker does not acknowledge the batches of an earlier one.
	shares[partition]$acked_seq = shares[partition]$last_seq;
	}

event NBA::ack(node: string, run: string, seq: count)
	{
	local partition = partition_of(run);

	if ( node != this_node || partition >= |shares| )
		return;

	local share = shares[partition];

	# Counts underflow: a number that is too high would make unacked_batches() huge.
	if ( run != share$run || seq <= share$acked_seq || seq > share$last_seq )
		return;

	share$acked_seq = seq;
	}
