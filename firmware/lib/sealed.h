/*
 * Bulk data between processes: a memfd that nobody can change any more.
 */
#ifndef LUYTRE_SEALED_H
#define LUYTRE_SEALED_H

#include "span.h"

struct sealed {
	struct span data; /* the mapping, read-only; empty when not mapped */
};

int sealed_make(const char *name, struct span data, int *fd) MUST_CHECK;
int sealed_map(int fd, size_t max, struct sealed *out) MUST_CHECK;
void sealed_unmap(struct sealed *s);

#endif
