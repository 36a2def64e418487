/*
 * DESIGN: what no configuration can switch off. Two chains in front of
 * connection tracking, with priorities that matter: `fragments` stands before
 * the kernel reassembles (-400), so it is the only place that sees a fragment;
 * `guard` stands after it and before tracking (-200), so that nothing bad makes
 * a connection. Each reason has its own chain "drop_REASON" with one counter
 * and a limited log, which `nft list ruleset` shows by name.
 */
#include "compile_int.h"
#include "expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "mgmt_net.h"

#define PRIO_FRAGMENTS (-450)
#define PRIO_GUARD (-300)
#define PRIO_LEAVE 110 /* behind source translation, 100 */
#define LOG_PER_SECOND 10
#define LOG_BURST 20

/* In units of 8 bytes. The longest datagram that passes in fragments has
 * 64,032 bytes: what goes on behind may reach over 65,535. */
#define FRAG_OFFSET_MAX 8004
/* A first fragment shorter than this cannot hold the transport header's ports
 * and flags; RFC 1858 3, RFC 6980 and RFC 7112 2. */
#define FRAG_FIRST_MIN_V4 68
#define FRAG_FIRST_MIN_V6_PAYLOAD 88

#define IPOPT_RECORD_ROUTE 7
#define IPOPT_LOOSE_SOURCE_ROUTE 131
#define IPOPT_STRICT_SOURCE_ROUTE 137

/*
 * Add a rule that logs under the name of a built-in reason, limited.
 */
void guard_log(struct prog *p, const char *chain, const char *name)
{
	char id[PROG_ID_BYTES];
	struct nftnl_rule *r;

	(void)snprintf(id, sizeof(id), "built-in %s", name);
	r = prog_add_rule(p, chain, id);
	ex_limit(r, LOG_PER_SECOND, LOG_BURST);
	ex_log(r, id);
}

/* The chain of one reason to drop; made when first used. */
static const char *reason(struct prog *p, const char *name, char chain[PROG_NAME_BYTES])
{
	char id[PROG_ID_BYTES];
	struct nftnl_rule *r;

	(void)snprintf(chain, PROG_NAME_BYTES, "drop_%s", name);
	if (prog_has_chain(p, chain) || !prog_add_chain(p, chain))
		return chain;
	(void)snprintf(id, sizeof(id), "built-in %s", name);
	guard_log(p, chain, name);
	r = prog_add_rule(p, chain, id);
	ex_counter(r);
	ex_verdict(r, NF_DROP);
	return chain;
}

/*
 * Drop what the rule has matched, under the name of the reason.
 */
void guard_drop(struct prog *p, struct nftnl_rule *r, const char *name)
{
	char chain[PROG_NAME_BYTES];

	ex_goto(r, reason(p, name, chain));
}

static struct nftnl_rule *rule(struct prog *p, const char *chain, const char *name)
{
	char id[PROG_ID_BYTES];

	(void)snprintf(id, sizeof(id), "built-in %s", name);
	return prog_add_rule(p, chain, id);
}

static struct prog_set *range_set(struct prog *p, const char *name, uint8_t family)
{
	struct prog_set *s = prog_add_set(p, name);

	if (s) {
		s->key_type = family == 4 ? TYPE_IPV4 : TYPE_IPV6;
		s->key_len = net_addr_bytes(family);
		s->flags = NFT_SET_CONSTANT | NFT_SET_INTERVAL;
	}
	return s;
}

static struct prog_set *hash_set4(struct prog *p, const char *name)
{
	struct prog_set *s = prog_add_set(p, name);

	if (s) {
		s->key_type = TYPE_IPV4;
		s->key_len = 4;
		s->flags = NFT_SET_CONSTANT;
	}
	return s;
}

static void put_text(struct prog *p, struct prog_set *s, const char *text)
{
	struct net_range v;

	/* the texts are constants of this file: one that does not parse makes
	 * the program unusable */
	if (net_range_parse(text, &v) != ERR_OK)
		p->is_full = true;
	else if (s)
		prog_add_range(p, s, v.lo, v.hi);
}

