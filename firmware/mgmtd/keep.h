/*
 * The account file, kept whole in one of two files that stay open.
 */
#ifndef LUYTRE_KEEP_H
#define LUYTRE_KEEP_H

#include <stdint.h>

#include "accounts.h"
#include "span.h"

struct keep {
	int fd[2];       /* the two files */
	unsigned newest; /* which of them holds the text */
	uint64_t count;  /* how often it was saved */
};

int keep_open(struct keep *k, int folder, uint8_t *text, size_t max,
	      size_t *n) MUST_CHECK;
int keep_save(struct keep *k, struct span text) MUST_CHECK;

#endif
