/*
 * Wrong tries by account and source: who guesses is shut out, nobody else.
 */
#ifndef LUYTRE_ACCOUNT_LOCK_H
#define LUYTRE_ACCOUNT_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "span.h"

#define LOCK_PLACES 256     /* (account, source) pairs remembered */
#define LOCK_TRIES 5        /* wrong ones until a pair is locked */
#define LOCK_SOURCE_NAMES 8 /* names one source may try before it is locked itself */
#define LOCK_S 43200U       /* 12 hours; also how long wrong tries are remembered */
#define LOCK_NAME_MAX 32

struct lock_entry {
	bool is_used;
	bool is_source; /* the whole source, any name */
	char name[LOCK_NAME_MAX + 1];
	uint8_t source[16];
	unsigned tries;
	uint64_t until_ms; /* forgotten then */
};

struct locks {
	struct lock_entry list[LOCK_PLACES];
};

bool lock_is_shut(const struct locks *all, struct span name, const uint8_t source[16],
		  uint64_t now_ms);
bool lock_add_wrong(struct locks *all, struct span name, const uint8_t source[16],
		    uint64_t now_ms);
void lock_forget(struct locks *all, struct span name, const uint8_t source[16]);
unsigned lock_count(const struct locks *all, struct span name, uint64_t now_ms);

#endif