/* Match one field of the fragment offset word: (word & mask) OP value. */
static void match_word(struct nftnl_rule *r, uint16_t mask, uint32_t op, uint16_t value)
{
	uint8_t m[2] = {(uint8_t)(mask >> 8), (uint8_t)mask};
	uint8_t v[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	ex_mask(r, m, sizeof(m));
	ex_cmp(r, op, v, sizeof(v));
}

/* The word with flags and offset: IPv4 bits 15-13 flags, 12-0 offset; IPv6
 * bits 15-3 offset, bit 0 "more" (RFC 8200 4.5). */
static struct nftnl_rule *frag_rule(struct prog *p, const char *name, uint8_t family)
{
	struct nftnl_rule *r = rule(p, "fragments", name);

	ex_family(r, family);
	if (family == 4)
		ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 6, 2);
	else
		ex_exthdr(r, NFT_EXTHDR_OP_IPV6, IPPROTO_FRAGMENT, 2, 2, false);
	return r;
}

static void u16_cmp(struct nftnl_rule *r, uint32_t offset, uint32_t op, uint16_t value)
{
	uint8_t v[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offset, 2);
	ex_cmp(r, op, v, sizeof(v));
}

static void fragment_rules(struct prog *p)
{
	static const uint8_t tcp = IPPROTO_TCP;
	struct nftnl_rule *r;

	/* most packets are no fragments: out with two comparisons */
	r = rule(p, "fragments", "no-fragment");
	ex_family(r, 4);
	ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 6, 2);
	match_word(r, 0x3fff, NFT_CMP_EQ, 0);
	ex_verdict(r, NF_ACCEPT);

	r = frag_rule(p, "fragment-oversize", 4);
	match_word(r, 0x1fff, NFT_CMP_GT, FRAG_OFFSET_MAX);
	guard_drop(p, r, "fragment-oversize");
	r = frag_rule(p, "fragment-oversize", 6);
	match_word(r, 0xfff8, NFT_CMP_GT, FRAG_OFFSET_MAX << 3);
	guard_drop(p, r, "fragment-oversize");

	r = frag_rule(p, "fragment-tiny", 4);
	match_word(r, 0x3fff, NFT_CMP_EQ, 0x2000);
	u16_cmp(r, 2, NFT_CMP_LT, FRAG_FIRST_MIN_V4);
	guard_drop(p, r, "fragment-tiny");
	r = frag_rule(p, "fragment-tiny", 4);
	match_word(r, 0x1fff, NFT_CMP_EQ, 1);
	ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 9, 1);
	ex_cmp(r, NFT_CMP_EQ, &tcp, 1);
	guard_drop(p, r, "fragment-tiny");
	r = frag_rule(p, "fragment-tiny", 6);
	match_word(r, 0xfff9, NFT_CMP_EQ, 1);
	u16_cmp(r, 4, NFT_CMP_LT, FRAG_FIRST_MIN_V6_PAYLOAD);
	guard_drop(p, r, "fragment-tiny");

	r = frag_rule(p, "fragment", 4);
	match_word(r, 0x3fff, NFT_CMP_NEQ, 0);
	ex_counter(r);
	r = rule(p, "fragments", "fragment");
	ex_family(r, 6);
	ex_exthdr(r, NFT_EXTHDR_OP_IPV6, IPPROTO_FRAGMENT, 0, 1, true);
	ex_cmp(r, NFT_CMP_EQ, (const uint8_t[]){1}, 1);
	ex_counter(r);
}

/* IPv6 addresses that may be on a wire here: global unicast without the
 * documentation block, link-local, and unique local networks that the
 * configuration has (requirements FW 1.6g; RFC 6092 REC-1..3). */
