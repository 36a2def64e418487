/*
 * webd's main loop.
 */
#ifndef LUYTRE_MGMT_LOOP_H
#define LUYTRE_MGMT_LOOP_H

#include "err.h"
#include "tls_key.h"

struct loop_fds {
	int svcd; /* link to svcd */
	int tun;
};

int loop_open(const struct tls_key *key, const struct loop_fds *fds) MUST_CHECK;
int loop_run(void) MUST_CHECK;

#endif
