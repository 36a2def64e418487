/*
 * DESIGN: the table has three base chains that drop by default. In `forward`
 * the fixed parts come first: Internet and TSLCD are never joined, then the
 * connection state, then one lookup of (in port, out port) that jumps to the
 * chain of the zone pair, where the administrator's rules stand in their
 * order. Equal address and port lists share one set. A pair without rules has
 * no chain: it falls through to the counted default deny.
 *
 * `input` and `output` serve only what a router needs on its links: neighbour
 * discovery, multicast listener discovery, ICMP errors, and a limited echo
 * answer to inside zones. Nothing in the kernel listens but the ends of tunnels
 * (compile_local.c); the web interface listens behind a TUN (compile_mgmt.c).
 */
#include "compile.h"
#include "compile_int.h"
#include "expr.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#define CT_BIT(state) (1U << ((state) % IP_CT_IS_REPLY + 1))
#define CT_INVALID 1U
#define CT_ESTABLISHED CT_BIT(IP_CT_ESTABLISHED)
#define CT_RELATED CT_BIT(IP_CT_RELATED)
#define CT_KNOWN (CT_ESTABLISHED | CT_RELATED)

#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_ECHO 128
#define ICMP6_MLD_QUERY 130
#define ICMP6_MLD_REPORT 131
#define ICMP6_MLD_DONE 132
#define ICMP6_NS 135
#define ICMP6_NA 136
#define ICMP6_MLD2_REPORT 143

#define ECHO_PER_SECOND 20
#define ECHO_BURST 40

static void base_chain(struct prog *p, const char *name, uint32_t hook)
{
	struct prog_chain *c = prog_add_chain(p, name);

	if (!c)
		return;
	c->is_base = true;
	c->hook = hook;
	c->prio = 0;
	c->policy = NF_DROP;
}

static void base_chains(struct prog *p)
{
	base_chain(p, "forward", NF_INET_FORWARD);
	base_chain(p, "input", NF_INET_LOCAL_IN);
	base_chain(p, "output", NF_INET_LOCAL_OUT);
}

static void drop_rest(struct prog *p, const char *chain, const char *id)
{
	struct nftnl_rule *r = prog_add_rule(p, chain, id);

	ex_counter(r);
	ex_verdict(r, NF_DROP);
}

/*
 * The built-in closed ruleset: three base chains, each drops and counts all.
 *
 * @out  initialised by this call; prog_clear() frees it
 *
 * Returns ERR_OK or ERR_NOMEM.
 */
int compile_closed(struct prog *out)
{
	static const char *const chains[] = {"forward", "input", "output"};

	prog_init(out);
	base_chains(out);
	for (size_t i = 0; i < 3; i++)
		drop_rest(out, chains[i], "built-in closed");
	return out->is_full ? ERR_NOMEM : ERR_OK;
}

static struct prog_set *ifname_set(struct prog *p, const char *name, uint32_t key_type,
				   uint32_t key_len, uint32_t flags)
{
	struct prog_set *s = prog_add_set(p, name);

	if (s) {
		s->key_type = key_type;
		s->key_len = key_len;
		s->flags = flags;
	}
	return s;
}

static void put_pair(struct prog *p, struct prog_set *s, const struct cfg_port *in,
		     const struct cfg_port *out, const char *jump)
{
	struct prog_elem *e = s ? prog_add_elem(p, s) : NULL;

	if (!e)
		return;
	memcpy(e->key, in->name, sizeof(in->name));
	memcpy(e->key + 16, out->name, sizeof(out->name));
	(void)snprintf(e->jump, sizeof(e->jump), "%s", jump);
}

static bool is_isolated(enum zone a, enum zone b)
{
	return (a == ZONE_TSLCD && b == ZONE_INTERNET) ||
	       (a == ZONE_INTERNET && b == ZONE_TSLCD);
}

static const char *pair_name(enum zone a, enum zone b, char name[PROG_NAME_BYTES])
{
	(void)snprintf(name, PROG_NAME_BYTES, "%s_to_%s", cfg_zone_name(a),
		       cfg_zone_name(b));
	return name;
}

/*
 * Add the map from (in port, out port) to the chain of the zone pair.
 *
 * @prefix  of the chains' names
 */
