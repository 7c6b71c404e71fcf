##! Makes a capture wait for its workers: no session is skipped, and Zeek ends once all is answered.

@load ./compat
@load ./main
@load ./sessions

module NBA;

# Whether packets wait for a worker.
global waiting = F;
global joined = F;
global all_sent = F;

# Whether all workers have joined, and keep up.
function may_go_on(): bool
	{
	for ( i in shares )
		if ( shares[i]$acked_seq == 0 || unacked_batches(shares[i]) >= max_unacked )
			return F;

	return T;
	}

function all_acked(): bool
	{
	for ( i in shares )
		if ( unacked_batches(shares[i]) > 0 )
			return F;

	return T;
	}

event zeek_init()
	{
	if ( ! active || ! offline )
		return;

	if ( ! has_cluster_backend() )
		Reporter::fatal("NBA: no worker can join, so load the package's standalone script");

	waiting = T;
	suspend_processing();

	# Nothing here limits the wait: network time stands still, so that nothing scheduled would
	# ever happen. Whoever starts Zeek has to: nba-broker pcap does.
	}

event NBA::hello(worker: string) &priority=-5
	{
	local partition = partition_of(worker);

	if ( ! active || ! offline || partition >= |shares| )
		return;

	local share = shares[partition];

	if ( share$acked_seq > 0 )
		return;

	joined = T;

	# An empty batch first, so that the worker knows of this sensor before any has sent
	# sessions: it sorts those of all sensors that it knows. With every hello until it is
	# acknowledged, as a hello may be faster than the worker's subscription.
	send_batch(share, network_time());
	}

hook batch_sent(unacked: count)
	{
	if ( ! offline || waiting || unacked < max_unacked )
		return;

	waiting = T;
	suspend_processing();
	}

event NBA::ack(node: string, run: string, seq: count) &priority=-5
	{
	if ( waiting && may_go_on() )
		{
		waiting = F;
		continue_processing();
		}

	# A worker sends its verdicts before this, so all of them have been written.
	if ( all_sent && all_acked() )
		terminate();
	}

event Pcap::file_done(path: string) &priority=-5
	{
	if ( ! active || ! offline )
		return;

	release_sessions();
	flush_batches();

	# A time that no session can still come before lets a worker finish all it holds back.
	all_sent = T;
	for ( i in shares )
		send_batch(shares[i], network_time() + 1hr);
	}

event Cluster::websocket_client_lost(endpoint: Cluster::EndpointInfo,
    code: count, reason: string)
	{
	if ( ! active || ! offline || ! joined )
		return;

	if ( ! all_sent || ! all_acked() )
		Reporter::fatal("NBA: the worker has left before the capture was done");
	}

event zeek_done()
	{
	if ( ! active || ! offline || ! joined )
		return;

	# Whatever ended Zeek early must not look like success.
	if ( ! all_sent || ! all_acked() )
		{
		Reporter::error("NBA: ended before the capture was done");
		exit(1);
		}
	}
