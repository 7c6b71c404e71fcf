# @TEST-DOC: An event of the site with an impossible value is refused and counted, and raises no notice.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek $SCRIPTS/site.zeek %INPUT
# @TEST-EXEC: zeek-cut ts since kind state <nba_site.log >lines
# @TEST-EXEC: btest-diff lines
# @TEST-EXEC: zeek-cut note src <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: zeek-cut kind verdicts refused <nba_stats.log | grep manager | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

# As in live traffic, where reports go to the log.
redef Reporter::warnings_to_stderr = F;

function addresses(n: count): vector of addr
	{
	local v: vector of addr;

	while ( |v| < n )
		v += 10.0.0.1;

	return v;
	}

event zeek_init()
	{
	local inf = 1e308 * 10.0;
	local nan = inf - inf;

	Test::tell(Test::Site($ts=nan));
	Test::tell(Test::Site($ts=-1.0));
	Test::tell(Test::Site($since=inf));
	Test::tell(Test::Site($since=4102444800.0));
	Test::tell(Test::Site($kind="weather"));
	Test::tell(Test::Site($kind=""));
	Test::tell(Test::Site($state="perhaps"));
	Test::tell(Test::Site($where=string_fill(257, "x")));
	Test::tell(Test::Site($worker=string_fill(257, "x")));
	Test::tell(Test::Site($examples=addresses(6)));

	# The limits themselves are allowed.
	Test::tell(Test::Site($ts=0.0, $since=0.0, $where=string_fill(256, "x"),
	    $examples=addresses(5)));
	event Test::done();
	}
