# @TEST-DOC: What a name ends in tells the partition, whatever the name.
#
# @TEST-EXEC: zeek $PACKAGE %INPUT >partitions
# @TEST-EXEC: btest-diff partitions
# @TEST-EXEC: compare-stderr

module NBA;

event zeek_init()
	{
	for ( name in set("a/1", "a/9", "a/10", "a/999", "a/b/12") )
		print NBA::partition_of(name) > 0;

	for ( name in set("", "a", "a/", "a/0", "a/01", "a/1000", "a/-1", "a/1 ",
	    "a/1/x", "a1", "a/1\n") )
		print NBA::partition_of(name) == 0;

	print name_in(0, "a"), name_in(7, "a");
	}
