##! Writes nba_stats.log: what sensors, manager and worker have processed and missed so far.

@load ./main
@load ./sessions
@load ./device-log

module NBA;

export {
	redef enum Log::ID += {
		## What sensors, manager and worker have processed and missed so far.
		STATS_LOG,
	};

	## A default logging policy hook for the stream.
	global log_policy_stats: Log::PolicyHook;

	## The columns of nba_stats.log. All counters start with the process.
	type StatsInfo: record {
		## When the row was written.
		ts: time &log;
		## The sensor, manager or worker of the row.
		node: string &log;
		## What that is: sensor, manager or worker.
		kind: string &log;
		## The process of a sensor or manager; a restart gives a new one. A sensor has one for
		## each partition, which counts the sessions of that partition.
		run: string &log &optional;
		## The partition of a sensor's or worker's row.
		partition: count &log &optional;
		## Sessions of hosts that a sensor has seen.
		seen: count &log &optional;
		## Sessions that a sensor has published.
		sent: count &log &optional;
		## Sessions not published, because no worker was there or kept up: the sensor's own
		## number, or the sum of what sensors have sent the worker.
		skipped: count &log &optional;
		## Batches that wait for an acknowledgement by the worker.
		unacked: count &log &optional;
		## Sessions that the worker has received.
		received: count &log &optional;
		## Sessions published but not received.
		lost: count &log &optional;
		## Sessions that came too late to be sorted.
		late: count &log &optional;
		## Messages that did not follow the contract.
		invalid: count &log &optional;
		## Windows that the model has scored.
		scored: count &log &optional;
		## Hosts that the worker tracks.
		hosts: count &log &optional;
		## Hosts that it has evicted to save memory.
		evicted: count &log &optional;
		## Verdicts sent by the worker, or accepted by the manager.
		verdicts: count &log &optional;
		## Verdicts and statuses that the manager has refused.
		refused: count &log &optional;
		## Messages in the worker's queue: batches of sessions and other events.
		queue: count &log &optional;
		## How far the worker is behind the sensors.
		lag: interval &log &optional;
		## The worker's model.
		model: string &log &optional;
		## Names that hosts of a sensor asked for, one for each address in an answer.
		names_seen: count &log &optional;
		## Names that a sensor has published.
		names_sent: count &log &optional;
		## Names not published, as with sessions.
		names_skipped: count &log &optional;
		## Names with spaces or other bytes than printable ASCII, which are not reported.
		names_invalid: count &log &optional;
		## Names that the worker has received.
		names_received: count &log &optional;
		## Names published but not received.
		names_lost: count &log &optional;
	};

	## Event that can be handled to access the :zeek:type:`NBA::StatsInfo` record as it is sent
	## on to the logging framework.
	global log_stats: event(rec: StatsInfo);

	## How often sensors and manager write a row.
	option stats_interval = 10secs;
}

function write_stats()
	{
	if ( is_sensor )
		for ( i in shares )
			{
			local share = shares[i];
			Log::write(STATS_LOG, StatsInfo($ts=network_time(), $node=this_node,
			    $kind="sensor", $run=share$run,
			    $partition=share$partition,
			    $seen=share$seen_sessions - |share$batch$ts|,
			    $sent=share$sent_sessions,
			    $skipped=share$skipped_sessions,
			    $unacked=unacked_batches(share),
			    $names_seen=share$seen_names - |share$names$ts|,
			    $names_sent=share$sent_names,
			    $names_skipped=share$skipped_names,
			    $names_invalid=share$invalid_names));
			}

	if ( is_manager )
		Log::write(STATS_LOG, StatsInfo($ts=network_time(), $node=this_node,
		    $kind="manager", $run=this_run, $verdicts=accepted_verdicts,
		    $refused=refused_messages));
	}

event NBA::stats_due()
	{
	# Zeek expires all timers when it ends, and zeek_done() writes the last row.
	if ( zeek_is_terminating() )
		return;

	write_stats();
	schedule stats_interval { NBA::stats_due() };
	}

event zeek_init() &priority=5
	{
	Log::create_stream(STATS_LOG, Log::Stream($columns=StatsInfo, $ev=log_stats,
	    $path="nba_stats", $policy=log_policy_stats));

	if ( ! active )
		return;

	if ( is_manager )
		Cluster::subscribe(status_topic);

	if ( is_manager || is_sensor )
		schedule stats_interval { NBA::stats_due() };
	}

# After the last batch has been sent.
event zeek_done() &priority=-5
	{
	if ( active )
		write_stats();
	}

event NBA::worker_status(worker: string, model: string, received: count,
    lost: count, skipped: count, late: count, invalid: count, scored: count,
    hosts: count, evicted: count, verdicts: count, queue: count, lag: double,
    names_received: count, names_lost: count, names_skipped: count)
	{
	if ( ! is_manager || ! is_short(vector(worker, model)) )
		return;

	# This worker has no hosts; a warning said so when it joined. Its zeros mean nothing.
	if ( partition_of(worker) >= partitions )
		return;

	local why = excess();

	if ( why != "" )
		{
		refuse(why);
		return;
		}

	local info = StatsInfo($ts=network_time(), $node=worker, $kind="worker",
	    $partition=partition_of(worker), $skipped=skipped,
	    $received=received, $lost=lost, $late=late, $invalid=invalid,
	    $scored=scored, $hosts=hosts, $evicted=evicted, $verdicts=verdicts,
	    $queue=queue, $model=model, $names_received=names_received,
	    $names_lost=names_lost, $names_skipped=names_skipped);

	if ( is_plausible_time(lag) )
		info$lag = double_to_interval(lag);

	Log::write(STATS_LOG, info);
	}
