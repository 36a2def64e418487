#include "api_rate.h"

#include <string.h>

#define WINDOW_MS 60000

/*
 * Count one call.
 *
 * @source      address it came from
 * @per_minute  how many are allowed
 *
 * Returns false when it is one too many. More than RATE_SOURCES sources in one
 * minute push the oldest out: its count begins again, nobody is refused for that.
 */
bool rate_take(struct rates *all, const uint8_t source[16], enum api_id id,
	       unsigned per_minute, uint64_t now_ms)
{
	struct rate_source *s = &all->list[0];

	for (size_t i = 0; i < RATE_SOURCES; i++) {
		struct rate_source *e = &all->list[i];

		if (e->window_ms && memcmp(e->addr, source, sizeof(e->addr)) == 0) {
			s = e;
			break;
		}
		if (e->window_ms < s->window_ms)
			s = e;
	}
	if (!s->window_ms || memcmp(s->addr, source, sizeof(s->addr)) != 0 ||
	    now_ms - (s->window_ms - 1) >= WINDOW_MS) {
		memset(s, 0, sizeof(*s));
		memcpy(s->addr, source, sizeof(s->addr));
		s->window_ms = now_ms + 1;
	}
	if (s->counts[id] >= per_minute)
		return false;
	s->counts[id]++;
	return true;
}
