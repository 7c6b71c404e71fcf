##! Lets a worker join a single Zeek: selects a cluster backend if there is none, and listens.

# In bare mode, Zeek 8.2 does not load this for its ZeroMQ backend.
@load base/utils/addrs
@load ./__load__
@load ./compat

module NBA;

@if ( ! Cluster::is_enabled() )

redef listening = T;

@if ( ! has_cluster_backend() )

@load policy/frameworks/cluster/backend/zeromq

# Sockets in the working directory, with the process id in their names: processes do not share
# them, and only users with access to the logs can connect.
const own_xpub = fmt(".nba-%d-xpub", getpid());
const own_xsub = fmt(".nba-%d-xsub", getpid());

redef Cluster::Backend::ZeroMQ::run_proxy_thread = T;
redef Cluster::Backend::ZeroMQ::listen_xpub_endpoint = "ipc://" + own_xpub;
redef Cluster::Backend::ZeroMQ::listen_xsub_endpoint = "ipc://" + own_xsub;
redef Cluster::Backend::ZeroMQ::connect_xpub_endpoint = "ipc://" + own_xsub;
redef Cluster::Backend::ZeroMQ::connect_xsub_endpoint = "ipc://" + own_xpub;

# Last, because open connections stay.
event zeek_done() &priority=-100
	{
	for ( own in set(own_xpub, own_xsub) )
		if ( file_size(own) >= 0.0 )
			unlink(own);
	}

@endif
@endif
