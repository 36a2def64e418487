/*
 * Small files of /proc and /sys, read and written whole.
 */
#ifndef LUYTRE_SVCD_FILES_H
#define LUYTRE_SVCD_FILES_H

#include <stddef.h>
#include "err.h"
#include "lib/span.h"

int files_write(const char *path, const char *text) MUST_CHECK;
int files_read(const char *path, char *out, size_t max) MUST_CHECK;
int files_value(const char *text, const char *key, char *out, size_t max) MUST_CHECK;

#endif
