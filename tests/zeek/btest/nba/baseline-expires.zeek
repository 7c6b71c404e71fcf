# @TEST-DOC: An unknown host whose worker gives no summary is not held back for ever.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek %INPUT >held
# @TEST-EXEC: btest-diff held
# @TEST-EXEC: compare-stderr

module NBA;

redef exit_only_after_terminate = T;
redef held_back_timeout = 10msecs;
redef table_expire_interval = 10msecs;
redef table_expire_delay = 0secs;

event wait()
	{
	if ( |held_back| > 0 )
		schedule 10msecs { wait() };
	else
		{
		print "none is held back";
		terminate();
		}
	}

event begin()
	{
	print |held_back|;
	event wait();
	}

event zeek_init()
	{
	Test::give(Test::Verdict($state="unknown", $device=""));
	event begin();
	}
