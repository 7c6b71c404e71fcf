# @TEST-DOC: A verdict becomes a line of nba_device.log; what it leaves empty is unset there.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: grep -v '^#open\|^#close' nba_device.log >nba_device
# @TEST-EXEC: btest-diff nba_device
# @TEST-EXEC: compare-stderr

event zeek_init()
	{
	Test::give(Test::Verdict());
	Test::give(Test::Verdict($host=[fd00::2], $mac="", $hostname="", $vendor="",
	    $state="learning", $previous="", $device="", $category="",
	    $confidence=0.0, $alternatives=vector(), $sessions=1, $reason="new",
	    $evidence=vector(), $uids=vector(), $model="", $worker=""));
	event Test::done();
	}
