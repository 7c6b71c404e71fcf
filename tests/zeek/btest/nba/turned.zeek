# @TEST-DOC: A session whose SYN was lost is told once, as conn.log has it; what nobody answers stays its sender's.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker turned.pcap %INPUT
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: zeek-cut ts id.orig_h orig_l2_addr id.resp_h id.resp_p <sensor/conn.log | grep '	10\.' | sort -n >conn
# @TEST-EXEC: btest-diff conn
# @TEST-EXEC: zeek-cut kind seen <sensor/nba_stats.log | grep sensor | tail -n 1 >stats
# @TEST-EXEC: btest-diff stats
# @TEST-EXEC: compare-stderr

@load policy/protocols/conn/mac-logging
