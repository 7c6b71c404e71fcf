# @TEST-DOC: NBA::device_of knows a host's last device, forgets the oldest when it must, and believes no impossible verdict.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT >output
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: compare-stderr

module NBA;

redef max_devices = 2;

event ask(host: addr)
	{
	print host, device_of(host), |devices|, |verdict_order|;
	}

event zeek_init()
	{
	event ask(10.0.0.1);
	Test::give(Test::Verdict($device="plug", $mac=""));
	Test::give(Test::Verdict($device="camera", $mac=""));
	Test::give(Test::Verdict($device="liar", $mac="", $confidence=2.0));
	event ask(10.0.0.1);
	Test::give(Test::Verdict($host=10.0.0.2, $device="bulb", $mac=""));
	Test::give(Test::Verdict($device="camera", $mac=""));
	Test::give(Test::Verdict($host=10.0.0.3, $device="hub", $mac=""));
	event ask(10.0.0.1);
	event ask(10.0.0.2);
	event ask(10.0.0.3);
	Test::give(Test::Verdict($host=10.0.0.3, $state="unknown", $device="", $mac=""));
	event ask(10.0.0.3);
	event Test::done();
	}
