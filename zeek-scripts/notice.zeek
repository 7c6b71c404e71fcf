##! Raises notices for the changes that an analyst should see.

@load base/frameworks/notice
@load base/utils/strings
@load ./main
@load ./device-log

module NBA;

export {
	redef enum Notice::Type += {
		## A host has its first session. Only if :zeek:see:`NBA::notice_new_hosts` is set.
		New_Host,
		## A host is like no device that the model knows.
		Unknown_Device,
		## A host has become another device.
		Changed_Device,
		## A host does not behave like the device that it is.
		Misbehaving_Device,
		## A host behaves like another device than it pretends to be.
		Impostor_Device,
		## No worker lives, so no host is being identified.
		No_Worker,
	};

	## Whether to raise :zeek:see:`NBA::New_Host`. Off, because on the first day every host is
	## new; nba_device.log has a line for each anyway.
	option notice_new_hosts = F;

	## For how long the same notice about the same host and device is not raised again.
	option notice_suppression = 1day;

	## How long no worker may live before :zeek:see:`NBA::No_Worker` is raised.
	option no_worker_timeout = 30secs;
}

const no_worker_check_interval = 5secs &redef;

const notice_types: table[string] of Notice::Type = {
	["unknown"] = Unknown_Device,
	["changed"] = Changed_Device,
	["misbehaving"] = Misbehaving_Device,
	["impostor"] = Impostor_Device
};

global no_worker_since = double_to_time(0.0);
global no_worker_noticed = F;

# The notice's sentence has to do without the log line beside it.
function describe(rec: DeviceInfo): string
	{
	local who = cat(rec$host);

	if ( rec?$hostname )
		who += fmt(" (%s)", rec$hostname);
	if ( rec?$mac )
		who += fmt(", MAC %s", rec$mac);
	if ( rec?$vendor )
		who += fmt(" by %s", rec$vendor);

	local what = rec?$device ? fmt("%s (confidence %.2f)", rec$device,
	    rec$confidence) : "no known device";
	local why = |rec$evidence| > 0 ? ": " + join_string_vec(rec$evidence, "; ") : "";

	return fmt("%s: %s, taken for %s%s", who, rec$state, what, why);
	}

function notice_device(note: Notice::Type, rec: DeviceInfo)
	{
	local device = rec?$device ? rec$device : "";
	local n = Notice::Info($note=note, $msg=describe(rec), $src=rec$host,
	    $identifier=cat(rec$host, device),
	    $suppress_for=notice_suppression);

	if ( |rec$alternatives| > 0 )
		n$sub = join_string_vec(rec$alternatives, ", ");

	NOTICE(n);
	}

event NBA::log_device(rec: DeviceInfo)
	{
	if ( rec$state == "learning" && rec$reason == "new" && notice_new_hosts )
		notice_device(New_Host, rec);

	if ( rec$reason == "change" && rec$state in notice_types )
		notice_device(notice_types[rec$state], rec);
	}

event NBA::check_worker()
	{
	local now = current_time();

	if ( worker_lives() )
		{
		no_worker_since = now;
		no_worker_noticed = F;
		}
	else if ( ! no_worker_noticed && now - no_worker_since >= no_worker_timeout )
		{
		no_worker_noticed = T;
		local msg = fmt("No worker for %s: sessions are skipped and no host is identified",
		    no_worker_timeout);
		NOTICE(Notice::Info($note=No_Worker, $msg=msg, $suppress_for=0sec));
		}

	schedule no_worker_check_interval { NBA::check_worker() };
	}

event zeek_init()
	{
	if ( ! active || offline || ! is_manager )
		return;

	no_worker_since = current_time();
	schedule no_worker_check_interval { NBA::check_worker() };
	}
