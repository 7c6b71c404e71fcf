##! Raises verdict events, each at its own network time; loaded with verdict.zeek.

# Time stands still unless this script moves it.
redef allow_network_time_forward = F;
redef exit_only_after_terminate = T;
redef NBA::max_verdicts_per_second = 1000000;

module Test;

export {
	global steps: vector of Verdict;

	## Goes on to the time of the next verdict.
	global move: event();
}

global next_step = 0;

event Test::give_next()
	{
	Test::give(steps[next_step]);
	++next_step;
	schedule 0secs { Test::move() };
	}

# Zeek expires what it suppresses in its main loop, so that comes between.
event Test::settle(rounds: count)
	{
	if ( rounds == 0 )
		schedule 0secs { Test::give_next() };
	else
		schedule 0secs { Test::settle(rounds - 1) };
	}

event Test::move()
	{
	if ( next_step == |steps| )
		{
		terminate();
		return;
		}

	set_network_time(double_to_time(steps[next_step]$ts));
	schedule 0secs { Test::settle(3) };
	}

event zeek_init() &priority=-5
	{
	schedule 0secs { Test::move() };
	}
