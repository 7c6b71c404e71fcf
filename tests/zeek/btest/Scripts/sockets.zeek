##! Lets the processes of one test meet: both run in folders beside these sockets.

@load base/frameworks/cluster

@ifdef ( Cluster::CLUSTER_BACKEND_NONE )

@load policy/frameworks/cluster/backend/zeromq

redef Cluster::Backend::ZeroMQ::listen_xpub_endpoint = "ipc://../xpub";
redef Cluster::Backend::ZeroMQ::listen_xsub_endpoint = "ipc://../xsub";
redef Cluster::Backend::ZeroMQ::connect_xpub_endpoint = "ipc://../xsub";
redef Cluster::Backend::ZeroMQ::connect_xsub_endpoint = "ipc://../xpub";

@else

# Before 8.1 a single Zeek speaks over Broker, at a port that btest gives the test.
event zeek_init()
	{
	local test_port = to_port(getenv("BROKER_PORT"));

	if ( NBA::pcap_mode )
		Broker::listen("127.0.0.1", test_port);
	else
		Broker::peer("127.0.0.1", test_port, 100msecs);
	}

@endif
