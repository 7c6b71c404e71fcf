##! Raises notices for changes that need an analyst's attention.

@load base/frameworks/notice
@load base/utils/strings
@load ./main
@load ./sessions
@load ./device-log
@load ./site-log

module NBA;

export {
	redef enum Notice::Type += {
		## A host has its first session. Only if :zeek:see:`NBA::notice_new_hosts` is set.
		New_Host,
		## A host behaves like no device that the model knows. Not within its
		## :zeek:see:`NBA::baseline`.
		Unknown_Device,
		## Which kinds of hosts are unknown. Raised once a day if some of them became unknown
		## within their :zeek:see:`NBA::baseline`.
		Unknown_Hosts,
		## A host was one device for a long time and now behaves like another.
		Changed_Device,
		## A host starts sessions that are unusual for it and for devices like it.
		Misbehaving_Device,
		## A host behaves like another device than the one that an analyst named.
		Impostor_Device,
		## Many hosts changed at once: the Internet or a server that all of them use is down,
		## they use another resolver, or one host probes them. Raised when it begins; its end
		## is in nba_site.log.
		Site_Event,
		## There is no worker, so no host of its partition is identified.
		No_Worker,
	};

	## Whether to raise :zeek:see:`NBA::New_Host`. Off by default, because every host is new on
	## the first day; nba_device.log has a line for each in any case.
	option notice_new_hosts = F;

	## How long after its first session an unknown host has no notice of its own. At a new site
	## nearly all hosts are unknown, and :zeek:see:`NBA::Unknown_Hosts` sums them up. Zero for no
	## such time. Not applied while reading a capture.
	option baseline = 7days;

	## How long the same notice about the same host and device, or about the same kind of site
	## event, is not raised again.
	option notice_suppression = 1day;

	## How long there may be no worker before :zeek:see:`NBA::No_Worker` is raised.
	option no_worker_timeout = 30secs;
}

const no_worker_check_interval = 5secs &redef;

const notice_types: table[string] of Notice::Type = {
	["unknown"] = Unknown_Device,
	["changed"] = Changed_Device,
	["misbehaving"] = Misbehaving_Device,
	["impostor"] = Impostor_Device
};

# By partition.
global no_worker_since: table[count] of time;
global no_worker_noticed: set[count];

# A summary arrives every day, unless there is no worker.
const held_back_timeout = 2days &redef;

# Hosts that became unknown within their baseline since the last summary and still are, with the
# partition of their worker.
global held_back: table[string] of count &write_expire=held_back_timeout;

# Empty if there is only one partition.
function in_partition(partition: count): string
	{
	return partitions == 1 ? "" : fmt(" in partition %d", partition);
	}

# The same address in two VLANs or at two sites is two hosts.
function key_of(rec: DeviceInfo): string
	{
	return cat_sep("|", "", rec$host, rec?$vlan ? rec$vlan : "", rec?$site ?
	    rec$site : "");
	}

function describe_host(rec: DeviceInfo): string
	{
	local who = cat(rec$host);

	if ( rec?$hostname )
		who += fmt(" (%s)", rec$hostname);
	if ( rec?$mac )
		who += fmt(", MAC %s", rec$mac);
	if ( rec?$vendor )
		who += fmt(" by %s", rec$vendor);
	if ( rec?$vlan )
		who += fmt(", VLAN %s", rec$vlan);
	if ( rec?$site )
		who += fmt(", site %s", rec$site);

	return who;
	}

function describe_time(t: time): string
	{
	return strftime("%Y-%m-%d %H:%M:%S%z", t);
	}

function describe_device(rec: DeviceInfo): string
	{
	return rec?$device ? fmt("%s (confidence %.2f)", rec$device, rec$confidence) :
	    "no known device";
	}

# The message has to be clear without the log line.
function describe(note: Notice::Type, rec: DeviceInfo): string
	{
	local said = describe_host(rec);

	switch ( note )
		{
		case New_Host:
			said += fmt(" is new: its first session was at %s", describe_time(
			    rec$first_seen));
			break;

		case Unknown_Device:
			said += fmt(" behaves like no device that the model knows, after %d sessions since %s",
			    rec$sessions, describe_time(rec$first_seen));
			# Names alone: a confidence would read as if the host were one of them.
			if ( rec?$alternative_device )
				said += "; nearest of them: " + join_string_vec(rec$alternative_device,
				    ", ");
			if ( rec?$hints )
				said += ". Hints: " + join_string_vec(rec$hints, "; ");
			break;

		case Changed_Device:
			said += fmt(" was %s and has behaved like %s since %s", rec$previous,
			    describe_device(rec), describe_time(rec$since));
			break;

		case Misbehaving_Device:
			said += fmt(", %s, has started sessions since %s that are unusual for it and for devices like it",
			    rec?$device ? "identified as " + describe_device(rec) :
			    "not identified", describe_time(rec$since));
			break;

		case Impostor_Device:
			said += fmt(" has behaved like %s since %s, but an analyst named another device",
			    describe_device(rec), describe_time(rec$since));
			break;
		}

	if ( |rec$evidence| > 0 )
		said += ". Evidence: " + join_string_vec(rec$evidence, "; ");

	return said;
	}

