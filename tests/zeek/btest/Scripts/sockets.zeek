##! Lets the processes of one test meet: both run in folders beside these sockets.

@load policy/frameworks/cluster/backend/zeromq

redef Cluster::Backend::ZeroMQ::listen_xpub_endpoint = "ipc://../xpub";
redef Cluster::Backend::ZeroMQ::listen_xsub_endpoint = "ipc://../xsub";
redef Cluster::Backend::ZeroMQ::connect_xpub_endpoint = "ipc://../xsub";
redef Cluster::Backend::ZeroMQ::connect_xsub_endpoint = "ipc://../xpub";