static void valid6_set(const struct cfg *cfg, struct prog *p)
{
	struct prog_set *s = range_set(p, "valid6", 6);
	struct net_range *v =
		calloc(cfg->port_count * CONFIG_CFG_MAX_ADDRS + cfg->route_count + 2,
		       sizeof(*v));
	size_t n = 0;

	if (!v) {
		p->is_full = true;
		return;
	}
	put_text(p, s, "2000::-2001:db7:ffff:ffff:ffff:ffff:ffff:ffff");
	put_text(p, s, "2001:db9::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	for (size_t i = 0; i < cfg->port_count; i++) {
		for (size_t k = 0; k < cfg->ports[i].addr_count; k++) {
			const struct net_prefix *a = &cfg->ports[i].addrs[k];

			if (a->addr.family == 6 && (a->addr.b[0] & 0xfe) == 0xfc)
				v[n++] = net_range_of(a);
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		const struct net_prefix *to = &cfg->routes[i].to;

		if (to->addr.family == 6 && to->len >= 7 &&
		    (to->addr.b[0] & 0xfe) == 0xfc)
			v[n++] = net_range_of(to);
	}
	if (cfg->management.is_set &&
	    net_range_parse(MGMT_NET_NET6, &v[n]) == ERR_OK) /* a constant */
		n++;
	n = net_range_merge(v, n);
	for (size_t i = 0; s && i < n; i++)
		prog_add_range(p, s, v[i].lo, v[i].hi);
	put_text(p, s, "fe80::/10");
	free(v);
}

/* Every packet asks these: networks of 8 bits in a hash, not a tree of ranges. */
static void never_set(struct prog *p, const char *name, unsigned first_high)
{
	struct prog_set *s = hash_set4(p, name);

	for (unsigned net = 0; s && net <= 255; net++) {
		struct prog_elem *e = net == 0 || net == 127 || net >= first_high
					      ? prog_add_elem(p, s)
					      : NULL;

		if (e)
			e->key[0] = (uint8_t)net;
	}
}

/* Broadcast addresses of the own networks, as the kernel makes them. */
static void broadcast_set(const struct cfg *cfg, struct prog *p)
{
	struct prog_set *s = hash_set4(p, "broadcast4");

	for (size_t i = 0; s && i < cfg->port_count; i++) {
		for (size_t k = 0; k < cfg->ports[i].addr_count; k++) {
			const struct net_prefix *a = &cfg->ports[i].addrs[k];
			struct prog_elem *e = a->addr.family == 4 && a->len < 31
						      ? prog_add_elem(p, s)
						      : NULL;

			if (e)
				memcpy(e->key, net_range_of(a).hi, 4);
		}
	}
}

static void guard_sets(const struct cfg *cfg, struct prog *p)
{
	never_set(p, "never_from4", 224);
	never_set(p, "never_to4", 240);
	broadcast_set(cfg, p);
	valid6_set(cfg, p);
}

static void options_chain(struct prog *p)
{
	static const uint8_t types[] = {IPOPT_LOOSE_SOURCE_ROUTE,
					IPOPT_STRICT_SOURCE_ROUTE, IPOPT_RECORD_ROUTE};
	static const uint8_t yes = 1;

	if (!prog_add_chain(p, "options"))
		return;
	for (size_t i = 0; i < sizeof(types); i++) {
		struct nftnl_rule *r = rule(p, "options", "route-option");

		ex_exthdr(r, NFT_EXTHDR_OP_IPV4, types[i], 0, 1, true);
		ex_cmp(r, NFT_CMP_EQ, &yes, 1);
		guard_drop(p, r, "route-option");
	}
}

static void guard4(struct prog *p)
{
	static const uint8_t words_mask = 0x0f, plain_words = 5;
	static const uint8_t zero[4], all_ones[4] = {255, 255, 255, 255}, net8[4] = {255};
	static const uint8_t dhcp_server[2] = {0, 67};
	struct nftnl_rule *r;

	/* a client without an address asks for one (RFC 2131 4.1) */
	r = rule(p, "guard", "dhcp-request");
	ex_family(r, 4);
	ex_load_addr(r, 4, true);
	ex_cmp(r, NFT_CMP_EQ, zero, 4);
	ex_load_addr(r, 4, false);
	ex_cmp(r, NFT_CMP_EQ, all_ones, 4);
	ex_proto(r, IPPROTO_UDP);
	ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	ex_cmp(r, NFT_CMP_EQ, dhcp_server, 2);
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);

	r = rule(p, "guard", "bad-source");
	ex_family(r, 4);
	ex_load_addr(r, 4, true);
	ex_mask(r, net8, 4);
	ex_lookup(r, "never_from4", false);
	guard_drop(p, r, "bad-source");
	r = rule(p, "guard", "bad-source");
	ex_family(r, 4);
	ex_load_addr(r, 4, true);
	ex_lookup(r, "broadcast4", false);
	guard_drop(p, r, "bad-source");
	r = rule(p, "guard", "bad-destination");
	ex_family(r, 4);
	ex_load_addr(r, 4, false);
	ex_mask(r, net8, 4);
	ex_lookup(r, "never_to4", false);
	ex_load_addr(r, 4, false);
	ex_cmp(r, NFT_CMP_NEQ, all_ones, 4);
	guard_drop(p, r, "bad-destination");
	r = rule(p, "guard", "options");
	ex_family(r, 4);
	ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 0, 1);
	ex_mask(r, &words_mask, 1);
	ex_cmp(r, NFT_CMP_NEQ, &plain_words, 1);
	ex_jump(r, "options");
}

