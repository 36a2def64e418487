/*
 * Shared by the compile*.c files only.
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

/* What one kernel rule matches beside zones. */
struct variant {
	uint8_t family;                /* 4, 6, or 0 for both */
	uint8_t proto;                 /* 0 = any */
	const struct cfg_service *svc; /* ICMP type, or NULL */
	bool has_ports;
	bool is_any; /* a permit without services: everything but tunnels */
};

void compile_guard(const struct cfg *cfg, struct prog *p);
void compile_forward_guard(const struct cfg *cfg, struct prog *p);
bool icmp_is_never(const struct cfg *cfg, uint8_t family, uint8_t type);
void compile_related(struct prog *p, uint32_t related);
void guard_log(struct prog *p, const char *chain, const char *name);
void guard_drop(struct prog *p, struct nftnl_rule *r, const char *name);
void compile_tunnel_sets(struct prog *p);
void compile_tunnel_rules(struct prog *p);
void compile_local_sets(const struct cfg *cfg, struct prog *p);
void compile_local_tunnels(const struct cfg *cfg, struct prog *p, const char *chain);
void compile_rule(const struct cfg *cfg, const struct cfg_rule *rule, struct prog *p,
		  const char *chain, enum zone from);
struct prog_set *rule_new_set(struct prog *p, const char *kind, uint32_t key_type,
			      uint32_t key_len, bool is_interval);
void rule_match_names(const struct cfg *cfg, struct prog *p, struct nftnl_rule *r,
		      uint32_t mask, uint32_t key);
void rule_match_addrs(struct prog *p, struct nftnl_rule *r, const struct net_range *v,
		      size_t n, uint8_t family, bool is_source);
void rule_match_ports(const struct cfg_rule *rule, struct prog *p, struct nftnl_rule *r,
		      uint8_t proto, bool is_source);
struct nftnl_rule *rule_match(const struct cfg *cfg, const struct cfg_rule *rule,
			      struct prog *p, const char *chain, const struct variant *v);
bool rule_has_family(const struct net_range *v, size_t n, uint8_t family);

void compile_limits(const struct cfg_rule *rule, struct prog *p, struct nftnl_rule *r,
		    uint8_t family, bool is_outside);
void compile_half_open(const struct cfg *cfg, struct prog *p);
void compile_half_open_forward(const struct cfg *cfg, struct prog *p);
void compile_half_open_output(const struct cfg *cfg, struct prog *p);
void compile_half_open_pair(const struct cfg *cfg, struct prog *p, enum zone a,
			    enum zone b);
void pair_map(const struct cfg *cfg, struct prog *p, const char *map, const char *prefix);
void compile_nat(const struct cfg *cfg, struct prog *p);
void compile_nat_guard(const struct cfg *cfg, struct prog *p);
bool compile_nat_moves_ula(const struct cfg *cfg);
void compile_ula_leave(struct prog *p);

#endif
