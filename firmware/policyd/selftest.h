/*
 * Can those still get through who must: management and SOC. Looked at before a
 * configuration is applied, and again before it may be confirmed.
 */
#ifndef LUYTRE_POL_SELFTEST_H
#define LUYTRE_POL_SELFTEST_H

#include <stdbool.h>
#include "cfg.h"
#include "rtnl.h"

#define SELFTEST_WAIT_MS 4000 /* neighbours are asked three times, a second apart */

enum selftest_state {
	SELFTEST_NOT_ASKED, /* the configuration names none */
	SELFTEST_GOOD,
	SELFTEST_WAITING, /* a neighbour has not answered yet */
	SELFTEST_BAD,
};

struct selftest_way {
	enum selftest_state state;
	char why[160]; /* what is bad, one sentence */
};

struct selftest {
	struct selftest_way management, soc;
};

void selftest_before(struct rtnl *r, const struct cfg *cfg, struct selftest *out);
void selftest_run(struct rtnl *r, const struct cfg *cfg, struct selftest *out);
const char *selftest_loss(const struct selftest *before, const struct selftest *now);
void selftest_text(const struct selftest *t, char between, char *text, size_t max);

#endif
