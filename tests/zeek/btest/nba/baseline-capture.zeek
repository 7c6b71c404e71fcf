# @TEST-DOC: While a capture is read, an unknown host has a notice of its own, whatever its baseline.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note src <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

event zeek_init()
	{
	NBA::offline = T;
	Test::give(Test::Verdict($state="unknown", $device=""));
	event Test::done();
	}
