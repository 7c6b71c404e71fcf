##! The contract with the worker: the events, their topics, and which workers are there.
##!
##! Events have flat arguments and parallel vectors, because a record would be sent by position.
##! The order of the arguments is an ABI: it changes only together with the event's name.

@load base/frameworks/cluster

module NBA;

export {
	## Sensor to worker: the starts of some sessions, oldest batch first.
	##
	## node: The name of the sensor.
	##
	## run: Unique to the sensor's process and the partition, see :zeek:see:`NBA::partition_of`.
	##
	## seq: The number of this batch; a run starts at 1.
	##
	## sent: How many sessions this run has published, including this batch.
	##
	## skipped: How many sessions this run has seen but not published.
	##
	## now: All sessions that began before this time have been sent. It is the sensor's network
	##      time, or the start of a session whose direction Zeek may still reverse.
	##
	## ts: When each session began.
	##
	## host: Each session's originator.
	##
	## uid: Each session's uid, as in conn.log.
	##
	## mac: The originator's MAC address, lower case; empty if unknown.
	##
	## dst: Each session's responder.
	##
	## dport: The responder's port; for ICMP the code, as in conn.log.
	##
	## vlan: Each session's VLAN, ``outer.inner`` if frames have two tags, empty without a tag;
	##       an empty vector if none of these sessions has one.
	global sessions: event(node: string, run: string, seq: count, sent: count,
	    skipped: count, now: double, ts: vector of double, host: vector of
	    addr, uid: vector of string, mac: vector of string, dst: vector of
	    addr, dport: vector of port, vlan: vector of string);

	## Sensor to worker: the names that hosts asked the DNS for. It is sent just before the batch of
	## :zeek:see:`NBA::sessions` of the same number, whose acknowledgement holds for both.
	##
	## node: The name of the sensor.
	##
	## run: The sensor's run.
	##
	## seq: The number of the batch of sessions that follows.
	##
	## sent: How many names this run has published, including these.
	##
	## skipped: How many names this run has seen but not published.
	##
	## now: As in the batch of sessions that follows.
	##
	## ts: When each answer came.
	##
	## host: Who asked.
	##
	## name: The name that was asked for: lower case, without a final dot, printable ASCII.
	##
	## address: An address that the name stands for.
	##
	## ttl: How long the answer may be kept, in seconds.
	##
	## vlan: As in :zeek:see:`NBA::sessions`.
	global names: event(node: string, run: string, seq: count, sent: count,
	    skipped: count, now: double, ts: vector of double, host: vector of
	    addr, name: vector of string, address: vector of addr, ttl: vector of
	    double, vlan: vector of string);

	## Sensor to worker: what hosts announced of themselves by mDNS. It is sent just before a batch
	## of :zeek:see:`NBA::sessions`. It is not counted: a host announces the same again.
	##
	## node: The name of the sensor.
	##
	## ts: When each announcement came.
	##
	## host: Who made it.
	##
	## what: The type of a service, such as ``_hue._tcp``, or of its description a key and a value,
	##       such as ``md=BSB002``: printable ASCII, 128 characters at most.
	##
	## vlan: Each announcement's VLAN, empty without a tag.
	global announced: event(node: string, ts: vector of double, host: vector of
	    addr, what: vector of string, vlan: vector of string);

	## Worker to all: a heartbeat. Sent when it joins and every few seconds.
	##
	## worker: The worker's name, which has its partition, see :zeek:see:`NBA::partition_of`.
	global hello: event(worker: string);

	## Worker to sensor: it has processed all batches up to this one.
	##
	## node: The sensor's name.
	##
	## run: The sensor's run.
	##
	## seq: The last processed batch.
	global ack: event(node: string, run: string, seq: count);

	## Worker to manager: a verdict. :zeek:see:`NBA::DeviceInfo` explains the arguments.
	global verdict: event(ts: double, host: addr, mac: string, hostname: string,
	    vendor: string, state: string, previous: string, device: string,
	    category: string, confidence: double, alternatives: vector of
	    string, sessions: count, since: double, first_seen: double,
	    reason: string, evidence: vector of string, uids: vector of string,
	    model: string, worker: string, vlan: string, site: string,
	    evidence_dst: vector of addr, evidence_port: vector of count,
	    evidence_proto: vector of string, evidence_pool: vector of string,
	    evidence_org: vector of string, evidence_ts: vector of double,
	    evidence_sessions: vector of count, evidence_weight: vector of
	    double, evidence_surprise: vector of double,
	    alternative_device: vector of string, alternative_confidence: vector of
	    double, similar_host: string, evidence_name: vector of string,
	    hints: vector of string, hint_maker: string, hint_kind: string,
	    alternative_possible: vector of bool);

	## Manager to all other nodes: which device an address is, see :zeek:see:`NBA::device_of`.
	##
	## host: The address.
	##
	## device: The device's name; empty if it is no longer known.
	global device_is: event(host: addr, device: string);

	## Manager to worker: DHCP has leased an address.
	##
	## ts: When the lease began.
	##
	## ip: The address.
	##
	## mac: The client's MAC address.
	##
	## hostname: The client's name; empty if it sent none.
	##
	## vendor_class: The client's vendor class (option 60); empty if it sent none.
	##
	## params: The options that the client asked for, in its order (option 55); empty if it sent
	##         none.
	global lease: event(ts: double, ip: addr, mac: string, hostname: string,
	    vendor_class: string, params: vector of count);

	## Worker to manager: its status. :zeek:see:`NBA::StatsInfo` explains the arguments.
	global worker_status: event(worker: string, model: string, received: count,
	    lost: count, skipped: count, late: count, invalid: count,
	    scored: count, hosts: count, evicted: count, verdicts: count,
	    queue: count, lag: double, names_received: count, names_lost: count,
	    names_skipped: count);

	## Worker to manager: which kinds of hosts are unknown. Sent at the end of each day, in UTC.
	##
	## ts: The end of the day.
	##
	## worker: The worker's name.
	##
	## hosts: How many hosts are unknown.
	##
	## kinds: A text for each group of similar hosts, the largest first.
	global unknown_hosts: event(ts: double, worker: string, hosts: count,
	    kinds: vector of string);

	## Worker to manager: many hosts changed at once, or the event that changed them is over.
	## :zeek:see:`NBA::SiteInfo` explains the arguments.
	global site_event: event(ts: double, kind: string, state: string,
	    since: double, hosts: count, watched: count, where: string,
	    examples: vector of addr, worker: string);

	## Where :zeek:see:`NBA::sessions` goes, followed by the partition and a slash.
	const sessions_topic_prefix = "zeek/nba/sessions/";

	## Where :zeek:see:`NBA::names` goes, followed by the partition and a slash.
	const names_topic_prefix = "zeek/nba/names/";

	## Where :zeek:see:`NBA::announced` goes, followed by the partition and a slash.
	const announced_topic_prefix = "zeek/nba/announced/";

	## Where :zeek:see:`NBA::hello` comes from.
	const hello_topic = "zeek/nba/hello/";

	## Where :zeek:see:`NBA::ack` comes from, followed by the sensor's name and a slash.
	const ack_topic_prefix = "zeek/nba/ack/";

	## Where :zeek:see:`NBA::verdict` comes from.
	const verdict_topic = "zeek/nba/verdict/";

	## Where :zeek:see:`NBA::device_is` goes.
	const device_topic = "zeek/nba/device/";

	## Where :zeek:see:`NBA::lease` goes.
	const lease_topic = "zeek/nba/lease/";

	## Where :zeek:see:`NBA::worker_status`, :zeek:see:`NBA::unknown_hosts` and
	## :zeek:see:`NBA::site_event` come from.
	const status_topic = "zeek/nba/status/";

	## How many workers share the hosts. Each worker has a partition, counted from 0, and each
	## host belongs to one: see :zeek:see:`NBA::routers`. All nodes need the same number. Another
	## number moves hosts to workers that do not know them, so it cannot change while Zeek runs.
	const partitions = 1 &redef;

	## Whether a capture that is read with ``zeek -r`` is sent to a worker. If not, the package does
	## nothing with a capture. Needs standalone.zeek.
	const pcap_mode = F &redef;

	## How long after its last :zeek:see:`NBA::hello` a worker is considered gone.
	option worker_timeout = 15secs;

	## The name of this node on the wire and in nba_stats.log.
	const this_node = Cluster::is_enabled() ? Cluster::node : "standalone";

	## The name of this process. It has the time and the process id, because with a fixed random
	## seed every process has the same unique_id().
	const this_run = fmt("%s-%d-%.6f", unique_id("R"), getpid(), time_to_double(
	    current_time()));

	## Whether this node analyses traffic.
	const is_sensor = ! Cluster::is_enabled()
	    || Cluster::local_node_type() == Cluster::WORKER;

	## Whether this node writes the logs, raises the notices and sends the leases.
	const is_manager = ! Cluster::is_enabled()
	    || Cluster::local_node_type() == Cluster::MANAGER;

	## Whether the package is active: not without traffic, and not while a capture is read,
	## unless :zeek:see:`NBA::pcap_mode` is set or Zeek replays it in pseudo-realtime. Valid from
	## zeek_init() on.
	global active = F;

	## Whether a capture is read as fast as possible, so that packets can wait. Valid from
	## zeek_init() on.
	global offline = F;

	## The partition of a worker or of a sensor's run. The name ends in a slash and the partition,
	## except for partition 0, which adds nothing.
	##
	## name: The name.
	##
	## Returns: The partition, from 0 to 999.
	global partition_of: function(name: string): count;

	## Whether a partition has a worker.
	##
	## partition: The worker's partition.
	##
	## Returns: True from its first :zeek:see:`NBA::hello` until it has been silent for
	##          :zeek:see:`NBA::worker_timeout`; with a capture, until it closes its WebSocket.
	global worker_lives: function(partition: count): bool;

	## Called on every node when a worker joins or returns.
	##
	## worker: The worker's name.
	global worker_joined: hook(worker: string);
}

