# @TEST-DOC: No partition at all stops Zeek with one clear line.
#
# @TEST-EXEC-FAIL: zeek $PACKAGE NBA::partitions=0 2>output
# @TEST-EXEC: grep -c "NBA::partitions is 0; set it to a number from 1 to 1000" output
