/*
 * How long to wait before a task that died is started again.
 */
#ifndef LUYTRE_SVCD_BACKOFF_H
#define LUYTRE_SVCD_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS CONFIG_TASK_RESTART_MIN_MS
#define BACKOFF_MAX_MS (CONFIG_TASK_RESTART_MAX_S * 1000)
#define BACKOFF_STABLE_MS 60000 /* a run this long makes the next wait short again */

struct backoff {
	unsigned failures; /* short runs in a row */
};

uint32_t backoff_next_ms(struct backoff *b, uint64_t ran_ms);

#endif
