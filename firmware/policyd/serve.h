/*
 * policyd's peers: svcd, and in the development profile local tools.
 */
#ifndef LUYTRE_POL_SERVE_H
#define LUYTRE_POL_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include "intake.h"

#define SERVE_LINK_FD 3
#define SERVE_DEV_FD 4
#define SERVE_PEERS_MAX 4
#define SERVE_CHECK_MS                                                                   \
	UINT64_C(10000) /* how often the kernel is compared with the policy */

int serve_ready(const struct engine *e, int link) MUST_CHECK;
int serve_run(struct intake *in, int link, int dev) MUST_CHECK;

#endif
