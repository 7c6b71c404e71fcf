# @TEST-DOC: With more hosts than NBA::device_of remembers, each new one costs no word and no search.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT >output
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: compare-stderr

module NBA;

redef max_devices = 50;

event summary()
	{
	print |devices|, |verdict_order|, |ipv4_of|;
	print device_of(10.0.3.231), device_of(10.0.3.182), device_of(10.0.3.181) == "";
	}

event zeek_init()
	{
	local n = 0;

	while ( ++n < 1000 )
		Test::give(Test::Verdict($host=counts_to_addr(vector(167772160 + n)),
		    $mac=fmt("02:00:00:00:%02x:%02x", n / 256, n % 256), $device="plug"));

	event summary();
	event Test::done();
	}
