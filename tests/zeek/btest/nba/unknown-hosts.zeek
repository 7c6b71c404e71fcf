# @TEST-DOC: A summary with impossible values is refused and counted.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: zeek-cut kind verdicts refused <nba_stats.log | grep manager | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

module NBA;

function items(n: count): vector of string
	{
	local v: vector of string;

	while ( |v| < n )
		v += "x";

	return v;
	}

event summaries()
	{
	local nan = 1e308 * 10.0 - 1e308 * 10.0;

	event NBA::unknown_hosts(nan, "btest", 1, items(1));
	event NBA::unknown_hosts(-1.0, "btest", 1, items(1));
	event NBA::unknown_hosts(1.0, "btest", 1, items(17));
	event NBA::unknown_hosts(1.0, "btest", 1, vector(string_fill(257, "x")));
	event NBA::unknown_hosts(1.0, string_fill(257, "x"), 1, items(1));

	# The limits themselves are allowed.
	event NBA::unknown_hosts(0.0, "btest", 1, items(16));
	event Test::done();
	}

event zeek_init()
	{
	Test::give(Test::Verdict($state="unknown", $device=""));
	event summaries();
	}