/* Duplicate address detection asks from ::, to a solicited-node address
 * (RFC 4862 5.4.2); MLD may report from :: (RFC 3810 5.2.13). */
static void guard6(struct prog *p)
{
	static const uint8_t unspecified[16], link_multicast[2] = {0xff, 0x02};
	static const uint8_t routing0 = 0, multicast = 0xff;
	struct nftnl_rule *r;

	if (!prog_add_chain(p, "guard6"))
		return;
	r = rule(p, "guard", "ipv6");
	ex_family(r, 6);
	ex_jump(r, "guard6");

	r = rule(p, "guard6", "dad");
	ex_family(r, 6);
	ex_load_addr(r, 6, true);
	ex_cmp(r, NFT_CMP_EQ, unspecified, 16);
	ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 24, 2);
	ex_cmp(r, NFT_CMP_EQ, link_multicast, 2);
	ex_proto(r, IPPROTO_ICMPV6);
	ex_counter(r);
	ex_verdict(r, NF_ACCEPT);

	r = rule(p, "guard6", "bad-source");
	ex_family(r, 6);
	ex_load_addr(r, 6, true);
	ex_lookup_not(r, "valid6");
	guard_drop(p, r, "bad-source");
	r = rule(p, "guard6", "bad-destination");
	ex_family(r, 6);
	ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 24, 1);
	ex_cmp(r, NFT_CMP_NEQ, &multicast, 1);
	ex_load_addr(r, 6, false);
	ex_lookup_not(r, "valid6");
	guard_drop(p, r, "bad-destination");
	r = rule(p, "guard6", "route-option");
	ex_family(r, 6);
	ex_exthdr(r, NFT_EXTHDR_OP_IPV6, IPPROTO_ROUTING, 2, 1, false);
	ex_cmp(r, NFT_CMP_EQ, &routing0, 1);
	guard_drop(p, r, "route-option");
}

/* The way back to a source must lead through the port it came in (BCP 38, RFC
 * 3704 2.2). The appliance's own addresses have no way back either; only then is
 * the routing table asked once more what the source is. */
