# @TEST-DOC: Notices do not hang on nba_device.log: its stream may be disabled, and a policy may keep lines out.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: test ! -e nba_device.log
# @TEST-EXEC: zeek-cut note src <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

event zeek_init() &priority=-5
	{
	Log::disable_stream(NBA::DEVICE_LOG);
	Test::give(Test::Verdict($state="misbehaving"));
	event Test::done();
	}

# @TEST-START-NEXT

hook NBA::log_policy(rec: NBA::DeviceInfo, id: Log::ID, filter: Log::Filter)
	{
	break;
	}

event zeek_init()
	{
	Test::give(Test::Verdict($state="misbehaving"));
	event Test::done();
	}
