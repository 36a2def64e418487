/*
 * Calls before login, counted by source and minute.
 */
#ifndef LUYTRE_API_RATE_H
#define LUYTRE_API_RATE_H

#include "api.h"

#define RATE_SOURCES 64 /* sources counted at once */

struct rate_source {
	uint8_t addr[16];
	uint64_t window_ms; /* 0: free */
	uint8_t counts[API_COUNT];
};

struct rates {
	struct rate_source list[RATE_SOURCES];
};

bool rate_take(struct rates *all, const uint8_t source[16], enum api_id id,
	       unsigned per_minute, uint64_t now_ms);

#endif
