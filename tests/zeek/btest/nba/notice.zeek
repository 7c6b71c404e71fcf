# @TEST-DOC: A change to a bad state raises its notice, once for the same device; reminders, annotations and good states raise none.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note src uid msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

redef NBA::baseline = 0secs;

event zeek_init()
	{
	Test::give(Test::Verdict($state="learning", $previous="", $reason="new"));
	Test::give(Test::Verdict($state="identified"));
	Test::give(Test::Verdict($state="changed", $previous="acme-hub"));
	Test::give(Test::Verdict($state="changed", $previous="acme-hub"));
	Test::give(Test::Verdict($state="changed", $previous="acme-hub",
	    $device="acme-plug"));
	Test::give(Test::Verdict($state="misbehaving"));
	Test::give(Test::Verdict($host=10.0.0.2, $state="misbehaving", $device=""));
	Test::give(Test::Verdict($state="impostor"));
	Test::give(Test::Verdict($state="unknown", $reason="reminder"));
	Test::give(Test::Verdict($state="unknown", $reason="annotation"));
	Test::give(Test::Verdict($state="unknown", $device="",
	    $hints=vector("camera? Acme", "OUI Acme")));
	Test::give(Test::Verdict($host=10.0.0.2, $state="unknown", $device="", $mac="",
	    $hostname="", $vendor="", $evidence=vector(),
	    $alternatives=vector(), $alternative_device=vector(),
	    $alternative_confidence=vector(), $alternative_possible=vector(),
	    $uids=vector(), $model=""));
	event Test::done();
	}
