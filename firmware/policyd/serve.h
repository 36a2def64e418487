/*
 * policyd's peers: svcd, the tasks that svcd links to it, and in the development
 * profile local tools.
 */
#ifndef LUYTRE_POL_SERVE_H
#define LUYTRE_POL_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include "intake.h"

#define SERVE_DEV_MAX 4 /* development tools at once */
#define SERVE_BAD_MAX CONFIG_MSG_BAD_MAX
#define SERVE_CHECK_MS                                                                   \
	UINT64_C(10000) /* how often the kernel is compared with the policy */

int serve_ready(const struct engine *e, int link) MUST_CHECK;
int serve_run(struct intake *in, int link, int dev) MUST_CHECK;

#endif
