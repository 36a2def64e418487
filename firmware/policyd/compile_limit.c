/*
 * DESIGN: limits of rules. Connections and rates are counted in dynamic sets of
 * bounded size, one per rule; a rule with limits is two kernel rules: what is
 * within them is accepted, the rest of what it matches is dropped as
 * "over-limit". A full set counts as over the limit.
 *
 * Half-open connections: `syn` (before tracking) lets so many new connections a
 * minute to a target through as usual and takes the SYNs above that out of
 * connection tracking. These, and the answers of clients to what the appliance
 * said in the target's name, are neither new nor established; for them alone
 * there is a second chain a zone pair, syn_A_to_B, with the same rules in the
 * same order: the protecting rule gives them to the kernel's SYN proxy, every
 * other end is a drop. `output` lets out what the SYN proxy sends.
 */
#include "compile_int.h"
#include "expr.h"

#include <stdio.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#define PRIO_SYN (-290)        /* behind `guard`, before tracking (-200) */
#define RATE_FORGET_MS 120000U /* a source that was silent this long starts anew */
#define TYPE_INTEGER 4U
#define TYPE_TARGET4 ((TYPE_IPV4 << 6) | TYPE_SERVICE)
#define TYPE_TARGET6 ((TYPE_IPV6 << 6) | TYPE_SERVICE)
#define SYN_MSS_V4 1460
#define SYN_MSS_V6 1440
#define SYN_WINDOW_SCALE 7
#define TCP_FLAGS_OFFSET 13
#define CT_STATE_INVALID_OR_UNTRACKED                                                    \
	(NF_CT_STATE_INVALID_BIT | NF_CT_STATE_UNTRACKED_BIT)

static const char *dynamic_set(struct prog *p, const char *name, uint32_t key_type,
			       uint32_t key_len, uint32_t timeout_ms)
{
	struct prog_set *s = prog_add_set(p, name);

	if (!s)
		return name;
	s->key_type = key_type;
	s->key_len = key_len;
	s->flags = NFT_SET_EVAL | (timeout_ms ? NFT_SET_TIMEOUT : 0U);
	s->size = CONFIG_LIMIT_SOURCES_MAX;
	s->timeout_ms = timeout_ms;
	return name;
}

static bool has_set(const struct prog *p, const char *name)
{
	for (size_t i = 0; i < p->set_count; i++) {
		if (!strcmp(p->sets[i].name, name))
			return true;
	}
	return false;
}

/* Load whom we count: an IPv6 network outside can take any address of its /64. */
static void load_source(struct nftnl_rule *r, uint8_t family, bool is_outside)
{
	static const uint8_t half[16] = {255, 255, 255, 255, 255, 255, 255, 255};

	ex_load_addr(r, family, true);
	if (family == 6 && is_outside)
		ex_mask(r, half, sizeof(half));
}

/* The limit stands in the name: a set whose limit stays is kept over an apply, with
 * what it has counted; another limit gets another set. */
static void source_set(const struct cfg_rule *rule, struct prog *p, const char *kind,
		       uint8_t family, uint32_t limit, uint32_t timeout_ms,
		       char name[PROG_NAME_BYTES])
{
	(void)snprintf(name, PROG_NAME_BYTES, "%s%u_%s_%u", kind, family, rule->id,
		       limit);
	if (!has_set(p, name))
		(void)dynamic_set(p, name, family == 4 ? TYPE_IPV4 : TYPE_IPV6,
				  family == 4 ? 4 : 16, timeout_ms);
}

/*
 * Let the kernel rule go on only within the limits of @rule.
 *
 * @family      4 or 6; 0 never comes here
 * @is_outside  the sources are in an outside zone
 */
void compile_limits(const struct cfg_rule *rule, struct prog *p, struct nftnl_rule *r,
		    uint8_t family, bool is_outside)
{
	const struct cfg_rule_limit *l = &rule->limit;
	char name[PROG_NAME_BYTES];

	if (l->source_new) {
		source_set(rule, p, "rate", family, l->source_new, RATE_FORGET_MS, name);
		load_source(r, family, is_outside);
		ex_up_to_rate(r, name, l->source_new);
	}
	if (l->source_connections) {
		source_set(rule, p, "open", family, l->source_connections, 0, name);
		load_source(r, family, is_outside);
		ex_up_to_connections(r, name, l->source_connections);
	}
	if (l->connections) {
		/* one key: all families and protocols of the rule together */
		(void)snprintf(name, sizeof(name), "all_%s_%u", rule->id, l->connections);
		if (!has_set(p, name))
			(void)dynamic_set(p, name, TYPE_INTEGER, 4, 0);
		ex_value(r, 1);
		ex_up_to_connections(r, name, l->connections);
	}
}

