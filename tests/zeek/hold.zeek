##! Holds a replayed capture back until a worker has joined.

event zeek_init()
	{
	suspend_processing();
	}

hook NBA::worker_joined(worker: string)
	{
	continue_processing();
	}
