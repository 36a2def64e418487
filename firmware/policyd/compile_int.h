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
struct rule_variant {
	uint8_t family;                /* 4, 6, or 0 for both */
	uint8_t proto;                 /* 0 = any */
	const struct cfg_service *svc; /* ICMP type, or NULL */
	bool has_ports;
	bool is_any; /* a permit without services: everything but tunnels */
};

/* A rule's match in one family and one kind of service. */
struct rule_part {
	const struct cfg_rule *rule;
	struct rule_variant v[2]; /* the last one matches all that the part matches */
	unsigned count;
	bool is_silent; /* the packets come from outside: a reject does not answer */
};

struct part_list {
	struct rule_part *v; /* malloc'd */
	size_t count, room;
	bool is_full; /* without memory */
};

/* Which chains of rules exist already: two flags a rule (answers, is silent). */
struct map_state {
	bool *has_chain;
	size_t cells; /* elements of maps so far, shared maps once */
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
struct prog_set *rule_new_set(struct prog *p, const char *kind, uint32_t key_type,
			      uint32_t key_len, bool is_interval);
void rule_match_names(const struct cfg *cfg, struct prog *p, struct nftnl_rule *r,
		      uint32_t mask, uint32_t key);
void rule_match_addrs(struct prog *p, struct nftnl_rule *r, const struct net_range *v,
		      size_t n, uint8_t family, bool is_source);
void rule_match_ports(const struct cfg_rule *rule, struct prog *p, struct nftnl_rule *r,
		      uint8_t proto, bool is_source);
struct nftnl_rule *rule_match(const struct cfg *cfg, const struct cfg_rule *rule,
			      struct prog *p, const char *chain,
			      const struct rule_variant *v);
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
void compile_ula_leave(const struct cfg *cfg, struct prog *p);

struct net_addr mgmt_addr(uint8_t family);
void compile_mgmt_dstnat(const struct cfg *cfg, struct prog *p);
void compile_mgmt_forward(const struct cfg *cfg, struct prog *p);

const struct net_range *family_part(const struct net_range *v, size_t n, uint8_t family,
				    size_t *count);
const char *share_last_set(struct prog *p);
size_t collect_ports(const struct cfg_rule *rule, uint8_t proto, struct net_range *out);
void rule_parts(const struct cfg *cfg, const struct cfg_rule *rule, enum zone from,
		struct part_list *out);
void compile_part(const struct cfg *cfg, const struct rule_part *part, struct prog *p,
		  const char *chain);
void compile_rule_chain(const struct cfg_rule *rule, struct prog *p, const char *chain,
			bool is_silent);
bool rule_is_plain(const struct cfg_rule *rule);
void compile_parts(const struct cfg *cfg, const struct part_list *parts, struct prog *p,
		   const char *chain, struct map_state *state);

#endif
