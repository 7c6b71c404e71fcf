# @TEST-DOC: An event of the site has a line when it begins and one when it is over, and one notice.
#
# @TEST-EXEC: zeek $PACKAGE $SCRIPTS/verdict.zeek $SCRIPTS/site.zeek %INPUT
# @TEST-EXEC: grep -v '^#open\|^#close' nba_site.log >nba_site
# @TEST-EXEC: btest-diff nba_site
# @TEST-EXEC: zeek-cut note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

event zeek_init()
	{
	Test::tell(Test::Site());
	Test::tell(Test::Site($ts=1700021600.25, $state="over", $hosts=8));
	Test::tell(Test::Site($kind="dns", $where="10.0.0.53 53/udp",
	    $examples=vector(), $worker=""));
	Test::tell(Test::Site($kind="dhcp"));
	Test::tell(Test::Site($kind="ntp", $where="as:15169"));
	Test::tell(Test::Site($kind="resolver", $where="9.9.9.9 53/udp"));
	Test::tell(Test::Site($kind="probe", $where="10.0.0.99"));
	event Test::done();
	}
