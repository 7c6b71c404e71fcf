##! A session as an event of its own: for the sensors that publish it and the manager that passes it on.

module NBA;

export {
	## A session of its own.
	global bench_session: event(ts: double, host: addr, uid: string, mac: string,
	    dst: addr, dport: port);
}
