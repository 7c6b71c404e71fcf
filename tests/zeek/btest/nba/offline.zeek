# @TEST-DOC: Loaded for a capture read with -r, the package says, writes and sends nothing.
#
# @TEST-EXEC: zeek -r $TRACES/kinds.pcap $PACKAGE >output 2>&1
# @TEST-EXEC: test -f conn.log
# @TEST-EXEC: test ! -s output
# @TEST-EXEC: ! ls | grep nba
