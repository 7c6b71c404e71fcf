# @TEST-DOC: What the worker says of itself becomes a row of nba_stats.log; an endless lag is left out, and so is a worker of a partition that there is not.
#
# @TEST-EXEC: zeek $PACKAGE %INPUT
# @TEST-EXEC: zeek-cut node kind skipped received lost late invalid scored hosts evicted verdicts queue lag model names_received names_lost names_skipped <nba_stats.log | grep btest >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

event done()
	{
	terminate();
	}

event zeek_init()
	{
	event NBA::worker_status("btest", "default", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	    0.25, 11, 12, 13);
	event NBA::worker_status("btest", "default", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	    1e308 * 10.0, 11, 12, 13);
	event NBA::worker_status("btest/1", "default", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    0.0, 0, 0, 0);
	event done();
	}
