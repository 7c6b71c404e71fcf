##! Holds a replayed capture back until a worker of every partition has joined.

global joined: set[count];

event zeek_init()
	{
	suspend_processing();
	}

hook NBA::worker_joined(worker: string)
	{
	if ( |joined| == NBA::partitions )
		return;

	add joined[NBA::partition_of(worker)];

	if ( |joined| == NBA::partitions )
		continue_processing();
	}
