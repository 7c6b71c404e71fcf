# @TEST-DOC: The lack of a worker is noticed once, and once more after one was there again.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp %INPUT
# @TEST-EXEC: zeek-cut note msg <notice.log >notices
# @TEST-EXEC: btest-diff notices

module NBA;

redef exit_only_after_terminate = T;
redef no_worker_check_interval = 50msecs;
redef no_worker_timeout = 200msecs;
redef worker_timeout = 200msecs;

event done()
	{
	terminate();
	}

event zeek_init()
	{
	schedule 1sec { NBA::hello("btest") };
	schedule 2sec { done() };
	}
