##! Publishes synthetic batches as fast as the worker acknowledges them; loaded with standalone.zeek.

module NBA;

export {
	## How many sessions to publish in all.
	const bench_sessions = 5000000 &redef;

	## How many hosts they are from.
	const bench_hosts = 1000 &redef;
}

# Prepared, so that it is not this script that is measured; only times are new in every batch.
const bench_batches = 64;

global bench_prepared: vector of Batch;

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
			b$mac += fmt("02:00:00:%02x:%02x:%02x", n / 65536 % 256, n / 256 % 256, n % 256);
			b$dst += counts_to_addr(vector(184549376 + m * 321127 % 1600000000));
			b$dport += 443/tcp;
			++j;
			}
		bench_prepared += b;
		++i;
		}
	}

event NBA::bench_publish()
	{
	while ( seen_sessions < bench_sessions && unacked_batches() < max_unacked )
		{
		local prepared = bench_prepared[last_seq % bench_batches];
		local now = time_to_double(current_time());
		local ts: vector of double = vector();

		while ( |ts| < batch_size )
			ts += now;

		batch = Batch($ts=ts, $host=prepared$host, $uid=prepared$uid,
		    $mac=prepared$mac, $dst=prepared$dst, $dport=prepared$dport);
		seen_sessions += batch_size;
		send_batch(current_time());
		}
	}

event zeek_init()
	{
	bench_prepare();
	}

hook worker_joined(worker: string) &priority=-5
	{
	event NBA::bench_publish();
	}

event NBA::ack(node: string, run: string, seq: count) &priority=-5
	{
	event NBA::bench_publish();
	}
