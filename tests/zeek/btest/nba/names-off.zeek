# @TEST-DOC: With NBA::report_names=F no name is sent.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker names.pcap NBA::report_names=F
# @TEST-EXEC-FAIL: grep names worker/.stdout
# @TEST-EXEC: zeek-cut kind names_seen names_sent names_skipped names_invalid <sensor/nba_stats.log | grep sensor | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr
