##! Checks the worker's events of the whole site and writes them to nba_site.log.

@load ./main
@load ./device-log

module NBA;

export {
	redef enum Log::ID += {
		## What happens to many hosts at once: an outage, another resolver, a probe.
		SITE_LOG,
	};

	## A default logging policy hook for the stream.
	global log_policy_site: Log::PolicyHook;

	## The columns of nba_site.log. An event has a line when it begins and one when it is over.
	type SiteInfo: record {
		## The start of the session that led to the line.
		ts: time &log;
		## internet, dns, dhcp, ntp, resolver or probe.
		kind: string &log;
		## begun or over.
		state: string &log;
		## When the event began.
		since: time &log;
		## The number of hosts that it affects.
		hosts: count &log;
		## The number of hosts that it could affect.
		watched: count &log;
		## What the event is about: an address or a pool, with the service; unset if it is
		## about neither.
		where: string &log &optional;
		## The addresses of some of these hosts.
		examples: vector of addr &log;
		## The worker that noticed it.
		worker: string &log &optional;
	};

	## Event that can be handled to access the :zeek:type:`NBA::SiteInfo` record as it is sent on
	## to the logging framework.
	global log_site: event(rec: SiteInfo);

	## Called on the manager for each accepted event of the site, even if its line is not logged.
	##
	## rec: The line.
	global site_changed: hook(rec: SiteInfo);
}

# The words for each kind of event, as in the worker's messages.
const site_words: table[string] of string = {
	["internet"] = "Internet down",
	["dns"] = "DNS down",
	["dhcp"] = "DHCP down",
	["ntp"] = "NTP down",
	["resolver"] = "Another resolver",
	["probe"] = "Hosts probed"
};
const site_states = set("begun", "over");
const max_examples = 5;

event zeek_init() &priority=5
	{
	Log::create_stream(SITE_LOG, Log::Stream($columns=SiteInfo, $ev=log_site,
	    $path="nba_site", $policy=log_policy_site));
	}

event NBA::site_event(ts: double, kind: string, state: string, since: double,
    hosts: count, watched: count, where: string, examples: vector of addr,
    worker: string)
	{
	if ( ! is_manager )
		return;

	local why = "";

	if ( ! is_plausible_time(ts) || ! is_plausible_time(since) )
		why = "an impossible time";
	else if ( kind !in site_words )
		why = "an unknown kind of event";
	else if ( state !in site_states )
		why = "an unknown state";
	else if ( |examples| > max_examples )
		why = "too long a list";
	else if ( ! is_short(vector(where, worker)) )
		why = "too long a text";
	else
		why = excess();

	if ( why != "" )
		{
		refuse(why);
		return;
		}

	local info = SiteInfo($ts=double_to_time(ts), $kind=kind, $state=state,
	    $since=double_to_time(since), $hosts=hosts, $watched=watched,
	    $examples=examples);

	if ( where != "" )
		info$where = where;
	if ( worker != "" )
		info$worker = worker;

	Log::write(SITE_LOG, info);
	hook site_changed(info);
	}
