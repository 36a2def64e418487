/*
 * Shared by compile.c and compile_rule.c only.
 */
#ifndef LUYTRE_POL_COMPILE_INT_H
#define LUYTRE_POL_COMPILE_INT_H

#include "cfg.h"
#include "prog.h"

/* nft's datatype numbers (include/datatype.h of nftables): the kernel stores
 * them for listings and gives them no meaning. */
#define TYPE_IPV4 7U
#define TYPE_IPV6 8U
#define TYPE_SERVICE 13U
#define TYPE_IFNAME 41U
#define TYPE_IFNAME_PAIR ((TYPE_IFNAME << 6) | TYPE_IFNAME)

void compile_rule(const struct cfg *cfg, const struct cfg_rule *rule, struct prog *p,
		  const char *chain, enum zone from);

#endif
