##! Reports each session once it is known which of its ends began it, as conn.log has it.

@load ./main
@load ./tunnels

module NBA;

# How long a session is held back that Zeek may turn round. In live traffic the packet that decides
# is the next one, a round trip later, and sessions of all sensors wait for this one to be put in
# order; in a capture nobody waits, and Zeek itself gives up after tcp_attempt_delay.
const max_held_back = 1sec;

# So many are held back at most, whatever comes; more are reported as they are.
const max_held_sessions = 1000 &redef;

# In sessions.zeek.
global report_session: function(c: connection);

# By uid, the oldest first.
global held_sessions: table[string] of connection &ordered;

# Until when all sessions that began have been reported.
function all_reported_until(now: time): time
	{
	for ( uid, c in held_sessions )
		return c$start_time < now ? c$start_time : now;

	return now;
	}

function release_session(uid: string)
	{
	if ( uid !in held_sessions )
		return;

	local c = held_sessions[uid];
	delete held_sessions[uid];
	report_session(c);
	}

# At the end, when nothing more decides.
function release_sessions()
	{
	for ( uid, c in held_sessions )
		report_session(c);

	clear_table(held_sessions);
	}

event NBA::held_long_enough(uid: string)
	{
	release_session(uid);
	}

function hold_back(c: connection)
	{
	if ( |held_sessions| >= max_held_sessions )
		{
		report_session(c);
		return;
		}

	held_sessions[c$uid] = c;
	schedule offline ? tcp_attempt_delay : max_held_back { NBA::held_long_enough(
	    c$uid) };
	}

event new_connection(c: connection)
	{
	if ( ! active )
		return;

	local dport = c$id$resp_p;

	if ( dport in tunnel_ports )
		return;

	# Where the first packet is a SYN/ACK, its sender is taken for the originator: a scan may begin
	# so. If traffic follows, the SYN was lost, and Zeek turns the session round. Where it knows the
	# server's port it does so at once. The port tells nearly all sessions apart from these, as
	# clients have none below 1024; only the others are looked up. What else turns a session round
	# comes with its first packet and has been done by now.
	if ( dport >= 1024/tcp
	    && dport <= 65535/tcp
	    && lookup_connection(c$id)$history == "H" )
		hold_back(c);
	else
		report_session(c);
	}

event connection_flipped(c: connection)
	{
	release_session(c$uid);
	}
