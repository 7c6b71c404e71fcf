##! Checks the worker's verdicts and writes them to nba_device.log.

@load base/frameworks/reporter
@load ./devices
@load ./main

module NBA;

export {
	redef enum Log::ID += {
		## What each host is, and whether it behaves accordingly.
		DEVICE_LOG,
	};

	## A default logging policy hook for the stream.
	global log_policy: Log::PolicyHook;

	## The columns of nba_device.log.
	type DeviceInfo: record {
		## The start of the session that led to the line.
		ts: time &log;
		## The host's last unicast address.
		host: addr &log;
		## The host's MAC address, if known.
		mac: string &log &optional;
		## The host's name, if known.
		hostname: string &log &optional;
		## The maker of the network interface, from the MAC address, if known.
		vendor: string &log &optional;
		## learning, identified, unknown, changed, misbehaving, impostor or ambiguous.
		state: string &log;
		## What the host was before this state: a device or a state.
		previous: string &log &optional;
		## The device, if known.
		device: string &log &optional;
		## The kind of that device.
		category: string &log &optional;
		## How sure the worker is of the device, from 0 to 1.
		confidence: double &log;
		## Runners-up, as ``name=0.12``.
		alternatives: vector of string &log;
		## The number of the host's sessions so far.
		sessions: count &log;
		## When this state began.
		since: time &log;
		## The start of the host's first session.
		first_seen: time &log;
		## Why the line is written: new, change, reminder, annotation or missing.
		reason: string &log;
		## The evidence for the verdict, for an analyst to read.
		evidence: vector of string &log;
		## Some of the sessions in the evidence, for a pivot into conn.log.
		uids: vector of string &log;
		## The model that decided.
		model: string &log &optional;
		## The worker that decided.
		worker: string &log &optional;
		## The VLAN that the host's address is unique in, if known.
		vlan: string &log &optional;
		## The site that the host's address is unique in, if known.
		site: string &log &optional;
		## The destinations in the evidence. This column and the others that begin with
		## ``evidence_`` have an entry for each of them, in the same order.
		evidence_dst: vector of addr &log &optional;
		## The port of each destination.
		evidence_port: vector of port &log &optional;
		## The transport protocol of each destination: tcp, udp, icmp or unknown.
		evidence_proto: vector of string &log &optional;
		## The pool of each destination.
		evidence_pool: vector of string &log &optional;
		## The organisation that each destination belongs to; empty if unknown.
		evidence_org: vector of string &log &optional;
		## The start of the last session to each destination.
		evidence_ts: vector of time &log &optional;
		## How many sessions of the window go to each destination. Unset if the evidence is
		## that of an alarm.
		evidence_sessions: vector of count &log &optional;
		## Each destination's share of the model's attention, from 0 to 1. Unset if the
		## evidence is that of an alarm.
		evidence_weight: vector of double &log &optional;
		## How surprising the session to each destination is, in nats. Set only if the
		## evidence is that of an alarm.
		evidence_surprise: vector of double &log &optional;
		## The runners-up, as in ``alternatives``.
		alternative_device: vector of string &log &optional;
		## The probability of each runner-up.
		alternative_confidence: vector of double &log &optional;
		## The host that an analyst named, if this host has the name because it is similar. The
		## confidence is the similarity.
		similar_host: addr &log &optional;
		## The name by which the host, or else another one, asked for each destination in the
		## evidence; empty if nobody did. Unset if that holds for all.
		evidence_name: vector of string &log &optional;
		## What the host may be if it has no device, and the reasons, for an analyst to
		## read. They take no part in the verdict.
		hints: vector of string &log &optional;
		## The maker that the hints say, if it is clear.
		hint_maker: string &log &optional;
		## The kind of device that the hints say, if it is clear.
		hint_kind: string &log &optional;
		## Whether the evidence does not rule out each device in ``alternative_device``.
		alternative_possible: vector of bool &log &optional;
	};

	## Event that can be handled to access the :zeek:type:`NBA::DeviceInfo` record as it is sent
	## on to the logging framework.
	global log_device: event(rec: DeviceInfo);

	## How many verdicts and statuses of workers are accepted in a second, times
	## :zeek:see:`NBA::partitions`. More are refused and counted. Not applied while reading a
	## capture, where they arrive as fast as the worker computes them.
	option max_verdicts_per_second = 1000;

	## Called on the manager for each accepted verdict, even if its line is not logged.
	##
	## rec: The line.
	global host_judged: hook(rec: DeviceInfo);
}

