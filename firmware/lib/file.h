/*
 * Whole files into memory, with a bound.
 */
#ifndef LUYTRE_FILE_H
#define LUYTRE_FILE_H

#include "span.h"

int file_load(const char *path, size_t max, uint8_t **text, size_t *n) MUST_CHECK;
int file_load_at(int folder, const char *name, size_t max, uint8_t **text,
		 size_t *n) MUST_CHECK;

#endif
