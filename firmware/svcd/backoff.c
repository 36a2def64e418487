#include "backoff.h"

/*
 * The wait before the next start: doubles with every short run, never grows
 * over BACKOFF_MAX_MS and never becomes "give up".
 *
 * @ran_ms  how long the run that just ended lasted
 */
uint32_t backoff_next_ms(struct backoff *b, uint64_t ran_ms)
{
	uint32_t wait_ms = BACKOFF_FIRST_MS;

	if (ran_ms >= BACKOFF_STABLE_MS)
		b->failures = 0;
	for (unsigned i = 0; i < b->failures && wait_ms < BACKOFF_MAX_MS; i++)
		wait_ms *= 2;
	if (wait_ms < BACKOFF_MAX_MS)
		b->failures++; /* stops counting at the ceiling: cannot wrap */
	else
		wait_ms = BACKOFF_MAX_MS;
	return wait_ms;
}
