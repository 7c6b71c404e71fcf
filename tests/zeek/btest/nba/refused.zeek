# @TEST-DOC: A verdict with an impossible value is refused and counted, and that is reported.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut host <nba_device.log >hosts
# @TEST-EXEC: btest-diff hosts
# @TEST-EXEC: zeek-cut level message <reporter.log | grep NBA >reported
# @TEST-EXEC: btest-diff reported
# @TEST-EXEC: zeek-cut kind verdicts refused <nba_stats.log | grep manager | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

# As in live traffic, where reports go to the log.
redef Reporter::warnings_to_stderr = F;

function items(n: count): vector of string
	{
	local v: vector of string;

	while ( |v| < n )
		v += "x";

	return v;
	}

event zeek_init()
	{
	local inf = 1e308 * 10.0;
	local nan = inf - inf;

	Test::give(Test::Verdict($ts=-1.0));
	Test::give(Test::Verdict($ts=nan));
	Test::give(Test::Verdict($since=inf));
	Test::give(Test::Verdict($first_seen=4102444800.0));
	Test::give(Test::Verdict($confidence=1.01));
	Test::give(Test::Verdict($confidence=-0.01));
	Test::give(Test::Verdict($confidence=nan));
	Test::give(Test::Verdict($state="sleeping"));
	Test::give(Test::Verdict($state=""));
	Test::give(Test::Verdict($reason="whim"));
	Test::give(Test::Verdict($alternatives=items(17)));
	Test::give(Test::Verdict($evidence=items(17)));
	Test::give(Test::Verdict($uids=items(6)));
	Test::give(Test::Verdict($device=string_fill(257, "x")));
	Test::give(Test::Verdict($evidence=vector(string_fill(257, "x"))));
	Test::give(Test::Verdict($evidence_dst=vector(192.0.2.7)));
	Test::give(Test::Verdict($evidence_ts=vector(1700000030.0, nan)));
	Test::give(Test::Verdict($evidence_port=vector(443, 65536)));
	Test::give(Test::Verdict($evidence_proto=vector("tcp", "smoke")));
	Test::give(Test::Verdict($evidence_proto=vector("tcp")));
	Test::give(Test::Verdict($evidence_org=vector("", string_fill(257, "x"))));
	Test::give(Test::Verdict($evidence_weight=vector(0.5, nan)));
	Test::give(Test::Verdict($evidence_weight=vector(0.5)));
	Test::give(Test::Verdict($evidence_surprise=vector(inf)));
	Test::give(Test::Verdict($alternative_device=items(17)));
	Test::give(Test::Verdict($alternative_confidence=vector()));
	Test::give(Test::Verdict($alternative_possible=vector(T, F)));
	Test::give(Test::Verdict($evidence_weight=vector(0.5), $evidence_sessions=vector(1)));
	Test::give(Test::Verdict($similar_host="camera"));
	Test::give(Test::Verdict($evidence_name=vector("a.example")));
	Test::give(Test::Verdict($evidence_name=vector("", string_fill(257, "x"))));
	Test::give(Test::Verdict($hints=items(17)));
	Test::give(Test::Verdict($hints=vector(string_fill(257, "x"))));
	Test::give(Test::Verdict($hint_kind=string_fill(257, "x")));

	# The limits themselves are allowed.
	Test::give(Test::Verdict($host=10.0.0.9, $ts=0.0, $confidence=1.0,
	    $alternatives=items(16), $evidence=items(16), $uids=items(5),
	    $device=string_fill(256, "x")));
	event Test::done();
	}