static void guard_routes(struct prog *p)
{
	static const uint32_t local = 2 /* RTN_LOCAL */, missing = 0;
	struct nftnl_rule *r;

	if (!prog_add_chain(p, "no_way_back"))
		return;
	r = rule(p, "guard", "spoofed-source");
	ex_fib(r, NFT_FIB_RESULT_OIF,
	       NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
	ex_cmp(r, NFT_CMP_EQ, &missing, sizeof(missing));
	ex_goto(r, "no_way_back");
	r = rule(p, "no_way_back", "own-source");
	ex_fib(r, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_SADDR);
	ex_cmp(r, NFT_CMP_EQ, &local, sizeof(local));
	guard_drop(p, r, "own-source");
	guard_drop(p, rule(p, "no_way_back", "spoofed-source"), "spoofed-source");
}

static void base_chain(struct prog *p, const char *name, int32_t prio)
{
	struct prog_chain *c = prog_add_chain(p, name);

	if (!c)
		return;
	c->is_base = true;
	c->hook = NF_INET_PRE_ROUTING;
	c->prio = prio;
	c->policy = NF_ACCEPT;
}

/*
 * Add the chains and sets that stand in front of connection tracking.
 */
void compile_guard(const struct cfg *cfg, struct prog *p)
{
	struct nftnl_rule *r;

	base_chain(p, "fragments", PRIO_FRAGMENTS);
	base_chain(p, "guard", PRIO_GUARD);
	guard_sets(cfg, p);
	fragment_rules(p);
	options_chain(p);
	r = rule(p, "guard", "loopback");
	ex_ifname(r, NFT_META_IIFNAME, "lo");
	ex_verdict(r, NF_ACCEPT);
	guard4(p);
	guard6(p);
	compile_nat_guard(cfg, p);
	guard_routes(p);
}

static struct prog_set *icmp_set(struct prog *p, const char *name, uint8_t family)
{
	struct prog_set *s = prog_add_set(p, name);

	if (s) {
		s->key_type = family == 4 ? TYPE_ICMP : TYPE_ICMPV6;
		s->key_len = 1;
		s->flags = NFT_SET_CONSTANT | NFT_SET_INTERVAL;
	}
	return s;
}

static void match_icmp(struct nftnl_rule *r, uint8_t family, const char *set)
{
	ex_family(r, family);
	ex_proto(r, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
	ex_lookup(r, set, false);
}

struct icmp_span {
	uint8_t family, lo, hi;
	bool may_be_named; /* a rule that names the type lets it cross */
};

/* Types that do not cross. IPv4: redirect, router discovery, source quench
 * (RFC 6633); timestamp, information and mask requests unless a rule names
 * them. IPv6, RFC 4890 4.3.3 and 4.3.5: neighbour discovery and its relatives,
 * experimental, reserved, renumbering; node information unless named. */
static const struct icmp_span icmp_spans[] = {
	{4, 4, 5, false},     {4, 9, 10, false},    {4, 13, 18, true},
	{6, 100, 101, false}, {6, 127, 127, false}, {6, 130, 138, false},
	{6, 139, 140, true},  {6, 141, 143, false}, {6, 148, 149, false},
	{6, 151, 153, false}, {6, 200, 201, false}, {6, 255, 255, false},
};

static bool is_named(const struct cfg *cfg, uint8_t proto, uint8_t type)
{
	for (size_t i = 0; i < cfg->rule_count; i++) {
		for (size_t k = 0; k < cfg->rules[i].svc_count; k++) {
			const struct cfg_service *s = &cfg->rules[i].svc[k];

			if (s->proto == proto && s->has_type && s->type == type)
				return true;
		}
	}
	return false;
}

/*
 * Whether packets of an ICMP (family 4) or ICMPv6 (6) type never cross.
 */
bool icmp_is_never(const struct cfg *cfg, uint8_t family, uint8_t type)
{
	uint8_t proto = family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	for (size_t i = 0; i < sizeof(icmp_spans) / sizeof(icmp_spans[0]); i++) {
		const struct icmp_span *s = &icmp_spans[i];

		if (s->family == family && type >= s->lo && type <= s->hi)
			return !s->may_be_named || !is_named(cfg, proto, type);
	}
	return false;
}

static void icmp_never_set(const struct cfg *cfg, struct prog *p, uint8_t family)
{
	struct prog_set *s =
		icmp_set(p, family == 4 ? "icmp_never" : "icmpv6_never", family);

	for (unsigned type = 0, lo; s && type <= 255; type++) {
		uint8_t ends[2];

		if (!icmp_is_never(cfg, family, (uint8_t)type))
			continue;
		lo = type;
		while (type < 255 && icmp_is_never(cfg, family, (uint8_t)(type + 1)))
			type++;
		ends[0] = (uint8_t)lo;
		ends[1] = (uint8_t)type;
		prog_add_range(p, s, &ends[0], &ends[1]);
	}
}

static void icmp_sets(const struct cfg *cfg, struct prog *p)
{
	static const uint8_t error4[][2] = {{3, 3}, {11, 12}}, error6[2] = {1, 4};
	struct prog_set *s = icmp_set(p, "icmp_error", 4);

	for (size_t i = 0; s && i < 2; i++)
		prog_add_range(p, s, &error4[i][0], &error4[i][1]);
	s = icmp_set(p, "icmpv6_error", 6);
	if (s)
		prog_add_range(p, s, &error6[0], &error6[1]);
	icmp_never_set(cfg, p, 4);
	icmp_never_set(cfg, p, 6);
}

static void link_local(struct prog *p)
{
	static const uint8_t net4[2] = {169, 254}, net6[2] = {0xfe, 0x80};
	static const uint8_t mask6[2] = {0xff, 0xc0};

	for (int is_source = 0; is_source <= 1; is_source++) {
		struct nftnl_rule *r = rule(p, "forward", "link-local");

		ex_family(r, 4);
		ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, is_source ? 12 : 16, 2);
		ex_cmp(r, NFT_CMP_EQ, net4, 2);
		guard_drop(p, r, "link-local");
		r = rule(p, "forward", "link-local");
		ex_family(r, 6);
		ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, is_source ? 8 : 24, 2);
		ex_mask(r, mask6, 2);
		ex_cmp(r, NFT_CMP_EQ, net6, 2);
		guard_drop(p, r, "link-local");
	}
}

