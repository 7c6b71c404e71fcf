# @TEST-DOC: A flood of verdicts and statuses is cut off and counted.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut host <nba_device.log | wc -l | tr -d ' ' >logged
# @TEST-EXEC: btest-diff logged
# @TEST-EXEC: zeek-cut kind <nba_stats.log | grep -c worker | tr -d ' ' >statuses
# @TEST-EXEC: btest-diff statuses
# @TEST-EXEC: zeek-cut kind verdicts refused <nba_stats.log | grep manager | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

redef NBA::max_verdicts_per_second = 10;

event zeek_init()
	{
	local n = 0;

	while ( n < 100 )
		{
		++n;
		Test::give(Test::Verdict());
		event NBA::worker_status("btest", "default", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		    0.0, 0, 0, 0);
		}

	event Test::done();
	}
