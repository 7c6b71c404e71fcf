# @TEST-DOC: NBA::Site_Event does not hang on nba_site.log: its stream may be disabled, and a policy may keep lines out.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek $SCRIPTS/site.zeek %INPUT
# @TEST-EXEC: test ! -e nba_site.log
# @TEST-EXEC: zeek-cut msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

event zeek_init() &priority=-5
	{
	Log::disable_stream(NBA::SITE_LOG);
	Test::tell(Test::Site());
	event Test::done();
	}

# @TEST-START-NEXT

hook NBA::log_policy_site(rec: NBA::SiteInfo, id: Log::ID, filter: Log::Filter)
	{
	break;
	}

event zeek_init()
	{
	Test::tell(Test::Site());
	event Test::done();
	}
