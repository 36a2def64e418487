#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	max_align_t data[];
};

/*
 * Start an empty arena that gives out at most @max_bytes.
 */
void arena_init(struct arena *a, size_t max_bytes)
{
	a->blocks = NULL;
	a->used_bytes = 0;
	a->max_bytes = max_bytes;
}

/*
 * Take zeroed memory for @count objects of @size_bytes.
 *
 * Returns NULL when the arena's limit or the machine's memory is reached; the
 * memory belongs to the arena and lives until arena_clear().
 */
void *arena_take(struct arena *a, size_t count, size_t size_bytes)
{
	size_t bytes;
	struct arena_block *b;

	if (size_bytes && count > SIZE_MAX / size_bytes)
		return NULL;
	bytes = count * size_bytes;
	if (bytes > a->max_bytes - a->used_bytes)
		return NULL;
	b = calloc(1, sizeof(*b) + bytes);
	if (!b)
		return NULL;
	b->next = a->blocks;
	a->blocks = b;
	a->used_bytes += bytes;
	return b->data;
}

/*
 * Give everything back. Legal right after arena_init() and twice.
 */
void arena_clear(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;

		a->blocks = b->next;
		free(b);
	}
	a->used_bytes = 0;
}