const states = set("learning", "identified", "unknown", "changed",
    "misbehaving", "impostor", "ambiguous");
const reasons = set("new", "change", "reminder", "annotation", "missing");
const end_of_time = 4102444800.0; # the year 2100
const transports: table[string] of transport_proto = {
	["tcp"] = tcp,
	["udp"] = udp,
	["icmp"] = icmp,
	["unknown"] = unknown_transport
};
const max_port = 65535;
const max_number = 1e12;
const max_items = 16;
const max_uids = 5;
const report_interval = 10secs;

global accepted_verdicts = 0;
global refused_messages = 0;
global reported_refusals = 0;
global last_report = double_to_time(0.0);
global second_began = double_to_time(0.0);
global rows_this_second = 0;

# NaN fails these comparisons.
function is_plausible_time(t: double): bool
	{
	return t >= 0.0 && t < end_of_time;
	}

function are_plausible_times(times: vector of double): bool
	{
	for ( i in times )
		if ( ! is_plausible_time(times[i]) )
			return F;

	return T;
	}

function are_plausible_numbers(numbers: vector of double): bool
	{
	for ( i in numbers )
		if ( ! ( numbers[i] >= 0.0 && numbers[i] < max_number ) )
			return F;

	return T;
	}

function are_ports(numbers: vector of count, protos: vector of string): bool
	{
	if ( |numbers| != |protos| )
		return F;

	for ( i in numbers )
		if ( numbers[i] > max_port || protos[i] !in transports )
			return F;

	return T;
	}

function ports_of(numbers: vector of count, protos: vector of string): vector of
    port
	{
	local found: vector of port;

	for ( i in numbers )
		found += count_to_port(numbers[i], transports[protos[i]]);

	return found;
	}

function times_of(times: vector of double): vector of time
	{
	local found: vector of time;

	for ( i in times )
		found += double_to_time(times[i]);

	return found;
	}

# Whether all of these columns have n entries.
function are_parallel(n: count, lengths: vector of count): bool
	{
	for ( i in lengths )
		if ( lengths[i] != n )
			return F;

	return T;
	}

function is_short(texts: vector of string): bool
	{
	for ( i in texts )
		if ( |texts[i]| > max_text )
			return F;

	return T;
	}

# Why a worker's row is refused now, or an empty string: a client of the port must not be able to
# fill the disk with verdicts or statuses.
function excess(): string
	{
	local now = current_time();
	local most = max_verdicts_per_second * partitions;

	if ( now - second_began >= 1sec )
		{
		second_began = now;
		rows_this_second = 0;
		}

	if ( ++rows_this_second <= most || offline )
		return "";

	return fmt("being more than %d in a second", most);
	}

function refuse(why: string)
	{
	++refused_messages;

	if ( current_time() - last_report < report_interval )
		return;

	Reporter::warning(fmt("NBA refused %d message(s), the last for %s",
	    refused_messages - reported_refusals, why));
	last_report = current_time();
	reported_refusals = refused_messages;
	}

event zeek_init() &priority=5
	{
	Log::create_stream(DEVICE_LOG, Log::Stream($columns=DeviceInfo, $ev=log_device,
	    $path="nba_device", $policy=log_policy));

	if ( active && is_manager )
		Cluster::subscribe(verdict_topic);
	}

# A destination that is missing has neither a weight nor a surprise.
function are_of_destinations(numbers: count, destinations: count): bool
	{
	return numbers == 0 || numbers == destinations;
	}

