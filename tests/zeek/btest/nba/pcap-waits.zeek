# @TEST-DOC: A capture waits for a slow worker, so that no session is skipped.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker eight.pcap %INPUT
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: zeek-cut kind seen sent skipped unacked <sensor/nba_stats.log | grep sensor | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

redef NBA::batch_size = 1;
redef NBA::max_unacked = 2;

@ifdef ( Worker::delay )
redef Worker::delay = 100msecs;
@endif
