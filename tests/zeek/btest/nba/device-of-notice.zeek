# @TEST-DOC: With NBA::device_of, the notices of other scripts name the device, as docs/logs.md shows.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut src msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

redef enum Notice::Type += { Heard };

hook Notice::policy(n: Notice::Info)
	{
	local device = n?$src ? NBA::device_of(n$src) : "";

	if ( device != "" )
		n$msg += fmt(" [%s]", device);
	}

event other_script()
	{
	NOTICE(Notice::Info($note=Heard, $msg="a port scan", $src=10.0.0.1));
	NOTICE(Notice::Info($note=Heard, $msg="a port scan", $src=10.0.0.9));
	}

event zeek_init()
	{
	Test::give(Test::Verdict());
	event other_script();
	event Test::done();
	}
