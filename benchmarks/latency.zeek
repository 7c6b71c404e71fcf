##! Writes down how long after their publication sessions came back as verdicts, in seconds.

module NBA;

global latencies = open("latencies");

# By itself only the manager hears verdicts.
event zeek_init()
	{
	Cluster::subscribe(NBA::verdict_topic);
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
    alternative_possible: vector of bool)
	{
	# A new host's line comes of no score.
	if ( reason != "new" )
		print latencies, fmt("%.6f %.6f", ts, time_to_double(current_time()) - ts);
	}