void pair_map(const struct cfg *cfg, struct prog *p, const char *map, const char *prefix)
{
	struct prog_set *s = ifname_set(p, map, TYPE_IFNAME_PAIR, 32, NFT_SET_MAP);
	char pair[PROG_NAME_BYTES], name[PROG_NAME_BYTES];

	for (size_t i = 0; i < cfg->port_count; i++) {
		for (size_t k = 0; k < cfg->port_count; k++) {
			(void)snprintf(
				name, sizeof(name), "%.8s%.50s", prefix,
				pair_name(cfg->ports[i].zone, cfg->ports[k].zone, pair));
			if (prog_has_chain(p, name))
				put_pair(p, s, &cfg->ports[i], &cfg->ports[k], name);
		}
	}
}

/* The sets that know ports: isolated pairs, inside ports, the pair map. */
static void port_sets(const struct cfg *cfg, struct prog *p)
{
	struct prog_set *isolated = ifname_set(p, "isolated", TYPE_IFNAME_PAIR, 32, 0);
	struct prog_set *s;

	for (size_t i = 0; i < cfg->port_count; i++) {
		for (size_t k = 0; k < cfg->port_count; k++) {
			if (is_isolated(cfg->ports[i].zone, cfg->ports[k].zone))
				put_pair(p, isolated, &cfg->ports[i], &cfg->ports[k], "");
		}
	}
	s = ifname_set(p, "inside", TYPE_IFNAME, 16, 0);
	for (size_t i = 0; s && i < cfg->port_count; i++) {
		enum zone zone = cfg->ports[i].zone;
		struct prog_elem *e = zone == ZONE_NONE || ((1U << zone) & ZONE_OUTSIDE)
					      ? NULL
					      : prog_add_elem(p, s);

		if (e)
			memcpy(e->key, cfg->ports[i].name, CFG_NAME_BYTES);
	}
	pair_map(cfg, p, "pairs", "");
}

static void load_pair(struct nftnl_rule *r)
{
	ex_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	ex_meta(r, NFT_META_OIFNAME, NFT_REG_2);
}

static void forward_rules(const struct cfg *cfg, struct prog *p)
{
	struct nftnl_rule *r = prog_add_rule(p, "forward", "built-in isolated");

	load_pair(r);
	ex_lookup(r, "isolated", false);
	ex_counter(r);
	ex_verdict(r, NF_DROP);

	r = prog_add_rule(p, "forward", "built-in established");
	ex_ct_state(r, CT_ESTABLISHED);
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);

	compile_half_open_forward(cfg, p);
	r = prog_add_rule(p, "forward", "built-in invalid");
	ex_ct_state(r, CT_INVALID);
	guard_drop(p, r, "invalid");
	compile_mgmt_forward(cfg, p);
	compile_forward_guard(cfg, p);
	compile_related(p, CT_RELATED);

	r = prog_add_rule(p, "forward", "built-in pairs");
	load_pair(r);
	ex_lookup(r, "pairs", true);

	compile_tunnel_rules(p);
	drop_rest(p, "forward", "built-in default-deny");
}

static void accept_icmp6(struct prog *p, const char *chain, const char *id, uint8_t type,
			 uint8_t hop_limit)
{
	struct nftnl_rule *r = prog_add_rule(p, chain, id);

	ex_family(r, 6);
	ex_proto(r, IPPROTO_ICMPV6);
	ex_u8_at(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, type);
	ex_u8_at(r, NFT_PAYLOAD_NETWORK_HEADER, 7, hop_limit);
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);
}

static void accept_lo(struct prog *p, const char *chain, uint32_t key)
{
	struct nftnl_rule *r = prog_add_rule(p, chain, "built-in loopback");

	ex_ifname(r, key, "lo");
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);
}

static void accept_known(struct prog *p, const char *chain)
{
	struct nftnl_rule *r = prog_add_rule(p, chain, "built-in established");

	ex_ct_state(r, CT_KNOWN);
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);
}

static void accept_echo(struct prog *p, uint8_t family)
{
	struct nftnl_rule *r = prog_add_rule(p, "input", "built-in echo");

	ex_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	ex_lookup(r, "inside", false);
	ex_family(r, family);
	ex_proto(r, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	ex_u8_at(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0,
		 family == 4 ? ICMP_ECHO : ICMP6_ECHO);
	ex_limit(r, ECHO_PER_SECOND, ECHO_BURST);
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);
}

/* The kernel ends a packet's time to live before `forward` has judged it. Toward the
 * outside it says so for flows alone that the rules have let through: nobody finds the
 * appliance with packets that they deny. */
