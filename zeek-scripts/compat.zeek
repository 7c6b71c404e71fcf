##! Differences between the versions of Zeek that the package supports, from 8.0 LTS on.

@load base/frameworks/cluster

module NBA;

# Whether messages between nodes and WebSocket clients are delivered. From 8.1 on Zeek may have no
# cluster backend; it then accepts every message and delivers none. Earlier versions always have
# Broker, which also serves the WebSocket clients of a single Zeek.
function has_cluster_backend(): bool
	{
@ifdef ( Cluster::CLUSTER_BACKEND_NONE )
	return Cluster::backend != Cluster::CLUSTER_BACKEND_NONE;
@else
	return T;
@endif
	}
