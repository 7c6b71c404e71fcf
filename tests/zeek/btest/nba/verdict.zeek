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
	    $evidence=vector(), $uids=vector(), $model="", $worker="",
	    $evidence_dst=vector(), $evidence_port=vector(),
	    $evidence_proto=vector(), $evidence_pool=vector(),
	    $evidence_org=vector(), $evidence_ts=vector(),
	    $evidence_sessions=vector(), $evidence_weight=vector(),
	    $alternative_device=vector(), $alternative_confidence=vector(),
	    $alternative_possible=vector(),
	    $evidence_name=vector(), $hints=vector("camera? Acme", "OUI Acme"),
	    $hint_maker="Acme", $hint_kind="camera"));
	# An alarm's evidence has no weight, but a surprise.
	Test::give(Test::Verdict($state="misbehaving", $evidence_dst=vector(192.0.2.7),
	    $evidence_port=vector(8), $evidence_proto=vector("icmp"),
	    $evidence_pool=vector("as:1,2"), $evidence_org=vector(""),
	    $evidence_ts=vector(1700000059.123456), $evidence_sessions=vector(),
	    $evidence_weight=vector(), $evidence_surprise=vector(9.5),
	    $similar_host="10.0.0.7", $evidence_name=vector(
	    "=cmd,<b>.example.com")));
	# A missing destination has neither.
	Test::give(Test::Verdict($reason="missing", $evidence=vector(
	    "missing: 192.0.2.7 8883/tcp as:64500"), $evidence_dst=vector(192.0.2.7),
	    $evidence_port=vector(8883), $evidence_proto=vector("tcp"),
	    $evidence_pool=vector("as:64500"), $evidence_org=vector(""),
	    $evidence_ts=vector(1700000030.0), $evidence_sessions=vector(),
	    $evidence_weight=vector(), $evidence_name=vector()));
	event Test::done();
	}
