# @TEST-DOC: A change to a bad state raises its notice, once for the same device; reminders and good states raise none.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note src msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices

event zeek_init()
	{
	Test::give(Test::Verdict($state="learning", $previous="", $reason="new"));
	Test::give(Test::Verdict($state="identified"));
	Test::give(Test::Verdict($state="changed"));
	Test::give(Test::Verdict($state="changed"));
	Test::give(Test::Verdict($state="changed", $device="acme-plug"));
	Test::give(Test::Verdict($state="misbehaving"));
	Test::give(Test::Verdict($state="impostor"));
	Test::give(Test::Verdict($state="unknown", $reason="reminder"));
	Test::give(Test::Verdict($state="unknown", $device="", $mac="", $hostname="",
	    $vendor="", $evidence=vector(), $alternatives=vector()));
	event Test::done();
	}
