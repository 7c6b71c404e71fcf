##! Sends the start of every host's session to the worker, in numbered and acknowledged batches.

@load base/utils/site
@load ./main

module NBA;

export {
	## The networks whose addresses are hosts to be identified. If empty, those in
	## :zeek:see:`Site::local_nets`. 0.0.0.0 and :: count whatever this says, but only with a MAC
	## address; multicast, broadcast and loopback addresses never do.
	option hosts: set[subnet] = {};

	## A batch goes out when it holds this many sessions.
	option batch_size = 256;

	## A batch goes out when its first session has waited this long.
	option flush_interval = 100msecs;

	## After this much silence an empty batch goes out, so that the worker knows the time.
	option heartbeat_interval = 250msecs;

	## While this many batches wait for an acknowledgement, sessions are skipped and counted:
	## a slow worker costs sessions, never memory or packets.
	option max_unacked = 64;

	## Called after a batch has been published.
	##
	## unacked: How many batches now wait for an acknowledgement.
	global batch_sent: hook(unacked: count);
}

# Half of the shortest time to keep: a due batch is never more than this late.
const tick_interval = 50msecs;

# What a worker takes at most, whatever the option says.
const max_batch_size = 65536;

# The first byte's lowest bit says that a MAC address is no single interface's; an interface
# without one has only zeros.
const no_mac = /^.[13579bdf]:|^00(:00){5}$/;

# Where Zeek has turned a broadcast round, its originator is everybody.
const broadcast_mac = "ff:ff:ff:ff:ff:ff";

const never_hosts: set[subnet] = {
	127.0.0.0/8,
	224.0.0.0/4,
	255.255.255.255/32,
	[::1]/128,
	[ff00::]/8
};

type Batch: record {
	ts: vector of double;
	host: vector of addr;
	uid: vector of string;
	mac: vector of string;
	dst: vector of addr;
	dport: vector of port;
};

global batch = Batch();
global batch_began = double_to_time(0.0);
global last_sent_at = double_to_time(0.0);

global last_seq = 0;
global acked_seq = 0;
global seen_sessions = 0;
global sent_sessions = 0;
global skipped_sessions = 0;

function is_host(a: addr, mac: string): bool
	{
	if ( a == 0.0.0.0 || a == [::] )
		return mac != "";

	if ( a in never_hosts )
		return F;

	return |hosts| > 0 ? a in hosts : Site::is_local_addr(a);
	}

function unacked_batches(): count
	{
	return last_seq - acked_seq;
	}

function send_batch(now: time)
	{
	++last_seq;
	sent_sessions += |batch$ts|;
	last_sent_at = network_time();

	Cluster::publish(sessions_topic, NBA::sessions, this_node, this_run, last_seq,
	    sent_sessions, skipped_sessions, time_to_double(now), batch$ts,
	    batch$host, batch$uid, batch$mac, batch$dst, batch$dport);

	batch = Batch();
	hook batch_sent(unacked_batches());
	}

function flush_batch()
	{
	if ( |batch$ts| == 0 )
		return;

	# Packets that can wait make nothing be skipped: see pcap.zeek.
	if ( ! worker_lives() || ( unacked_batches() >= max_unacked && ! offline ) )
		{
		skipped_sessions += |batch$ts|;
		batch = Batch();
		return;
		}

	send_batch(network_time());
	}

event new_connection(c: connection)
	{
	if ( ! active )
		return;

	# Zeek prints MAC addresses in lower case.
	local mac = c$orig?$l2_addr ? c$orig$l2_addr : "";

	if ( mac == broadcast_mac )
		return;

	if ( no_mac in mac )
		mac = "";

	if ( ! is_host(c$id$orig_h, mac) )
		return;

	if ( |batch$ts| == 0 )
		batch_began = network_time();

	++seen_sessions;
	batch$ts += time_to_double(c$start_time);
	batch$host += c$id$orig_h;
	batch$uid += c$uid;
	batch$mac += mac;
	batch$dst += c$id$resp_h;
	batch$dport += c$id$resp_p;

	if ( |batch$ts| >= batch_size || |batch$ts| >= max_batch_size )
		flush_batch();
	}

event NBA::tick()
	{
	local now = network_time();

	if ( |batch$ts| > 0 && now - batch_began >= flush_interval )
		flush_batch();

	# An empty batch ignores max_unacked: were the last batches lost, its acknowledgement
	# is the one that gets things going again.
	if ( |batch$ts| == 0
	    && now - last_sent_at >= heartbeat_interval
	    && worker_lives() )
		send_batch(now);

	schedule tick_interval { NBA::tick() };
	}

event zeek_init()
	{
	if ( ! active || ! is_sensor )
		return;

	Cluster::subscribe(ack_topic_prefix + this_node + "/");

	# Offline, full batches suffice: nobody waits, and packets make time jump.
	if ( ! offline )
		schedule tick_interval { NBA::tick() };
	}

event zeek_done()
	{
	flush_batch();
	}

hook worker_joined(worker: string)
	{
	# What an earlier worker has not acknowledged, this one never will.
	acked_seq = last_seq;
	}

event NBA::ack(node: string, run: string, seq: count)
	{
	if ( node != this_node || run != this_run )
		return;

	# Counts underflow: one that is too high would make unacked_batches() huge.
	if ( seq <= acked_seq || seq > last_seq )
		return;

	acked_seq = seq;
	}
