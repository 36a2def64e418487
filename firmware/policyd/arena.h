/*
 * Memory of one configuration: taken piece by piece up to a limit, given back
 * at once. A configuration that does not fit is refused, never truncated.
 */
#ifndef LUYTRE_POL_ARENA_H
#define LUYTRE_POL_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *blocks;
	size_t used_bytes;
	size_t max_bytes;
};

void arena_init(struct arena *a, size_t max_bytes);
void *arena_take(struct arena *a, size_t count, size_t size_bytes);
void arena_clear(struct arena *a);

#endif