static void match_ula(struct nftnl_rule *r, bool is_source)
{
	static const uint8_t net = 0xfc, mask = 0xfe;

	ex_family(r, 6);
	ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, is_source ? 8 : 24, 1);
	ex_mask(r, &mask, 1);
	ex_cmp(r, NFT_CMP_EQ, &net, 1);
}

/* Unique local addresses are for inside zones only. A flow that translation
 * brings to one was asked for by another address; one that leaves with one is
 * looked at behind translation, in chain "leave". */
static void ula_outside(const struct cfg *cfg, struct prog *p)
{
	bool is_moved = compile_nat_moves_ula(cfg);

	for (int is_source = 0; is_source <= 1; is_source++) {
		for (int is_in = 0; is_in <= 1; is_in++) {
			struct nftnl_rule *r;

			if (is_moved && is_source && !is_in)
				continue;
			r = rule(p, "forward", "ula-outside");
			match_ula(r, is_source);
			ex_meta(r, is_in ? NFT_META_IIFNAME : NFT_META_OIFNAME,
				NFT_REG_1);
			ex_lookup_not(r, "inside");
			if (is_moved && !is_source && is_in)
				ex_ct_status(r, IPS_DST_NAT, 0);
			guard_drop(p, r, "ula-outside");
		}
	}
}

/*
 * Add the chain behind source translation that drops forwarded packets which
 * leave to an outside zone with a unique local source all the same.
 */
