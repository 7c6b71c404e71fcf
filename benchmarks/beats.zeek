##! Beats ten times a second, on a WebSocket port of its own, and says how long Zeek ever paused.

@load base/frameworks/cluster

module Beats;

export {
	## Where to listen; 0/tcp for nowhere.
	const listen_port = 0/tcp &redef;

	## Zeek lives.
	global beat: event(at: double);
}

const beat_interval = 100msecs;

global last_beat = 0.0;
global longest = 0.0;

event Beats::due()
	{
	if ( zeek_is_terminating() )
		return;

	local now = time_to_double(current_time());

	if ( last_beat > 0.0 && now - last_beat > longest )
		longest = now - last_beat;

	last_beat = now;
	Cluster::publish("zeek/bench/beat/", Beats::beat, now);
	schedule beat_interval { Beats::due() };
	}

event Beats::listen()
	{
	Cluster::listen_websocket(Cluster::WebSocketServerOptions(
	    $listen_addr=127.0.0.1, $listen_port=listen_port));
	}

event zeek_init() &priority=-100
	{
	schedule 1sec { Beats::due() };

	if ( listen_port != 0/tcp )
		schedule 0secs { Beats::listen() };
	}

event zeek_done()
	{
	print fmt("longest %.3f", longest);
	}
