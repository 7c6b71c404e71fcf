##! Publishes synthetic sessions on a sensor once a worker of each partition has joined: as fast as they
##! acknowledge them, or at a rate that asks nobody.

@load ./single

module NBA;

export {
	## How many sessions of this sensor every worker is given that joins.
	const bench_sessions = 5000000 &redef;

	## Sessions per second for each worker, whether they are acknowledged or not; 0 for as fast
	## as they are.
	const bench_rate = 0.0 &redef;

	## How many hosts they are from.
	const bench_hosts = 1000 &redef;

	## Whether each session is an event of its own, which nobody acknowledges.
	const bench_single = F &redef;
}

# Prepared, so that it is not this script that is measured; only times are new in every batch.
const bench_batches = 64;

const bench_interval = 10msecs;

# What a partition's worker is given.
type Supply: record {
	prepared: vector of Batch;
	left: count &default=0;
	given: count &default=0;
	began: time &default=double_to_time(0.0);
};

# By partition.
global bench_supplies: vector of Supply;

# Partitions whose worker has joined and was given nothing yet.
global bench_joined: set[count];

global bench_running = F;

# Deals the hosts out as their sessions would be.
function bench_prepare()
	{
	local filling: vector of Batch;
	local unready = |shares|;
	local i = 0;
	# Each sensor has destinations of its own: what several see at once counts once.
	local first = to_count("0" + sub(this_node, /.*[^0-9]/, "")) * 5000;

	for ( p in shares )
		{
		bench_supplies += Supply();
		filling += Batch();
		}

	while ( unready > 0 )
		{
		local n = i * 7919 % bench_hosts;
		local m = first + i * 104729 % 5000;
		local host = counts_to_addr(vector(167772160 + n));
		local mac = fmt("02:00:00:%02x:%02x:%02x", n / 65536 % 256, n / 256 % 256, n %
		    256);
		local partition = partition_for(host, mac);
		local prepared = bench_supplies[partition]$prepared;
		local b = filling[partition];

		b$host += host;
		b$uid += fmt("C%017d", i);
		b$mac += mac;
		b$dst += counts_to_addr(vector(184549376 + m * 321127 % 1600000000));
		b$dport += 443/tcp;
		++i;

		if ( |b$host| == batch_size )
			{
			prepared += b;
			filling[partition] = Batch();

			if ( |prepared| == bench_batches )
				--unready;
			}
		}
	}

# A batch of sessions that all began within the last quarter of a millisecond, so that the time of a
# session is that of its publication; no two at the same time, as it is with packets.
function bench_batch(partition: count)
	{
	local share = shares[partition];
	local supply = bench_supplies[partition];
	local prepared = supply$prepared[supply$given / batch_size % bench_batches];
	local at = time_to_double(current_time()) - batch_size / 1000000.0;
	local ts: vector of double = vector();

	while ( |ts| < batch_size )
		{
		ts += at;
		at += 0.000001;
		}

	supply$given += batch_size;
	supply$left -= batch_size < supply$left ? batch_size : supply$left;
	share$seen_sessions += batch_size;

	if ( bench_single )
		{
		for ( i in ts )
			Cluster::publish(fmt("%s%d/", sessions_topic_prefix, partition),
			    NBA::bench_session, ts[i], prepared$host[i],
			    prepared$uid[i], prepared$mac[i], prepared$dst[i],
			    prepared$dport[i]);
		return;
		}

	share$batch = Batch($ts=ts, $host=prepared$host, $uid=prepared$uid,
	    $mac=prepared$mac, $dst=prepared$dst, $dport=prepared$dport);
	flush_batch(share);
	}

function bench_owed(partition: count): bool
	{
	local supply = bench_supplies[partition];

	if ( supply$left == 0 )
		return F;

	if ( bench_rate > 0.0 )
		return supply$given + batch_size <= bench_rate * interval_to_double(
		    current_time() - supply$began);

	return bench_single || unacked_batches(shares[partition]) < max_unacked;
	}

function bench_unfinished(): bool
	{
	for ( p in bench_supplies )
		if ( bench_supplies[p]$left > 0 )
			return T;

	return F;
	}

event NBA::bench_publish()
	{
	for ( p in bench_supplies )
		{
		local batches = 0;

		# Not without end, so that Zeek does what else it has to do.
		while ( batches < bench_batches && bench_owed(p) )
			{
			bench_batch(p);
			++batches;
			}
		}

	if ( bench_single && bench_rate == 0.0 && bench_unfinished() )
		event NBA::bench_publish();
	}

event NBA::bench_tick()
	{
	if ( zeek_is_terminating() )
		return;

	event NBA::bench_publish();
	bench_running = bench_unfinished();

	if ( bench_running )
		schedule bench_interval { NBA::bench_tick() };
	}

event zeek_init()
	{
	bench_prepare();
	}

hook worker_joined(worker: string) &priority=-5
	{
	add bench_joined[partition_of(worker)];

	# All begin together, so that what they take is what they take at the same time.
	for ( p in shares )
		if ( ! worker_lives(p) )
			return;

	for ( p in bench_joined )
		{
		bench_supplies[p]$left = bench_sessions;
		bench_supplies[p]$given = 0;
		bench_supplies[p]$began = current_time();
		}

	bench_joined = set();

	if ( bench_rate == 0.0 )
		event NBA::bench_publish();
	else if ( ! bench_running )
		event NBA::bench_tick();
	}

event NBA::ack(node: string, run: string, seq: count) &priority=-5
	{
	if ( bench_rate == 0.0 && ! bench_single )
		event NBA::bench_publish();
	}
