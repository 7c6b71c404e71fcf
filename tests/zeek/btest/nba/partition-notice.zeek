# @TEST-DOC: The lack of a worker is noticed for each partition, and a worker of none is warned of.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp %INPUT
# @TEST-EXEC: zeek-cut note msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: zeek-cut level message <reporter.log | grep WARNING >warnings
# @TEST-EXEC: btest-diff warnings
# @TEST-EXEC: compare-stderr

module NBA;

redef exit_only_after_terminate = T;
redef partitions = 2;
redef no_worker_check_interval = 50msecs;
redef no_worker_timeout = 400msecs;

event done()
	{
	terminate();
	}

event Notice::log_notice(rec: Notice::Info)
	{
	event done();
	}

event zeek_init()
	{
	event NBA::hello("btest/1");
	event NBA::hello("btest/2");
	event NBA::hello("btest/2");
	}
