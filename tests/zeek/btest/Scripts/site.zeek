##! Raises events of the site as the worker would send them, each value plausible unless said otherwise.

module Test;

export {
	type Site: record {
		ts: double &default=1700000090.5;
		kind: string &default="internet";
		state: string &default="begun";
		since: double &default=1700000000.0;
		hosts: count &default=7;
		watched: count &default=9;
		where: string &default="";
		examples: vector of addr &default=vector(10.0.0.1, [2001:db8::7]);
		worker: string &default="btest";
	};

	global tell: function(s: Site);
}

function tell(s: Site)
	{
	event NBA::site_event(s$ts, s$kind, s$state, s$since, s$hosts, s$watched,
	    s$where, s$examples, s$worker);
	}
