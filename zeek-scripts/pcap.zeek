##! Makes a capture wait for the worker: no session is skipped, and Zeek ends once all is answered.

@load ./main
@load ./sessions

module NBA;

# Whether packets wait for the worker.
global waiting = F;
global joined = F;
global all_sent = F;

event zeek_init()
	{
	if ( ! active || ! offline )
		return;

	if ( Cluster::backend == Cluster::CLUSTER_BACKEND_NONE )
		Reporter::fatal("NBA: no worker can join, so load the package's standalone script");

	waiting = T;
	suspend_processing();

	# Nothing here limits the wait: network time stands still, so that nothing scheduled would
	# ever happen. Whoever starts Zeek has to: nba-broker pcap does.
	}

event NBA::hello(worker: string) &priority=-5
	{
	if ( ! active || ! offline || acked_seq > 0 )
		return;

	joined = T;

	# An empty batch first, so that the worker knows of this sensor before any has sent
	# sessions: it sorts those of all sensors that it knows. With every hello until it is
	# acknowledged, as a hello may be faster than the worker's subscription.
	send_batch(network_time());
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
	if ( waiting && unacked_batches() < max_unacked )
		{
		waiting = F;
		continue_processing();
		}

	# The worker sends its verdicts before this, so all of them have been written.
	if ( all_sent && unacked_batches() == 0 )
		terminate();
	}

event Pcap::file_done(path: string) &priority=-5
	{
	if ( ! active || ! offline )
		return;

	flush_batch();

	# A time that no session can still come before lets the worker finish all it holds back.
	all_sent = T;
	send_batch(network_time() + 1hr);
	}

event Cluster::websocket_client_lost(endpoint: Cluster::EndpointInfo,
    code: count, reason: string)
	{
	if ( ! active || ! offline || ! joined )
		return;

	if ( ! all_sent || unacked_batches() > 0 )
		Reporter::fatal("NBA: the worker has left before the capture was done");
	}

event zeek_done()
	{
	if ( ! active || ! offline || ! joined )
		return;

	# Whatever ended Zeek early must not look like success.
	if ( ! all_sent || unacked_batches() > 0 )
		{
		Reporter::error("NBA: ended before the capture was done");
		exit(1);
		}
	}
