##! Raises verdict events as the worker would send them, each value plausible unless said otherwise.

module Test;

export {
	type Verdict: record {
		ts: double &default=1700000060.5;
		host: addr &default=10.0.0.1;
		mac: string &default="02:00:00:00:00:01";
		hostname: string &default="camera";
		vendor: string &default="Acme";
		state: string &default="identified";
		previous: string &default="learning";
		device: string &default="acme-camera";
		category: string &default="camera";
		confidence: double &default=0.93;
		alternatives: vector of string &default=vector("acme-plug=0.05");
		sessions: count &default=8;
		since: double &default=1700000060.5;
		first_seen: double &default=1700000000.0;
		reason: string &default="change";
		evidence: vector of string &default=vector("as:64500 each 30 s", "gw udp/53");
		uids: vector of string &default=vector("Cabc", "Cdef");
		model: string &default="default";
		worker: string &default="btest";
		vlan: string &default="";
		site: string &default="";
		evidence_dst: vector of addr &default=vector(192.0.2.7, [2001:db8::7]);
		evidence_port: vector of count &default=vector(443, 53);
		evidence_proto: vector of string &default=vector("tcp", "udp");
		evidence_pool: vector of string &default=vector("as:64500", "gw");
		evidence_org: vector of string &default=vector("Example, Inc.", "");
		evidence_ts: vector of double &default=vector(1700000030.0, 1700000060.0);
		evidence_sessions: vector of count &default=vector(5, 3);
		evidence_weight: vector of double &default=vector(0.75, 0.25);
		evidence_surprise: vector of double &default=vector();
		alternative_device: vector of string &default=vector("acme-plug");
		alternative_confidence: vector of double &default=vector(0.05);
		similar_host: string &default="";
		evidence_name: vector of string &default=vector("fw.example.com", "");
		hints: vector of string &default=vector();
		hint_maker: string &default="";
		hint_kind: string &default="";
		alternative_possible: vector of bool &default=vector(T);
	};

	global give: function(v: Verdict);

	## Ends Zeek once all that was raised before has been handled.
	global done: event();
}

function give(v: Verdict)
	{
	event NBA::verdict(v$ts, v$host, v$mac, v$hostname, v$vendor, v$state,
	    v$previous, v$device, v$category, v$confidence, v$alternatives,
	    v$sessions, v$since, v$first_seen, v$reason, v$evidence, v$uids,
	    v$model, v$worker, v$vlan, v$site, v$evidence_dst, v$evidence_port,
	    v$evidence_proto, v$evidence_pool, v$evidence_org, v$evidence_ts,
	    v$evidence_sessions, v$evidence_weight, v$evidence_surprise,
	    v$alternative_device, v$alternative_confidence, v$similar_host,
	    v$evidence_name, v$hints, v$hint_maker, v$hint_kind,
	    v$alternative_possible);
	}

event Test::done()
	{
	terminate();
	}
