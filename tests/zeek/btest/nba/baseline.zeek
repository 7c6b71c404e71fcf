# @TEST-DOC: Within its baseline an unknown host has no notice of its own, but counts in the day's summary until it is known; the other notices are raised.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note src n msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

module NBA;

const first = 1700000000.0;
const week = 7 * 86400.0;

function summary(day: count)
	{
	event NBA::unknown_hosts(first + day * 86400, "btest", 2, vector(
	    "2 mostly to as:64500", "1 mostly to gw"));
	}

event zeek_init()
	{
	# Nothing is new on a day without newly unknown hosts.
	summary(1);
	Test::give(Test::Verdict($state="unknown", $device=""));
	Test::give(Test::Verdict($host=10.0.0.2, $state="unknown", $device=""));
	Test::give(Test::Verdict($host=10.0.0.2, $state="unknown", $device=""));
	Test::give(Test::Verdict($host=10.0.0.3, $state="unknown", $device=""));
	Test::give(Test::Verdict($host=10.0.0.3));
	Test::give(Test::Verdict($host=10.0.0.4, $state="unknown", $device="",
	    $reason="reminder"));
	Test::give(Test::Verdict($host=10.0.0.4, $state="unknown", $device="",
	    $reason="annotation"));
	summary(2);
	summary(3);
	Test::give(Test::Verdict($host=10.0.0.5, $state="misbehaving"));
	Test::give(Test::Verdict($host=10.0.0.6, $state="unknown", $device="",
	    $ts=first + week - 1));
	Test::give(Test::Verdict($host=10.0.0.7, $state="unknown", $device="",
	    $ts=first + week));
	summary(8);
	event Test::done();
	}