void compile_ula_leave(const struct cfg *cfg, struct prog *p)
{
	struct prog_chain *c = prog_add_chain(p, "leave");
	struct nftnl_rule *r;

	if (!c)
		return;
	c->is_base = true;
	c->hook = NF_INET_POST_ROUTING;
	c->prio = PRIO_LEAVE;
	c->policy = NF_ACCEPT;
	if (cfg->management.is_set) {
		r = rule(p, "leave", "management");
		ex_ifname(r, NFT_META_OIFNAME, MGMT_NET_NAME);
		ex_verdict(r, NF_ACCEPT);
	}
	r = rule(p, "leave", "ula-outside");
	match_ula(r, true);
	ex_meta(r, NFT_META_OIFNAME, NFT_REG_1);
	ex_lookup_not(r, "inside");
	ex_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	ex_lookup(r, "inside", false);
	guard_drop(p, r, "ula-outside");
}

/*
 * Add the rules at the head of `forward` that judge a packet without looking
 * at its connection.
 */
void compile_forward_guard(const struct cfg *cfg, struct prog *p)
{
	struct nftnl_rule *r;

	icmp_sets(cfg, p);
	link_local(p);
	r = rule(p, "forward", "icmp-never");
	match_icmp(r, 4, "icmp_never");
	guard_drop(p, r, "icmp-never");
	r = rule(p, "forward", "icmp-never");
	match_icmp(r, 6, "icmpv6_never");
	guard_drop(p, r, "icmp-never");
	ula_outside(cfg, p);
}

/*
 * Let errors of known connections pass to the end that needs them, and nothing
 * else that is merely related (RFC 4890 4.3.1, RFC 6092 REC-10, REC-18).
 */
void compile_related(struct prog *p, uint32_t related)
{
	struct nftnl_rule *r;

	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		r = rule(p, "forward", "icmp-error");
		ex_ct_state(r, related);
		match_icmp(r, family, family == 4 ? "icmp_error" : "icmpv6_error");
		ex_counter(r);
		ex_verdict(r, NF_ACCEPT);
	}
	r = rule(p, "forward", "related");
	ex_ct_state(r, related);
	guard_drop(p, r, "related");
}

/* Protocols that carry packets the rules cannot see into: IPIP, 6in4, GRE,
 * EtherIP, IPIP encapsulation (RFC 7084 S-3). */
static void tunnel_set(struct prog *p, const char *name, bool with_udp)
{
	static const uint8_t protos[] = {IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_GRE, 94, 97};
	struct prog_set *s = prog_add_set(p, name);

	if (!s)
		return;
	s->key_type = TYPE_PROTO;
	s->key_len = 1;
	s->flags = NFT_SET_CONSTANT;
	for (size_t i = 0; i < sizeof(protos); i++) {
		struct prog_elem *e = prog_add_elem(p, s);

		if (e)
			e->key[0] = protos[i];
	}
	if (with_udp) {
		struct prog_elem *e = prog_add_elem(p, s);

		if (e)
			e->key[0] = IPPROTO_UDP;
	}
}

/*
 * Add the sets `tunnels` and `tunnels_or_udp`. A permit without services does
 * not cover tunnels: they need a rule that names their protocol.
 */
void compile_tunnel_sets(struct prog *p)
{
	tunnel_set(p, "tunnels", false);
	tunnel_set(p, "tunnels_or_udp", true);
}

/*
 * Add the rules behind the zone pairs that name a tunnel nobody permitted.
 */
void compile_tunnel_rules(struct prog *p)
{
	static const uint8_t teredo[2] = {TEREDO_PORT >> 8, TEREDO_PORT & 0xff};
	struct nftnl_rule *r = rule(p, "forward", "tunnel");

	ex_meta(r, NFT_META_L4PROTO, NFT_REG_1);
	ex_lookup(r, "tunnels", false);
	guard_drop(p, r, "tunnel");
	r = rule(p, "forward", "tunnel");
	ex_proto(r, IPPROTO_UDP);
	ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	ex_cmp(r, NFT_CMP_EQ, teredo, sizeof(teredo));
	guard_drop(p, r, "tunnel");
}
