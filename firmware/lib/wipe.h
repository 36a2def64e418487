/*
 * Secrets leave memory when they are no longer needed.
 */
#ifndef LUYTRE_WIPE_H
#define LUYTRE_WIPE_H

#include <stddef.h>

void wipe(void *p, size_t n);

#endif
