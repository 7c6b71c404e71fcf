##! Publishes synthetic sessions on a sensor once a worker has joined: as fast as it acknowledges them,
##! or at a rate that asks nobody.

@load ./single

module NBA;

export {
	## How many sessions of this sensor every worker is given that joins.
	const bench_sessions = 5000000 &redef;

	## Sessions per second, whether they are acknowledged or not; 0 for as fast as they are.
	const bench_rate = 0.0 &redef;

	## How many hosts they are from.
	const bench_hosts = 1000 &redef;

	## Whether each session is an event of its own, which nobody acknowledges.
	const bench_single = F &redef;
}

# Prepared, so that it is not this script that is measured; only times are new in every batch.
const bench_batches = 64;

const bench_interval = 10msecs;

global bench_prepared: vector of Batch;
global bench_left = 0;
global bench_given = 0;
global bench_began = double_to_time(0.0);
global bench_running = F;

function bench_prepare()
	{
	local i = 0;
	while ( i < bench_batches )
		{
		local b = Batch();
		local j = 0;
		while ( j < batch_size )
			{
			local n = ( i * batch_size + j ) * 7919 % bench_hosts;
			local m = ( i * batch_size + j ) * 104729 % 5000;
			b$host += counts_to_addr(vector(167772160 + n));
			b$uid += fmt("C%017d", i * batch_size + j);
			b$mac += fmt("02:00:00:%02x:%02x:%02x", n / 65536 % 256, n / 256 % 256, n %
			    256);
			b$dst += counts_to_addr(vector(184549376 + m * 321127 % 1600000000));
			b$dport += 443/tcp;
			++j;
			}
		bench_prepared += b;
		++i;
		}
	}

# A batch of sessions that all began within the last quarter of a millisecond, so that the time of a
# session is that of its publication; no two at the same time, as it is with packets.
function bench_batch()
	{
	local prepared = bench_prepared[bench_given / batch_size % bench_batches];
	local at = time_to_double(current_time()) - batch_size / 1000000.0;
	local ts: vector of double = vector();

	while ( |ts| < batch_size )
		{
		ts += at;
		at += 0.000001;
		}

	bench_given += batch_size;
	bench_left -= batch_size < bench_left ? batch_size : bench_left;
	shares[0]$seen_sessions += batch_size;

	if ( bench_single )
		{
		for ( i in ts )
			Cluster::publish(sessions_topic_prefix + "0/", NBA::bench_session, ts[i],
			    prepared$host[i], prepared$uid[i], prepared$mac[i],
			    prepared$dst[i], prepared$dport[i]);
		return;
		}

	shares[0]$batch = Batch($ts=ts, $host=prepared$host, $uid=prepared$uid,
	    $mac=prepared$mac, $dst=prepared$dst, $dport=prepared$dport);
	flush_batch(shares[0]);
	}

function bench_owed(): bool
	{
	if ( bench_left == 0 )
		return F;

	if ( bench_rate > 0.0 )
		return bench_given + batch_size <= bench_rate * interval_to_double(
		    current_time() - bench_began);

	return bench_single || unacked_batches(shares[0]) < max_unacked;
	}

event NBA::bench_publish()
	{
	local batches = 0;

	# Not without end, so that Zeek does what else it has to do.
	while ( batches < bench_batches && bench_owed() )
		{
		bench_batch();
		++batches;
		}

	if ( bench_single && bench_rate == 0.0 && bench_left > 0 )
		event NBA::bench_publish();
	}

event NBA::bench_tick()
	{
	if ( zeek_is_terminating() )
		return;

	event NBA::bench_publish();
	bench_running = bench_left > 0;

	if ( bench_running )
		schedule bench_interval { NBA::bench_tick() };
	}

event zeek_init()
	{
	bench_prepare();
	}

hook worker_joined(worker: string) &priority=-5
	{
	bench_left = bench_sessions;
	bench_given = 0;
	bench_began = current_time();

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
