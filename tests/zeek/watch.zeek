##! Writes down which verdicts this node hears, and what it knows of their hosts then.

module Watch;

global heard = open("heard");

function note(what: string, host: addr)
	{
	print heard, fmt("%s %s %s", what, host, NBA::device_of(host));
	flush_all();
	}

event NBA::verdict(ts: double, host: addr, mac: string, hostname: string,
    vendor: string, state: string, previous: string, device: string,
    category: string, confidence: double, alternatives: vector of string,
    sessions: count, since: double, first_seen: double, reason: string,
    evidence: vector of string, uids: vector of string, model: string,
    worker: string, vlan: string, site: string, evidence_dst: vector of addr,
    evidence_port: vector of count, evidence_proto: vector of string,
    evidence_pool: vector of string, evidence_org: vector of string,
    evidence_ts: vector of double, evidence_sessions: vector of count,
    evidence_weight: vector of double, evidence_surprise: vector of double,
    alternative_device: vector of string, alternative_confidence: vector of
    double, similar_host: string, evidence_name: vector of string,
    hints: vector of string, hint_maker: string, hint_kind: string,
    alternative_possible: vector of bool) &priority=-5
	{
	note("verdict", host);
	}

event NBA::device_is(host: addr, device: string) &priority=-5
	{
	note("device", host);
	}
