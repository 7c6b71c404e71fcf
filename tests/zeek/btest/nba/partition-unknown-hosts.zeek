# @TEST-DOC: A worker's summary is of the hosts of its own partition.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

module NBA;

redef partitions = 2;

event summaries()
	{
	event NBA::unknown_hosts(1.0, "btest/1", 2, vector("two"));
	event NBA::unknown_hosts(2.0, "btest/1", 2, vector("the same two"));
	event NBA::unknown_hosts(1.0, "btest", 1, vector("one"));
	event Test::done();
	}

event zeek_init()
	{
	Test::give(Test::Verdict($state="unknown", $device=""));
	Test::give(Test::Verdict($state="unknown", $device="", $host=10.0.0.2,
	    $worker="btest/1"));
	Test::give(Test::Verdict($state="unknown", $device="", $host=10.0.0.3,
	    $worker="btest/1"));
	event summaries();
	}