event NBA::verdict(ts: double, host: addr, mac: string, hostname: string,
    vendor: string, state: string, previous: string, device: string,
    category: string, confidence: double, alternatives: vector of string,
    sessions: count, since: double, first_seen: double, reason: string,
    evidence: vector of string, uids: vector of string, model: string,
    worker: string, vlan: string, site: string, evidence_dst: vector of addr,
    evidence_port: vector of count, evidence_proto: vector of string,
    evidence_pool: vector of string, evidence_org: vector of string,
    evidence_ts: vector of double, evidence_sessions: vector of count,
    evidence_weight: vector of double, evidence_surprise: vector of double,
    alternative_device: vector of string, alternative_confidence: vector of
    double, similar_host: string, evidence_name: vector of string, hints: vector of
    string, hint_maker: string, hint_kind: string, alternative_possible: vector of
    bool)
	{
	if ( ! is_manager )
		return;

	local why = "";

	if ( ! is_plausible_time(ts)
	    || ! is_plausible_time(since)
	    || ! is_plausible_time(first_seen)
	    || ! are_plausible_times(evidence_ts) )
		why = "an impossible time";
	else if ( ! ( confidence >= 0.0 && confidence <= 1.0 ) )
		why = "an impossible confidence";
	else if ( state !in states )
		why = "an unknown state";
	else if ( reason !in reasons )
		why = "an unknown reason";
	else if ( ! are_plausible_numbers(evidence_weight)
	    || ! are_plausible_numbers(evidence_surprise)
	    || ! are_plausible_numbers(alternative_confidence) )
		why = "an impossible number";
	else if ( ! are_ports(evidence_port, evidence_proto) )
		why = "an impossible port";
	else if ( similar_host != "" && ! is_valid_ip(similar_host) )
		why = "an impossible address";
	else if ( |alternatives| > max_items
	    || |evidence| > max_items
	    || |evidence_dst| > max_items
	    || |alternative_device| > max_items
	    || |hints| > max_items
	    || |uids| > max_uids )
		why = "too long a list";
	else if ( ! are_parallel(|evidence_dst|, vector(|evidence_port|, |evidence_pool|,
	    |evidence_org|, |evidence_ts|))
	    || |evidence_sessions| != |evidence_weight|
	    || ! are_of_destinations(|evidence_weight| + |evidence_surprise|, |evidence_dst|)
	    || |alternative_confidence| != |alternative_device|
	    || |alternative_possible| != |alternative_device|
	    || ( |evidence_name| > 0 && |evidence_name| != |evidence_dst| ) )
		why = "lists of different lengths";
	else if ( ! is_short(vector(mac, hostname, vendor, previous, device, category,
	    model, worker, vlan, site, hint_maker, hint_kind))
	    || ! is_short(alternatives)
	    || ! is_short(evidence)
	    || ! is_short(evidence_pool)
	    || ! is_short(evidence_org)
	    || ! is_short(evidence_name)
	    || ! is_short(alternative_device)
	    || ! is_short(hints)
	    || ! is_short(uids) )
		why = "too long a text";
	else
		why = excess();

	if ( why != "" )
		{
		refuse(why);
		return;
		}

	++accepted_verdicts;
	remember_device(host, device, mac);

	local info = DeviceInfo($ts=double_to_time(ts), $host=host, $state=state,
	    $confidence=confidence, $alternatives=alternatives,
	    $sessions=sessions, $since=double_to_time(since),
	    $first_seen=double_to_time(first_seen), $reason=reason,
	    $evidence=evidence, $uids=uids);

	if ( mac != "" )
		info$mac = mac;
	if ( hostname != "" )
		info$hostname = hostname;
	if ( vendor != "" )
		info$vendor = vendor;
	if ( previous != "" )
		info$previous = previous;
	if ( device != "" )
		info$device = device;
	if ( category != "" )
		info$category = category;
	if ( model != "" )
		info$model = model;
	if ( worker != "" )
		info$worker = worker;
	if ( vlan != "" )
		info$vlan = vlan;
	if ( site != "" )
		info$site = site;
	if ( |evidence_dst| > 0 )
		{
		info$evidence_dst = evidence_dst;
		info$evidence_port = ports_of(evidence_port, evidence_proto);
		info$evidence_proto = evidence_proto;
		info$evidence_pool = evidence_pool;
		info$evidence_org = evidence_org;
		info$evidence_ts = times_of(evidence_ts);
		}
	if ( |evidence_weight| > 0 )
		{
		info$evidence_sessions = evidence_sessions;
		info$evidence_weight = evidence_weight;
		}
	if ( |evidence_surprise| > 0 )
		info$evidence_surprise = evidence_surprise;
	if ( |alternative_device| > 0 )
		{
		info$alternative_device = alternative_device;
		info$alternative_confidence = alternative_confidence;
		info$alternative_possible = alternative_possible;
		}
	if ( similar_host != "" )
		info$similar_host = to_addr(similar_host);
	if ( |evidence_name| > 0 )
		info$evidence_name = evidence_name;
	if ( |hints| > 0 )
		info$hints = hints;
	if ( hint_maker != "" )
		info$hint_maker = hint_maker;
	if ( hint_kind != "" )
		info$hint_kind = hint_kind;

	Log::write(DEVICE_LOG, info);
	hook host_judged(info);
	}
