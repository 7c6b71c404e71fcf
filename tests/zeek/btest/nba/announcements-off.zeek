# @TEST-DOC: With NBA::report_announcements=F no announcement is sent.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker announcements.pcap NBA::report_announcements=F
# @TEST-EXEC-FAIL: grep announced worker/.stdout
# @TEST-EXEC: grep -c batch worker/.stdout >batches
# @TEST-EXEC: btest-diff batches
# @TEST-EXEC: compare-stderr