# Whether this node opens the port for the worker. standalone.zeek sets it for a single Zeek.
const listening = Cluster::is_enabled() && is_manager &redef;

const max_partitions = 1000;

# By partition.
global current_worker: table[count] of string;
global taken_over: table[count] of time &default=double_to_time(0.0);
global last_hello: table[count] of time;

function partition_of(name: string): count
	{
	if ( name != /.*\/[1-9][0-9]{0,2}/ )
		return 0;

	local parts = split_string(name, /\//);
	return to_count(parts[|parts| - 1]);
	}

# The inverse of partition_of().
function name_in(partition: count, name: string): string
	{
	return partition == 0 ? name : fmt("%s/%d", name, partition);
	}

function worker_lives(partition: count): bool
	{
	if ( partition !in last_hello )
		return F;

	# The clock of a capture stands still or jumps. There the worker's WebSocket shows whether
	# the worker is alive.
	return reading_traces()
	    || current_time() - last_hello[partition] < worker_timeout;
	}

function any_worker_lives(): bool
	{
	for ( partition in last_hello )
		if ( worker_lives(partition) )
			return T;

	return F;
	}

event zeek_init() &priority=10
	{
	if ( partitions == 0 || partitions > max_partitions )
		Reporter::fatal(fmt("NBA::partitions is %d; set it to a number from 1 to %d",
		    partitions, max_partitions));

	offline = reading_traces() && ! reading_live_traffic();

	local traffic = Cluster::is_enabled()
	    || reading_live_traffic()
	    || reading_traces();
	active = ( traffic || listening ) && ( ! offline || pcap_mode ) && getenv(
	    "ZEEKCTL_CHECK_CONFIG") == "";

	if ( active )
		Cluster::subscribe(hello_topic);
	}

event NBA::hello(worker: string)
	{
	local partition = partition_of(worker);
	local now = current_time();
	local lives = worker_lives(partition);
	last_hello[partition] = now;

	if ( lives )
		{
		# While two workers alternate until one of them leaves, not every hello is a join.
		if ( worker == current_worker[partition]
		    || now - taken_over[partition] < worker_timeout / 2 )
			return;

		taken_over[partition] = now;
		}

	current_worker[partition] = worker;

	if ( partition < partitions )
		hook worker_joined(worker);
	else if ( is_manager )
		Reporter::warning(fmt("NBA: worker %s has no hosts: NBA::partitions is %d",
		    worker, partitions));
	}

event Cluster::websocket_client_lost(endpoint: Cluster::EndpointInfo,
    code: count, reason: string)
	{
	if ( ! reading_traces() )
		return;

	# The application's name has the partition, too.
	local application = endpoint?$application_name ? endpoint$application_name : "";
	delete last_hello[partition_of(application)];
	}
