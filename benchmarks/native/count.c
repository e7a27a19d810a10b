/* Begin and end of what Callgrind counts; nothing happens outside of it. Built as a library for instruction_count.py. */

#include <valgrind/callgrind.h>

void begin_counting(void)
{
	CALLGRIND_START_INSTRUMENTATION;
}

void end_counting(void)
{
	CALLGRIND_DUMP_STATS;
	CALLGRIND_STOP_INSTRUMENTATION;
}
