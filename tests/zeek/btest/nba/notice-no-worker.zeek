# @TEST-DOC: The lack of a worker is noticed once, and once more after one was there again.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp %INPUT
# @TEST-EXEC: zeek-cut note msg <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: compare-stderr

module NBA;

redef exit_only_after_terminate = T;
redef no_worker_check_interval = 50msecs;
redef no_worker_timeout = 200msecs;
redef worker_timeout = 200msecs;

event done()
	{
	terminate();
	}

global notices = 0;

# Ten checks after each notice: time enough for one too many, however slow the machine.
event Notice::log_notice(rec: Notice::Info)
	{
	if ( ++notices == 1 )
		schedule 500msecs { NBA::hello("btest") };
	else
		schedule 500msecs { done() };
	}

event zeek_init()
	{
	schedule 20sec { done() };
	}
