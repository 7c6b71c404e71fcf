##! Notes what a sensor has seen and sent, in a file that outlives what kills the sensor.

module NBA;

export {
	## The folder of the notes.
	const day_folder = "" &redef;
}

global day_notes: file;

global is_noting = F;

function note_day()
	{
	if ( ! is_noting )
		return;

	local share = shares[0];
	print day_notes, share$run, current_time(), share$seen_sessions,
	    share$sent_sessions, share$skipped_sessions;
	}

event zeek_init()
	{
	if ( ! active || ! is_sensor )
		return;

	day_notes = open_for_append(fmt("%s/%s.notes", day_folder, this_node));
	# What is not buffered is not lost.
	set_buf(day_notes, F);
	is_noting = T;
	note_day();
	}

event new_connection(c: connection) &priority=-10
	{
	note_day();
	}

hook batch_sent(unacked: count) &priority=-10
	{
	note_day();
	}

# After the last batch.
event zeek_done() &priority=-10
	{
	note_day();
	}
