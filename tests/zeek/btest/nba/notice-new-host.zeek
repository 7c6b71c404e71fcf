# @TEST-DOC: A new host raises a notice where the operator wants that.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note src msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

redef NBA::notice_new_hosts = T;

event zeek_init()
	{
	Test::give(Test::Verdict($state="learning", $previous="", $device="",
	    $confidence=0.0, $reason="new", $evidence=vector()));
	event Test::done();
	}