/*
 * Give the sets that remember sources for a time their size, so that all of them
 * together stay below LIMIT_TOTAL_MAX: the last step before prog_seal().
 */
void compile_limit_sizes(struct prog *p)
{
	uint32_t size = CONFIG_LIMIT_SOURCES_MAX;
	size_t count = 0;

	for (size_t i = 0; i < p->set_count; i++)
		count += p->sets[i].timeout_ms != 0;
	/* halved: one rule more or less seldom changes it */
	while (size > 1 && (uint64_t)size * count > CONFIG_LIMIT_TOTAL_MAX)
		size /= 2;
	for (size_t i = 0; i < p->set_count; i++) {
		if (p->sets[i].timeout_ms != 0)
			p->sets[i].size = size;
	}
}

static bool protects(const struct cfg *cfg, const struct cfg_rule *rule)
{
	return rule->limit.half_open && !cfg_rule_is_over(cfg, rule);
}

/* TCP packets whose SYN, ACK, RST and FIN bits are exactly @flags. */
static void match_tcp_flags(struct nftnl_rule *r, uint8_t mask, uint8_t flags)
{
	ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, 1);
	ex_mask(r, &mask, 1);
	ex_cmp(r, NFT_CMP_EQ, &flags, 1);
}

/* Ports through which the sources of a rule come in. */
static uint32_t ports_of(const struct cfg *cfg, const struct cfg_rule *rule)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < cfg->port_count; i++) {
		if (rule->from & (1U << cfg->ports[i].zone))
			mask |= 1U << i;
	}
	return rule->in_ports ? rule->in_ports & mask : mask;
}

static struct nftnl_rule *match_syn(const struct cfg *cfg, const struct cfg_rule *rule,
				    struct prog *p, uint8_t family)
{
	struct nftnl_rule *r = prog_add_rule(p, "syn", rule->id);

	rule_match_names(cfg, p, r, ports_of(cfg, rule), NFT_META_IIFNAME);
	ex_family(r, family);
	rule_match_addrs(p, r, rule->src, rule->src_count, family, true);
	rule_match_addrs(p, r, rule->dst, rule->dst_count, family, false);
	ex_proto(r, IPPROTO_TCP);
	rule_match_ports(rule, p, r, IPPROTO_TCP, false);
	match_tcp_flags(r, TH_SYN | TH_ACK | TH_RST | TH_FIN, TH_SYN);
	return r;
}

static void syn_rules(const struct cfg *cfg, const struct cfg_rule *rule, struct prog *p,
		      uint8_t family)
{
	unsigned bytes = net_addr_bytes(family);
	char name[PROG_NAME_BYTES];
	struct nftnl_rule *r = match_syn(cfg, rule, p, family);

	(void)snprintf(name, sizeof(name), "syn%u_%s_%u", family, rule->id,
		       rule->limit.half_open);
	(void)dynamic_set(p, name, family == 4 ? TYPE_TARGET4 : TYPE_TARGET6, bytes + 4,
			  RATE_FORGET_MS);
	ex_load_addr(r, family, false);
	ex_load_field(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, bytes);
	ex_up_to_rate(r, name, rule->limit.half_open);
	ex_verdict(r, NF_ACCEPT);
	r = match_syn(cfg, rule, p, family);
	ex_counter(r);
	ex_goto(r, "half_open");
}

/* Counted and logged like a built-in drop, but the client gets its chance. */
static void half_open_chain(struct prog *p)
{
	struct nftnl_rule *r;

	if (!prog_add_chain(p, "half_open"))
		return;
	guard_log(p, "half_open", "half-open");
	r = prog_add_rule(p, "half_open", "built-in half-open");
	ex_counter(r);
	ex_notrack(r);
	ex_verdict(r, NF_ACCEPT);
}

/*
 * Add the chain that counts new connections to protected targets.
 */
void compile_half_open(const struct cfg *cfg, struct prog *p)
{
	struct prog_chain *c;

	if (!cfg_has_half_open(cfg))
		return;
	c = prog_add_chain(p, "syn");
	if (!c)
		return;
	c->is_base = true;
	c->hook = NF_INET_PRE_ROUTING;
	c->prio = PRIO_SYN;
	c->policy = NF_ACCEPT;
	half_open_chain(p);
	for (size_t i = 0; i < cfg->rule_count; i++) {
		const struct cfg_rule *rule = &cfg->rules[i];

		/* no port of its zones: a rule without ports would match at all of them
		 */
		if (!protects(cfg, rule) || !ports_of(cfg, rule))
			continue;
		for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
			if (rule_has_family(rule->src, rule->src_count, family) &&
			    rule_has_family(rule->dst, rule->dst_count, family))
				syn_rules(cfg, rule, p, family);
		}
	}
}

