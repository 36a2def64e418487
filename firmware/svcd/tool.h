/*
 * Programs that svcd runs to their end at boot: e2fsck and mke2fs.
 */
#ifndef LUYTRE_SVCD_TOOL_H
#define LUYTRE_SVCD_TOOL_H

#include "err.h"

int tool_run(const char *const *argv, unsigned timeout_s, int watchdog,
	     int *status) MUST_CHECK;

#endif
