# @TEST-DOC: NBA::device_of knows a host's last device, forgets when it must, and believes no impossible verdict.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT >output 2>/dev/null
# @TEST-EXEC: btest-diff output

module NBA;

redef max_devices = 2;

event ask(host: addr)
	{
	print host, device_of(host), |devices|;
	}

event zeek_init()
	{
	event ask(10.0.0.1);
	Test::give(Test::Verdict($device="plug"));
	Test::give(Test::Verdict($device="camera"));
	Test::give(Test::Verdict($device="liar", $confidence=2.0));
	event ask(10.0.0.1);
	Test::give(Test::Verdict($host=10.0.0.2, $device="bulb"));
	Test::give(Test::Verdict($host=10.0.0.3, $device="hub"));
	event ask(10.0.0.3);
	event Test::done();
	}
