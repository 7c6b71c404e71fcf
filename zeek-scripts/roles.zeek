##! Reports each session once its direction is known, the same as in conn.log.

@load ./main
@load ./tunnels

module NBA;

# How long a session is held back whose direction Zeek may reverse. In live traffic the next packet
# decides, after a round trip, and the sessions of all sensors wait for this one. In a capture
# nothing waits, and Zeek itself gives up after tcp_attempt_delay.
const max_held_back = 1sec;

# How many sessions are held back at most. More are reported as they are.
const max_held_sessions = 1000 &redef;

# In sessions.zeek.
global report_session: function(c: connection);

# By uid, the oldest first.
global held_sessions: table[string] of connection &ordered;

# All sessions that began before this time have been reported.
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

# At the end of the traffic.
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

	# If the first packet is a SYN/ACK, Zeek takes its sender for the originator, because a scan may
	# begin like this. If traffic follows, the SYN was lost, and Zeek reverses the session; it does
	# so at once if it knows the server's port. Clients have no ports below 1024, so that only
	# sessions to higher ports are looked up. Anything else that reverses a session is in its first
	# packet and has happened already.
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
