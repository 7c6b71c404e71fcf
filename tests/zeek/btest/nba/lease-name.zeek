# @TEST-DOC: Of a client's name only printable UTF-8 crosses the wire as it is.
#
# @TEST-EXEC: zeek $PACKAGE %INPUT >output
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: compare-stderr

module NBA;

function name(s: string): string
	{
	return client_name(DHCP::Info($ts=network_time(), $uids=set(), $host_name=s));
	}

event zeek_init()
	{
	print name("camera-1");
	print name("K\xc3\xbcche") == "K\xc3\xbcche";
	print name("a\x00b\x1f\x7f");
	print name("\xff\xfe");
	print name("\xc3");
	print name("\xed\xa0\x80");
	print name("\xf0\x9f\x92\xa1") == "\xf0\x9f\x92\xa1";
	print client_name(DHCP::Info($ts=network_time(), $uids=set(),
	    $client_fqdn="camera.example.org"));
	print client_name(DHCP::Info($ts=network_time(), $uids=set())) == "";
	# Escaped, it is four times as long; the worker takes no more than this.
	print |name(string_fill(255, "\xff"))| <= max_text;
	}
