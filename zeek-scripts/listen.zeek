##! Opens the WebSocket port at which the worker joins, on the manager of a cluster.

@load ./main

module NBA;

export {
	## The port at which the worker joins; 0/tcp opens none, for a worker that joins at
	## Zeek's own WebSocket server, such as the one that ZeekControl configures. ZeekControl and
	## Zeek's systemd generator number their own ports from 27760 upwards, with a logger's or
	## ZeroMQ's socket at 27761: a port of this range would keep one of them from starting.
	const listen_port = 27758/tcp &redef;

	## The address to listen on. Whoever reaches the port is trusted: keep it on loopback, or
	## have :zeek:see:`NBA::tls_options` ask for client certificates.
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

	# An error here would end Zeek. That is right for a capture, which would wait for ever, but
	# a sensor has to go on when another program has taken the port.
	if ( offline )
		event NBA::listen();
	else
		schedule 0secs { NBA::listen() };
	}
