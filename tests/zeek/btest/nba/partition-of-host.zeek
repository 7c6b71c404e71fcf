# @TEST-DOC: A host's MAC decides on its partition; without one, or behind a router, that in its address, or that.
#
# @TEST-EXEC: zeek -r $TRACES/eight.pcap $PACKAGE NBA::pcap_mode=F %INPUT >partitions
# @TEST-EXEC: btest-diff partitions
# @TEST-EXEC: compare-stderr

module NBA;

redef partitions = 8;
redef routers += {"02:00:00:00:00:fe"};

const camera = "02:00:00:00:00:01";
const router = "02:00:00:00:00:fe";

event zeek_init()
	{
	# As if the package took part.
	while ( |shares| < partitions )
		{
		local partition = |shares|;
		shares += Share($partition=partition, $run=this_run);
		HashHRW::add_site(partition_pool, HashHRW::Site($id=partition));
		}

	print "one host", partition_for(10.0.0.1, camera) == partition_for([fe80::1],
	    camera);
	print "its address", partition_for([fe80::ff:fe00:1], "") == partition_for(
	    10.0.0.1, camera);
	print "a router's", partition_for(10.0.0.7, router) == partition_for(10.0.0.7,
	    "");
	print "a router's IPv6", partition_for([fd00::ff:fe00:1], router) ==
	    partition_for(10.0.0.1, camera);
	print "no EUI-64", eui64_mac([fe80::1]) == "", eui64_mac([fe80::100:ff:fe00:1]) == "",
	    eui64_mac(10.0.0.1) == "";

	local hosts_of: table[count] of count &default=0;
	local n = 0;

	while ( n < 256 )
		{
		++hosts_of[partition_for(counts_to_addr(vector(167772160 + n)), "")];
		++n;
		}

	n = 0;
	while ( n < partitions )
		{
		print "hosts", n, hosts_of[n];
		++n;
		}
	}
