# @TEST-DOC: Events of one kind at one place raise one notice, whichever worker tells of them, and all have their lines.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek $SCRIPTS/site.zeek %INPUT
# @TEST-EXEC: zeek-cut ts kind where worker <nba_site.log >lines
# @TEST-EXEC: btest-diff lines
# @TEST-EXEC: zeek-cut msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

redef NBA::partitions = 2;

event zeek_init()
	{
	Test::tell(Test::Site());
	Test::tell(Test::Site($hosts=3, $worker="btest/1"));
	Test::tell(Test::Site($ts=1700003600.0, $since=1700003500.0));
	Test::tell(Test::Site($kind="probe", $where="10.0.0.98", $worker="btest/1"));
	Test::tell(Test::Site($kind="probe", $where="10.0.0.99"));
	Test::tell(Test::Site($kind="probe", $where="10.0.0.98"));
	event Test::done();
	}
