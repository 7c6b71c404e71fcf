# @TEST-DOC: Loaded where there is no traffic, as with zeek -e, the package leaves no log behind.
#
# @TEST-EXEC: zeek $PACKAGE -e 'print 1;' >output 2>&1
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: ! ls | grep nba
