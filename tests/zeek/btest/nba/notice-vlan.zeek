# @TEST-DOC: Hosts with one address in two VLANs, or at two sites, have a notice each, which says so; the log has both.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek %INPUT
# @TEST-EXEC: zeek-cut note src msg <notice.log >notices
# @TEST-EXEC: zeek-cut host mac state vlan site <nba_device.log >hosts
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: btest-diff hosts

redef NBA::baseline = 0secs;

event zeek_init()
	{
	Test::give(Test::Verdict($state="misbehaving", $mac="", $vlan="10"));
	Test::give(Test::Verdict($state="misbehaving", $mac="", $vlan="20"));
	Test::give(Test::Verdict($state="misbehaving", $mac="", $vlan="20"));
	Test::give(Test::Verdict($state="misbehaving", $mac="", $vlan="20",
	    $site="north"));
	event Test::done();
	}
