##! Loads the package. Every node loads all of it, so that every option exists everywhere.

@load ./main
@load ./sessions
@load ./names
@load ./announcements
@load ./lease
@load ./device-log
@load ./site-log
@load ./stats-log
@load ./notice
@load ./pcap
@load ./listen
