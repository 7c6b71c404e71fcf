##! Lists the ports of tunnels that Zeek decapsulates.

module NBA;

# UDP ports of tunnels that Zeek decapsulates. The inner traffic has sessions of its own. The outer
# flow is that of a mirror or gateway, which is no host to identify. GRE and ERSPAN without UDP
# have no outer session. nba_broker/archive/tunnels.py does the same for archives. Zeek 8.0 does
# not export the ports of Teredo, AYIYA and GTP.
global tunnel_ports: set[port] = {
	3544/udp, # Teredo
	5072/udp, # AYIYA
	2152/udp, # GTP's user plane
};

# After all scripts have set their ports.
event zeek_init() &priority=10
	{
	tunnel_ports = tunnel_ports | PacketAnalyzer::VXLAN::vxlan_ports |
	    PacketAnalyzer::Geneve::geneve_ports |
	    PacketAnalyzer::GRE::gre_ports;
	}
