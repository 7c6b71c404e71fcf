##! Ends Zeek with a replayed capture, so that its last batch goes out and its last row is written.

event Pcap::file_done(path: string)
	{
	terminate();
	}
