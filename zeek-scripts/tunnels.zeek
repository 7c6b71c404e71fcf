##! Says which sessions are the outer flow of a tunnel that Zeek looks into.

module NBA;

# UDP ports of tunnels whose packets Zeek unpacks. What is inside has sessions of its own; the
# outside is that of a mirror or gateway, which is no host to identify. GRE and ERSPAN without UDP
# have no outer session. As nba_broker/archive/tunnels.py has it for archives. Of Teredo, AYIYA and GTP, Zeek
# 8.0 does not export its ports.
global tunnel_ports: set[port] = {
	3544/udp, # Teredo
	5072/udp, # AYIYA
	2152/udp, # GTP's user plane
};

# Once all scripts have set theirs.
event zeek_init() &priority=10
	{
	tunnel_ports = tunnel_ports | PacketAnalyzer::VXLAN::vxlan_ports |
	    PacketAnalyzer::Geneve::geneve_ports |
	    PacketAnalyzer::GRE::gre_ports;
	}