static void hide_from_traceroute(struct prog *p, uint8_t family)
{
	struct nftnl_rule *r = prog_add_rule(p, "output", "built-in ttl-outside");

	ex_family(r, family);
	ex_proto(r, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	ex_u8_at(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0,
		 family == 4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED);
	ex_meta(r, NFT_META_OIFNAME, NFT_REG_1);
	ex_lookup_not(r, "inside");
	ex_ct_unconfirmed(r);
	guard_drop(p, r, "ttl-outside");
}

/* Neighbour discovery never crosses a router: hop limit 255 (RFC 4861 7.1);
 * MLD has hop limit 1 (RFC 3810 5). */
static void local_rules(const struct cfg *cfg, struct prog *p)
{
	accept_lo(p, "input", NFT_META_IIFNAME);
	accept_known(p, "input");
	accept_icmp6(p, "input", "built-in nd", ICMP6_NS, 255);
	accept_icmp6(p, "input", "built-in nd", ICMP6_NA, 255);
	accept_icmp6(p, "input", "built-in mld", ICMP6_MLD_QUERY, 1);
	accept_echo(p, 4);
	accept_echo(p, 6);
	compile_local_tunnels(cfg, p, "input");
	drop_rest(p, "input", "built-in default-deny");

	accept_lo(p, "output", NFT_META_OIFNAME);
	hide_from_traceroute(p, 4);
	hide_from_traceroute(p, 6);
	accept_known(p, "output");
	accept_icmp6(p, "output", "built-in nd", ICMP6_NS, 255);
	accept_icmp6(p, "output", "built-in nd", ICMP6_NA, 255);
	accept_icmp6(p, "output", "built-in mld", ICMP6_MLD_REPORT, 1);
	accept_icmp6(p, "output", "built-in mld", ICMP6_MLD_DONE, 1);
	accept_icmp6(p, "output", "built-in mld", ICMP6_MLD2_REPORT, 1);
	compile_half_open_output(cfg, p);
	compile_local_tunnels(cfg, p, "output");
	drop_rest(p, "output", "built-in default-deny");
}

/* Does any port of the configuration belong to the zone? */
static bool zone_in_use(const struct cfg *cfg, enum zone zone)
{
	for (size_t i = 0; i < cfg->port_count; i++) {
		if (cfg->ports[i].zone == zone)
			return true;
	}
	return false;
}

static void compile_pair(const struct cfg *cfg, struct prog *p, enum zone a, enum zone b,
			 struct map_state *state)
{
	struct part_list parts = {0};
	char name[PROG_NAME_BYTES];
	bool has_rule = false;

	if (is_isolated(a, b) || !zone_in_use(cfg, a) || !zone_in_use(cfg, b))
		return;
	(void)pair_name(a, b, name);
	for (size_t i = 0; i < cfg->rule_count; i++) {
		const struct cfg_rule *rule = &cfg->rules[i];

		if (!(rule->from & (1U << a)) || !(rule->to & (1U << b)) ||
		    cfg_rule_is_over(cfg, rule))
			continue;
		has_rule = true;
		rule_parts(cfg, rule, a, &parts);
	}
	if (has_rule && prog_add_chain(p, name))
		compile_parts(cfg, &parts, p, name, state);
	p->is_full |= parts.is_full;
	free(parts.v);
	compile_half_open_pair(cfg, p, a, b);
}

/*
 * Compile a configuration to the complete content of our table.
 *
 * @cfg  checked by cfg_parse()
 * @out  initialised by this call; prog_clear() frees it
 *
 * The order of everything is stable: equal configurations give equal programs.
 *
 * Returns ERR_OK, or ERR_LIMIT when the program grows over a PROG_*_MAX limit
 * (or memory ends).
 */
int compile_cfg(const struct cfg *cfg, struct prog *out)
{
	struct map_state state = {.has_chain = calloc(cfg->rule_count + 1, 2)};

	prog_init(out);
	out->is_full = !state.has_chain;
	base_chains(out);
	compile_guard(cfg, out);
	compile_half_open(cfg, out);
	compile_tunnel_sets(out);
	for (unsigned a = 0; a < ZONE_COUNT; a++) {
		for (unsigned b = 0; b < ZONE_COUNT; b++)
			compile_pair(cfg, out, (enum zone)a, (enum zone)b, &state);
	}
	free(state.has_chain);
	port_sets(cfg, out);
	forward_rules(cfg, out);
	compile_local_sets(cfg, out);
	local_rules(cfg, out);
	compile_nat(cfg, out);
	prog_seal(out);
	return out->is_full ? ERR_LIMIT : ERR_OK;
}