# Where to look next: in conn.log, and at other devices.
function describe_sources(rec: DeviceInfo): string
	{
	local parts: vector of string;

	if ( |rec$uids| > 0 )
		parts += "uids " + join_string_vec(rec$uids, ", ");
	if ( |rec$alternatives| > 0 )
		parts += "runners-up " + join_string_vec(rec$alternatives, ", ");
	if ( rec?$model )
		parts += "model " + rec$model;

	return join_string_vec(parts, "; ");
	}

function notice_device(note: Notice::Type, rec: DeviceInfo)
	{
	local device = rec?$device ? rec$device : "";
	local n = Notice::Info($note=note, $msg=describe(note, rec),
	    $sub=describe_sources(rec), $src=rec$host, $identifier=cat(key_of(
	    rec), device), $suppress_for=notice_suppression);

	if ( |rec$uids| > 0 )
		n$uid = rec$uids[0];

	NOTICE(n);
	}

# Not NBA::log_device, which is not raised if the stream is disabled.
hook host_judged(rec: DeviceInfo)
	{
	if ( rec$state == "learning" && rec$reason == "new" && notice_new_hosts )
		notice_device(New_Host, rec);

	if ( rec$state != "unknown" )
		delete held_back[key_of(rec)];

	if ( rec$reason != "change" || rec$state !in notice_types )
		return;

	if ( rec$state != "unknown"
	    || offline
	    || rec$ts - rec$first_seen >= baseline )
		notice_device(notice_types[rec$state], rec);
	else if ( |held_back| < max_devices )
		held_back[key_of(rec)] = partition_of(rec?$worker ? rec$worker : "");
	}

event NBA::unknown_hosts(ts: double, worker: string, hosts: count, kinds: vector of
    string)
	{
	if ( ! is_manager )
		return;

	if ( ! is_plausible_time(ts)
	    || |kinds| > max_items
	    || ! is_short(vector(worker))
	    || ! is_short(kinds) )
		{
		refuse("an impossible summary");
		return;
		}

	local partition = partition_of(worker);
	local news: set[string] = set();

	for ( host, whose in held_back )
		if ( whose == partition )
			add news[host];

	# Without new hosts there is no notice, whatever a worker sends.
	if ( |news| == 0 )
		return;

	local n = Notice::Info($note=Unknown_Hosts, $n=hosts, $suppress_for=0sec);
	n$msg = fmt("Unknown hosts%s: %d, %d of them new: %s", in_partition(partition),
	    hosts, |news|, join_string_vec(kinds, "; "));
	n$sub = "until " + describe_time(double_to_time(ts));

	for ( host in news )
		delete held_back[host];

	NOTICE(n);
	}

# As nba-broker score says it, and with the hosts.
function describe_site(rec: SiteInfo): string
	{
	local said = site_words[rec$kind];
	local addresses: vector of string;

	for ( i in rec$examples )
		addresses += cat(rec$examples[i]);

	if ( rec?$where )
		said += fmt(" (%s)", rec$where);
	if ( rec?$worker )
		said += in_partition(partition_of(rec$worker));

	said += fmt(": %d of %d hosts since %s", rec$hosts, rec$watched, describe_time(
	    rec$since));

	if ( |addresses| > 0 )
		said += ", such as " + join_string_vec(addresses, ", ");

	return said;
	}

# Not NBA::log_site, which is not raised if the stream is disabled.
hook site_changed(rec: SiteInfo)
	{
	if ( rec$state != "begun" )
		return;

	NOTICE(Notice::Info($note=Site_Event, $msg=describe_site(rec),
	    $sub="its end is in nba_site.log", $n=rec$hosts,
	    $identifier=cat_sep("|", "", rec$kind, rec?$where ? rec$where : ""),
	    $suppress_for=notice_suppression));
	}

function check_partition(partition: count)
	{
	local now = current_time();

	if ( worker_lives(partition) )
		{
		no_worker_since[partition] = now;
		delete no_worker_noticed[partition];
		return;
		}

	if ( partition in no_worker_noticed
	    || now - no_worker_since[partition] < no_worker_timeout )
		return;

	add no_worker_noticed[partition];
	local msg = fmt(
	    "No worker%s for %s: sessions are skipped and no host is identified",
	    in_partition(partition), no_worker_timeout);
	NOTICE(Notice::Info($note=No_Worker, $msg=msg, $suppress_for=0sec));
	}

event NBA::check_worker()
	{
	for ( i in shares )
		check_partition(i);

	schedule no_worker_check_interval { NBA::check_worker() };
	}

event zeek_init()
	{
	if ( ! active || offline || ! is_manager )
		return;

	for ( i in shares )
		no_worker_since[i] = current_time();

	schedule no_worker_check_interval { NBA::check_worker() };
	}