static bool concerns_tcp(const struct cfg_rule *rule, bool *has_ports)
{
	bool any = rule->svc_count == 0, all = any;

	for (size_t i = 0; i < rule->svc_count; i++) {
		any |= rule->svc[i].proto == IPPROTO_TCP;
		all |= rule->svc[i].proto == IPPROTO_TCP && !rule->svc[i].has_ports;
	}
	*has_ports = !all;
	return any;
}

static void pair_rule(const struct cfg *cfg, const struct cfg_rule *rule, struct prog *p,
		      const char *chain, uint8_t family)
{
	struct rule_variant v = {.family = family, .proto = IPPROTO_TCP};
	struct nftnl_rule *r;

	if (!concerns_tcp(rule, &v.has_ports) ||
	    !rule_has_family(rule->src, rule->src_count, family) ||
	    !rule_has_family(rule->dst, rule->dst_count, family))
		return;
	r = rule_match(cfg, rule, p, chain, &v);
	ex_counter(r);
	if (protects(cfg, rule))
		ex_synproxy(r, family == 4 ? SYN_MSS_V4 : SYN_MSS_V6, SYN_WINDOW_SCALE);
	else
		guard_drop(p, r, "invalid");
}

/*
 * Add the chain of a zone pair for packets that wait for the client's proof;
 * only when a rule of the pair protects its targets.
 */
void compile_half_open_pair(const struct cfg *cfg, struct prog *p, enum zone a,
			    enum zone b)
{
	char name[PROG_NAME_BYTES];
	bool is_needed = false;

	for (size_t i = 0; i < cfg->rule_count; i++) {
		const struct cfg_rule *r = &cfg->rules[i];

		is_needed |=
			protects(cfg, r) && (r->from & (1U << a)) && (r->to & (1U << b));
	}
	(void)snprintf(name, sizeof(name), "syn_%s_to_%s", cfg_zone_name(a),
		       cfg_zone_name(b));
	if (!is_needed || !prog_add_chain(p, name))
		return;
	for (size_t i = 0; i < cfg->rule_count; i++) {
		const struct cfg_rule *r = &cfg->rules[i];

		if (!(r->from & (1U << a)) || !(r->to & (1U << b)) ||
		    cfg_rule_is_over(cfg, r))
			continue;
		pair_rule(cfg, r, p, name, 4);
		pair_rule(cfg, r, p, name, 6);
	}
	guard_drop(p, prog_add_rule(p, name, "built-in invalid"), "invalid");
}

/*
 * Send what is neither new nor established to the chain of its pair.
 */
void compile_half_open_forward(const struct cfg *cfg, struct prog *p)
{
	struct nftnl_rule *r;

	if (!cfg_has_half_open(cfg))
		return;
	pair_map(cfg, p, "syn_pairs", "syn_");
	r = prog_add_rule(p, "forward", "built-in half-open");
	ex_ct_state(r, CT_STATE_INVALID_OR_UNTRACKED);
	ex_proto(r, IPPROTO_TCP);
	ex_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	ex_meta(r, NFT_META_OIFNAME, NFT_REG_2);
	ex_lookup(r, "syn_pairs", true);
	r = prog_add_rule(p, "forward", "built-in half-open");
	ex_ct_state(r, NF_CT_STATE_UNTRACKED_BIT);
	guard_drop(p, r, "invalid");
}

static void output_rule(const struct cfg_rule *rule, struct prog *p, uint8_t family,
			bool is_answer)
{
	struct nftnl_rule *r = prog_add_rule(p, "output", "built-in half-open");

	ex_family(r, family);
	rule_match_addrs(p, r, rule->dst, rule->dst_count, family, is_answer);
	rule_match_addrs(p, r, rule->src, rule->src_count, family, !is_answer);
	ex_proto(r, IPPROTO_TCP);
	rule_match_ports(rule, p, r, IPPROTO_TCP, is_answer);
	match_tcp_flags(r, TH_SYN | TH_RST | TH_FIN, TH_SYN);
	/* a client that has proved itself still keeps within the limits */
	if (!is_answer)
		compile_limits(rule, p, r, family, (rule->from & ZONE_OUTSIDE) != 0);
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);
}

/*
 * Let out what the SYN proxy says to clients and opens to targets.
 */
void compile_half_open_output(const struct cfg *cfg, struct prog *p)
{
	for (size_t i = 0; i < cfg->rule_count; i++) {
		const struct cfg_rule *rule = &cfg->rules[i];

		for (uint8_t family = 4; family <= 6 && protects(cfg, rule);
		     family = (uint8_t)(family + 2)) {
			if (!rule_has_family(rule->src, rule->src_count, family) ||
			    !rule_has_family(rule->dst, rule->dst_count, family))
				continue;
			output_rule(rule, p, family, true);
			output_rule(rule, p, family, false);
		}
	}
}
