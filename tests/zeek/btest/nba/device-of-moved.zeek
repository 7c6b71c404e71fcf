# @TEST-DOC: NBA::device_of follows a host to its next address, by lease or verdict, and has nobody at the former one.
#
# @TEST-EXEC: zeek $PACKAGE/standalone.zeek NBA::listen_port=0/tcp $SCRIPTS/verdict.zeek %INPUT >output
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: compare-stderr

module NBA;

const camera = "02:00:00:00:00:01";
const plug = "02:00:00:00:00:02";
const repeater = "02:00:00:00:00:fd";

event ask(step: string)
	{
	local said: vector of string;

	for ( host in devices )
		said += fmt("%s %s", host, device_of(host));

	print fmt("%s: %s", step, join_string_vec(sort(said, strcmp), ", "));
	}

function lend(host: addr, mac: string, types: vector of string)
	{
	event DHCP::log_dhcp(DHCP::Info($ts=network_time(), $uids=set(), $mac=mac,
	    $assigned_addr=host, $msg_types=types));
	}

event zeek_init()
	{
	local acknowledged = vector("REQUEST", "ACK");

	Test::give(Test::Verdict($host=10.0.0.1, $mac=camera, $device="camera"));
	Test::give(Test::Verdict($host=10.0.0.2, $mac=plug, $device="plug"));
	event ask("two hosts");
	lend(10.0.0.1, camera, acknowledged);
	event ask("its own lease");
	lend(10.0.0.3, camera, vector("DISCOVER", "OFFER"));
	event ask("an offer");
	lend(10.0.0.3, camera, acknowledged);
	event ask("another address");
	lend(10.0.0.3, plug, acknowledged);
	event ask("in another's place");
	Test::give(Test::Verdict($host=10.0.0.4, $mac=plug, $device="plug"));
	event ask("a verdict from elsewhere");
	Test::give(Test::Verdict($host=[fd00::4], $mac=plug, $device="plug"));
	event ask("a verdict by IPv6");
	Test::give(Test::Verdict($host=10.0.0.5, $mac=repeater, $device="bulb"));
	lend(10.0.0.5, camera, acknowledged);
	event ask("a lease that contradicts");
	Test::give(Test::Verdict($host=10.0.0.5, $mac=repeater, $device="bulb"));
	lend(10.0.0.5, camera, acknowledged);
	event ask("its renewal");
	event Test::done();
	}
