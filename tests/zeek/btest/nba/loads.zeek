# @TEST-DOC: The package loads without a word, in default and bare mode, with and without standalone.zeek, even twice.
#
# @TEST-EXEC: zeek -a $PACKAGE >>output 2>&1
# @TEST-EXEC: zeek -a $PACKAGE/standalone.zeek >>output 2>&1
# @TEST-EXEC: zeek -a $PACKAGE $PACKAGE/standalone.zeek >>output 2>&1
# @TEST-EXEC: zeek -ba $PACKAGE >>output 2>&1
# @TEST-EXEC: zeek -ba $PACKAGE/standalone.zeek >>output 2>&1
# @TEST-EXEC: zeek -e '' $PACKAGE >>output 2>&1
# @TEST-EXEC: test ! -s output
