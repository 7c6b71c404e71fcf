##! Reads a capture on a sensor without the package: from when the cluster is complete to its end.

@load policy/frameworks/cluster/experimental

event zeek_init()
	{
	suspend_processing();
	}

event Cluster::Experimental::cluster_started()
	{
	continue_processing();
	}

event Pcap::file_done(path: string) &priority=-5
	{
	terminate();
	}
