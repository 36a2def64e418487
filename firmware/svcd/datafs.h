/*
 * The data partitions /conf and /log: found by GPT name, repaired, mounted.
 */
#ifndef LUYTRE_SVCD_DATAFS_H
#define LUYTRE_SVCD_DATAFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

#define DATAFS_HEAD_BYTES ((size_t)1024 * 1024)

/* What stands at the start of a partition. */
enum datafs_kind {
	DATAFS_BLANK,    /* never written, or erased: may be formatted */
	DATAFS_EXT,      /* an ext4 superblock */
	DATAFS_EXT_ERRS, /* the same, with its error flag set: check before mounting */
	DATAFS_OTHER,    /* anything else: is never formatted */
};

enum datafs_kind datafs_classify(const uint8_t *head, size_t n, bool has_backup);
int datafs_mount(const char *label, const char *target, int watchdog) MUST_CHECK;

#endif
