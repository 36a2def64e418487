/*
 * webd's main loop.
 */
#ifndef LUYTRE_MGMT_LOOP_H
#define LUYTRE_MGMT_LOOP_H

#include "err.h"
#include "http.h"
#include "keep.h"
#include "tls_key.h"

struct loop_fds {
	int svcd; /* link to svcd */
	int tun;
};

/* What was opened before; must outlive the loop. */
struct loop_setup {
	struct loop_fds fds;
	const struct tls_key *key;
	const struct http_pack *pack;
	struct keep *keep;
	struct span accounts; /* text of the account file, only read by loop_open() */
};

int loop_open(const struct loop_setup *setup) MUST_CHECK;
int loop_run(void) MUST_CHECK;

#endif
