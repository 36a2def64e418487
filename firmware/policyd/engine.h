/*
 * The enforcing part of policyd: what the kernel has, and how it changes.
 */
#ifndef LUYTRE_POL_ENGINE_H
#define LUYTRE_POL_ENGINE_H

#include <stdbool.h>
#include "cfg.h"
#include "nft.h"
#include "rtnl.h"

enum engine_state {
	ENGINE_CLOSED,   /* the built-in closed rules, forwarding off */
	ENGINE_ENFORCED, /* `cfg` is in the kernel, read back and compared */
	ENGINE_KEPT,     /* rules of an earlier run that no stored file explains */
	ENGINE_BROKEN,   /* not even the closed rules could be verified */
};

struct engine {
	struct nft nft;
	struct rtnl rtnl;
	enum engine_state state;
	struct cfg cfg; /* what is enforced; empty unless ENGINE_ENFORCED */
	/* during a trial: a configuration whose addresses stay too, the owner's */
	const struct cfg *also;
	size_t kernel_rules;
	uint32_t generation; /* of nf_tables after our last transaction */
	size_t cut;          /* flows that the last apply ended */
	char why[400];       /* the last failure, one sentence */
};

const char *engine_state_name(enum engine_state state);
int engine_open(struct engine *e) MUST_CHECK;
void engine_close(struct engine *e);
int engine_has_table(struct engine *e, bool *has_table) MUST_CHECK;
void engine_recognise(struct engine *e);
int engine_shut(struct engine *e) MUST_CHECK;
int engine_apply(struct engine *e, struct cfg *cfg, const struct cfg *also,
		 struct cfg *previous) MUST_CHECK;
int engine_settle(struct engine *e) MUST_CHECK;
int engine_adopt(struct engine *e, struct cfg *cfg) MUST_CHECK;
int engine_check(struct engine *e) MUST_CHECK;
int engine_repair(struct engine *e) MUST_CHECK;

#endif
