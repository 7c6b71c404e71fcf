# @TEST-DOC: Answers of the DNS to hosts arrive with the name that was asked for, before the sessions since; odd names are counted, and those about neighbours are left out.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker names.pcap
# @TEST-EXEC: sed -n '/names/,/sessions/p' worker/.stdout >names
# @TEST-EXEC: btest-diff names
# @TEST-EXEC: zeek-cut kind names_seen names_sent names_skipped names_invalid <sensor/nba_stats.log | grep sensor | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr
