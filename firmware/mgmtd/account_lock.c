/*
 * DESIGN: a fixed table. One source takes at most LOCK_SOURCE_NAMES places; with
 * more names it is locked as a whole and takes one. Names that exist and names
 * that do not are treated alike. When all places are taken the one that ends
 * first makes room: shutting out more sources than there are places takes that
 * many machines in the management network.
 */
#include "account_lock.h"

#include <string.h>

static bool is_live(const struct lock_entry *e, uint64_t now_ms)
{
	return e->is_used && now_ms < e->until_ms;
}

static bool is_of(const struct lock_entry *e, struct span name, const uint8_t source[16])
{
	return memcmp(e->source, source, sizeof(e->source)) == 0 && !e->is_source &&
	       span_eq_str(name, e->name);
}

/*
 * May nobody log in as @name from @source now?
 *
 * @name  as it was typed, at most LOCK_NAME_MAX bytes
 */
bool lock_is_shut(const struct locks *all, struct span name, const uint8_t source[16],
		  uint64_t now_ms)
{
	bool is_shut = false;

	for (size_t i = 0; i < LOCK_PLACES; i++) {
		const struct lock_entry *e = &all->list[i];

		if (!is_live(e, now_ms) || memcmp(e->source, source, 16) != 0)
			continue;
		if (e->is_source || (is_of(e, name, source) && e->tries >= LOCK_TRIES))
			is_shut = true;
	}
	return is_shut;
}

/* The place of the pair, or a new one. */
static struct lock_entry *place(struct locks *all, struct span name,
				const uint8_t source[16], uint64_t now_ms)
{
	struct lock_entry *best = &all->list[0];

	for (size_t i = 0; i < LOCK_PLACES; i++) {
		struct lock_entry *e = &all->list[i];

		if (is_live(e, now_ms) && is_of(e, name, source))
			return e;
		if (!is_live(e, now_ms)) {
			if (is_live(best, now_ms))
				best = e;
		} else if (is_live(best, now_ms) && e->until_ms < best->until_ms) {
			best = e;
		}
	}
	memset(best, 0, sizeof(*best));
	best->is_used = true;
	memcpy(best->source, source, sizeof(best->source));
	memcpy(best->name, name.p, name.n);
	return best;
}

/* Too many names from one source: one place for all of them. */
static bool shut_source(struct locks *all, const uint8_t source[16], uint64_t now_ms)
{
	struct lock_entry *keep = NULL;
	unsigned names = 0;

	for (size_t i = 0; i < LOCK_PLACES; i++)
		names += is_live(&all->list[i], now_ms) &&
			 memcmp(all->list[i].source, source, 16) == 0;
	if (names <= LOCK_SOURCE_NAMES)
		return false;
	for (size_t i = 0; i < LOCK_PLACES; i++) {
		struct lock_entry *e = &all->list[i];

		if (!e->is_used || memcmp(e->source, source, 16) != 0)
			continue;
		if (keep)
			e->is_used = false;
		else
			keep = e;
	}
	if (!keep)
		return false;
	keep->is_source = true;
	keep->name[0] = '\0';
	keep->until_ms = now_ms + LOCK_S * UINT64_C(1000);
	return true;
}

/*
 * Count a wrong try.
 *
 * @name  as it was typed, at most LOCK_NAME_MAX bytes
 *
 * Returns true when this try has locked the pair or the source.
 */
bool lock_add_wrong(struct locks *all, struct span name, const uint8_t source[16],
		    uint64_t now_ms)
{
	struct lock_entry *e;

	if (name.n > LOCK_NAME_MAX || lock_is_shut(all, name, source, now_ms))
		return false; /* what is locked stays so until its time, not longer */
	e = place(all, name, source, now_ms);
	e->tries++;
	e->until_ms = now_ms + LOCK_S * UINT64_C(1000);
	return e->tries >= LOCK_TRIES || shut_source(all, source, now_ms);
}

/* Forget wrong tries of @name: from @source, or from everywhere when it is NULL.
 * Then sources that are locked as a whole are let in again, too. */
void lock_forget(struct locks *all, struct span name, const uint8_t source[16])
{
	for (size_t i = 0; i < LOCK_PLACES; i++) {
		struct lock_entry *e = &all->list[i];

		if (source ? is_of(e, name, source)
			   : e->is_source || span_eq_str(name, e->name))
			e->is_used = false;
	}
}

/* From how many sources is @name locked? */
unsigned lock_count(const struct locks *all, struct span name, uint64_t now_ms)
{
	unsigned n = 0;

	for (size_t i = 0; i < LOCK_PLACES; i++) {
		const struct lock_entry *e = &all->list[i];

		n += is_live(e, now_ms) && !e->is_source && e->tries >= LOCK_TRIES &&
		     span_eq_str(name, e->name);
	}
	return n;
}
