##! Pauses a capture while workers are behind, so that no session is skipped, and ends Zeek at last.

@load ./compat
@load ./main
@load ./sessions

module NBA;

# Whether packets wait for a worker.
global waiting = F;
global joined = F;
global all_sent = F;

# Whether all workers have joined and keep up.
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
		Reporter::fatal("NBA: no worker can join; load the package's standalone script");

	waiting = T;
	suspend_processing();

	# There is no timeout here, because network time stands still and no timer expires. The
	# program that starts Zeek needs one; nba-broker pcap has it.
	}

# An empty batch, whose acknowledgement lets the capture go on. At the end it has a time after all
# sessions, so that the worker releases everything that it holds back.
function ask_for_ack(share: Share)
	{
	send_batch(share, all_sent ? network_time() + 1hr : network_time());
	}

event NBA::hello(worker: string) &priority=-5
	{
	local partition = partition_of(worker);

	if ( ! active || ! offline || partition >= |shares| )
		return;

	local share = shares[partition];
	joined = T;

	# First an empty batch, so that the worker knows all sensors before one has sent sessions,
	# because it sorts the sessions of the sensors that it knows. Repeated with every hello
	# until it is acknowledged, because a hello may be faster than the worker's subscription.
	# Later, should a batch or an acknowledgement be lost, nothing else would end the wait.
	if ( share$acked_seq == 0
	    || ( ( waiting || all_sent ) && unacked_batches(share) > 0 ) )
		ask_for_ack(share);
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

	# A worker sends its verdicts before the acknowledgement, so all have been written.
	if ( all_sent && all_acked() )
		terminate();
	}

event Pcap::file_done(path: string) &priority=-5
	{
	if ( ! active || ! offline )
		return;

	release_sessions();
	flush_batches();

	all_sent = T;
	for ( i in shares )
		ask_for_ack(shares[i]);
	}

event Cluster::websocket_client_lost(endpoint: Cluster::EndpointInfo,
    code: count, reason: string)
	{
	if ( ! active || ! offline || ! joined )
		return;

	if ( ! all_sent || ! all_acked() )
		Reporter::fatal("NBA: the worker left before the end of the capture");
	}

event zeek_done()
	{
	if ( ! active || ! offline || ! joined )
		return;

	# An early end must not look like success.
	if ( ! all_sent || ! all_acked() )
		{
		Reporter::error("NBA: Zeek ended before the end of the capture");
		exit(1);
		}
	}
