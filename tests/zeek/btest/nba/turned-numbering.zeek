# @TEST-DOC: While a session is held back, no batch says that all sessions since it began were told.
#
# @TEST-PORT: BROKER_PORT
# @TEST-EXEC: with-worker turned.pcap %INPUT
# @TEST-EXEC: btest-diff worker/.stdout
# @TEST-EXEC: compare-stderr

redef NBA::batch_size = 1;
@ifdef ( Worker::print_sessions )
redef Worker::print_clock = T;
@endif
