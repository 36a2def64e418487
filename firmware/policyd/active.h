/*
 * The stored configuration: one file, the bytes as they were accepted.
 */
#ifndef LUYTRE_POL_ACTIVE_H
#define LUYTRE_POL_ACTIVE_H

#include <stddef.h>
#include <stdint.h>
#include "span.h"

#define ACTIVE_DIR "/conf/policy"
#define ACTIVE_NAME "active.json"
#define ACTIVE_FILE ACTIVE_DIR "/" ACTIVE_NAME

int active_load(const char *path, size_t max, uint8_t **text, size_t *n) MUST_CHECK;
int active_save(const char *dir, struct span text, char *why, size_t why_max) MUST_CHECK;

#endif
