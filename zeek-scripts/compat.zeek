##! What differs between the versions of Zeek that the package runs on, from 8.0 LTS on.

@load base/frameworks/cluster

module NBA;

# Whether nodes and WebSocket clients hear each other without more being loaded. From 8.1 on Zeek
# may have no cluster backend, which takes every message and delivers none; before, it always
# has Broker, which serves a single Zeek's WebSocket clients, too.
function has_cluster_backend(): bool
	{
@ifdef ( Cluster::CLUSTER_BACKEND_NONE )
	return Cluster::backend != Cluster::CLUSTER_BACKEND_NONE;
@else
	return T;
@endif
	}
