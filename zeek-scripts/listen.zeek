##! Opens the WebSocket port for the worker, on the manager of a cluster.

@load ./main

module NBA;

export {
	## The port for the worker. 0/tcp opens none, for a worker that connects to another WebSocket
	## server of Zeek, such as the one that ZeekControl configures. ZeekControl and
	## Zeek's systemd generator number their own ports from 27760 upwards, with a logger's or
	## ZeroMQ's socket at 27761. A port in that range would keep one of them from starting.
	const listen_port = 27758/tcp &redef;

	## The address to listen on. Every client of the port is trusted: use loopback, or require
	## client certificates with :zeek:see:`NBA::tls_options`.
	const listen_addr = 127.0.0.1 &redef;

	## TLS for the port: certificate, key, and whether clients need a certificate.
	const tls_options = Cluster::WebSocketTLSOptions() &redef;
}

event NBA::listen()
	{
	if ( ! Cluster::listen_websocket(Cluster::WebSocketServerOptions(
	    $listen_addr=listen_addr, $listen_port=listen_port,
	    $tls_options=tls_options)) )
		Reporter::error(fmt("NBA: cannot listen on %s:%s, so no worker can join",
		    listen_addr, listen_port));
	}

# After the cluster backend has started.
event zeek_init() &priority=-100
	{
	if ( ! active || ! listening || listen_port == 0/tcp )
		return;

	# An error here ends Zeek. That is right for a capture, which would wait forever, but a
	# sensor has to continue if another program uses the port.
	if ( offline )
		event NBA::listen();
	else
		schedule 0secs { NBA::listen() };
	}
