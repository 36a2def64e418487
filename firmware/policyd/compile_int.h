/*
 * Shared by compile.c and compile_rule.c only.
 */
#ifndef LUYTRE_POL_COMPILE_INT_H
#define LUYTRE_POL_COMPILE_INT_H

#include "cfg.h"
#include "prog.h"

struct nftnl_rule;

/* nft's datatype numbers (include/datatype.h of nftables): the kernel stores
 * them for listings and gives them no meaning. */
#define TYPE_IPV4 7U
#define TYPE_IPV6 8U
#define TYPE_PROTO 12U
#define TYPE_SERVICE 13U
#define TYPE_ICMP 14U
#define TYPE_ICMPV6 29U
#define TYPE_IFNAME 41U
#define TYPE_IFNAME_PAIR ((TYPE_IFNAME << 6) | TYPE_IFNAME)

#define TEREDO_PORT 3544 /* RFC 4380 2.7 */

void compile_guard(const struct cfg *cfg, struct prog *p);
void compile_forward_guard(const struct cfg *cfg, struct prog *p);
bool icmp_is_never(const struct cfg *cfg, uint8_t family, uint8_t type);
void compile_related(struct prog *p, uint32_t related);
void guard_drop(struct prog *p, struct nftnl_rule *r, const char *name);
void compile_tunnel_sets(struct prog *p);
void compile_tunnel_rules(struct prog *p);
void compile_local_sets(const struct cfg *cfg, struct prog *p);
void compile_local_tunnels(const struct cfg *cfg, struct prog *p, const char *chain);
void compile_rule(const struct cfg *cfg, const struct cfg_rule *rule, struct prog *p,
		  const char *chain, enum zone from);

#endif
