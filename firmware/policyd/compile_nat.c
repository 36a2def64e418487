/*
 * DESIGN: translation stands in two base chains of type nat, which exist only
 * when the configuration translates something (every packet pays for them):
 * `dstnat` before routing and `srcnat` after it. The kernel asks them about the
 * first packet of a flow only, and translates all others, answers and ICMP
 * errors included, by the connection. The guard (-300) has seen the packet as it
 * came; `forward` sees it with its inside addresses on both ends and decides;
 * a translation permits nothing.
 *
 * The order in dstnat: management (compile_mgmt.c), "destination", then "prefix"; in
 * srcnat: "prefix", then "source". decide.c follows it. Each kernel rule has the entry's
 * id as comment and a counter, which counts flows.
 */
#include "compile_int.h"
#include "expr.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#define PRIO_DSTNAT (-100)
#define PRIO_SRCNAT 100

static uint32_t ports_of(const struct cfg *cfg, uint32_t zones)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < cfg->port_count; i++) {
		if (zones & (1U << cfg->ports[i].zone))
			mask |= 1U << i;
	}
	return mask;
}

static void nat_chain(struct prog *p, const char *name, uint32_t hook, int32_t prio)
{
	struct prog_chain *c = prog_add_chain(p, name);

	if (!c)
		return;
	c->is_base = true;
	memcpy(c->type, "nat", sizeof("nat"));
	c->hook = hook;
	c->prio = prio;
	c->policy = NF_ACCEPT;
}

static uint32_t nfproto(uint8_t family)
{
	return family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

/* One service of a destination translation; @shift is the port's place in it
 * when the ports get other numbers, else all of them stay. */
static void put_dnat(const struct cfg *cfg, struct prog *p, const struct cfg_dnat *d,
		     const struct cfg_service *svc, int shift)
{
	const struct cfg_rule *m = &d->match;
	struct nftnl_rule *r = prog_add_rule(p, "dstnat", m->id);
	struct ex_nat nat = {.type = NFT_NAT_DNAT, .family = nfproto(d->to.family)};
	struct cfg_service one = *svc;
	struct cfg_rule ports = {.svc = &one, .svc_count = 1};

	if (shift >= 0)
		one.lo = one.hi = (uint16_t)(svc->lo + shift);
	rule_match_names(cfg, p, r, ports_of(cfg, m->from), NFT_META_IIFNAME);
	ex_family(r, d->to.family);
	rule_match_addrs(p, r, m->dst, m->dst_count, d->to.family, false);
	ex_proto(r, svc->proto);
	rule_match_ports(&ports, p, r, svc->proto, false);
	ex_counter(r);
	ex_immediate(r, NFT_REG_1, d->to.b, net_addr_bytes(d->to.family));
	if (shift >= 0) {
		uint16_t to = htons((uint16_t)(d->port_lo + shift));

		ex_immediate(r, NFT_REG_3, &to, sizeof(to));
		nat.has_port = true;
	}
	ex_nat(r, &nat);
}

static void destination(const struct cfg *cfg, struct prog *p, const struct cfg_dnat *d)
{
	if (!ports_of(cfg, d->match.from))
		return;
	for (size_t i = 0; i < d->match.svc_count; i++) {
		const struct cfg_service *svc = &d->match.svc[i];

		if (!d->port_lo || d->port_lo == svc->lo) {
			put_dnat(cfg, p, d, svc, -1);
			continue;
		}
		for (int k = 0; k <= svc->hi - svc->lo; k++)
			put_dnat(cfg, p, d, svc, k);
	}
}

/* One direction of a prefix translation: the host part stays. */
static void prefix(const struct cfg *cfg, struct prog *p, const struct cfg_pnat *t,
		   bool is_source)
{
	struct net_range from = net_range_of(is_source ? &t->inside : &t->outside);
	struct net_range to = net_range_of(is_source ? &t->outside : &t->inside);
	struct ex_nat nat = {.type = is_source ? NFT_NAT_SNAT : NFT_NAT_DNAT,
			     .family = nfproto(to.family),
			     .is_range = true,
			     .flags = NF_NAT_RANGE_NETMAP};
	uint32_t ports = ports_of(cfg, 1U << t->zone);
	struct nftnl_rule *r;

	if (!ports)
		return;
	r = prog_add_rule(p, is_source ? "srcnat" : "dstnat", t->id);
	rule_match_names(cfg, p, r, ports,
			 is_source ? NFT_META_OIFNAME : NFT_META_IIFNAME);
	ex_family(r, to.family);
	rule_match_addrs(p, r, &from, 1, to.family, is_source);
	ex_counter(r);
	ex_immediate(r, NFT_REG_1, to.lo, net_addr_bytes(to.family));
	ex_immediate(r, NFT_REG_2, to.hi, net_addr_bytes(to.family));
	ex_nat(r, &nat);
}

static void put_snat_result(struct nftnl_rule *r, const struct cfg_snat *s)
{
	unsigned bytes = net_addr_bytes(s->to.family);
	struct ex_nat nat = {.type = NFT_NAT_SNAT,
			     .family = nfproto(s->to.family),
			     .is_range = memcmp(s->to.lo, s->to.hi, bytes) != 0};

	if (s->is_masquerade) {
		ex_masquerade(r);
		return;
	}
	ex_immediate(r, NFT_REG_1, s->to.lo, bytes);
	if (nat.is_range) {
		ex_immediate(r, NFT_REG_2, s->to.hi, bytes);
		/* one host keeps one address (RFC 4787 REQ-2) */
		nat.flags = NF_NAT_RANGE_PERSISTENT;
	}
	ex_nat(r, &nat);
}

/* One family and protocol of a source translation; @svc names an ICMP type or a
 * protocol, @proto 0 stands for every one. */
static void put_snat(const struct cfg *cfg, struct prog *p, const struct cfg_snat *s,
		     uint8_t family, uint8_t proto, const struct cfg_service *svc)
{
	const struct cfg_rule *m = &s->match;
	struct nftnl_rule *r = prog_add_rule(p, "srcnat", m->id);
	uint32_t out = m->out_ports ? m->out_ports : ports_of(cfg, m->to);
	bool has_all = false;

	/* what the appliance itself sends came in by no port */
	rule_match_names(cfg, p, r, ports_of(cfg, m->from), NFT_META_IIFNAME);
	rule_match_names(cfg, p, r, out, NFT_META_OIFNAME);
	ex_family(r, family);
	rule_match_addrs(p, r, m->src, m->src_count, family, true);
	rule_match_addrs(p, r, m->dst, m->dst_count, family, false);
	if (proto)
		ex_proto(r, proto);
	if (proto && !svc) {
		for (size_t i = 0; i < m->svc_count; i++)
			has_all |= m->svc[i].proto == proto && !m->svc[i].has_ports;
		if (!has_all)
			rule_match_ports(m, p, r, proto, false);
	}
	if (svc && svc->has_type)
		ex_u8_at(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, svc->type);
	if (svc && svc->has_code)
		ex_u8_at(r, NFT_PAYLOAD_TRANSPORT_HEADER, 1, svc->code);
	ex_counter(r);
	put_snat_result(r, s);
}

static void source_family(const struct cfg *cfg, struct prog *p, const struct cfg_snat *s,
			  uint8_t family)
{
	static const uint8_t transports[] = {IPPROTO_TCP, IPPROTO_UDP};
	const struct cfg_rule *m = &s->match;

	if (m->svc_count == 0)
		put_snat(cfg, p, s, family, 0, NULL);
	for (size_t t = 0; t < sizeof(transports); t++) {
		bool has_any = false;

		for (size_t i = 0; i < m->svc_count; i++)
			has_any |= m->svc[i].proto == transports[t];
		if (has_any)
			put_snat(cfg, p, s, family, transports[t], NULL);
	}
	for (size_t i = 0; i < m->svc_count; i++) {
		uint8_t proto = m->svc[i].proto;

		if (proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
		    (proto == IPPROTO_ICMP && family != 4) ||
		    (proto == IPPROTO_ICMPV6 && family != 6))
			continue;
		put_snat(cfg, p, s, family, proto, &m->svc[i]);
	}
}

static bool can_be(const struct cfg_snat *s, uint8_t family)
{
	return rule_has_family(s->match.src, s->match.src_count, family) &&
	       rule_has_family(s->match.dst, s->match.dst_count, family) &&
	       (s->is_masquerade || s->to.family == family);
}

static void source(const struct cfg *cfg, struct prog *p, const struct cfg_snat *s)
{
	if (!ports_of(cfg, s->match.from) || !ports_of(cfg, s->match.to))
		return;
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		if (can_be(s, family))
			source_family(cfg, p, s, family);
	}
}

/*
 * Add the chains `dstnat` and `srcnat`, each only when something is in it.
 */
void compile_nat(const struct cfg *cfg, struct prog *p)
{
	const struct cfg_nat *nat = &cfg->nat;

	if (nat->destination_count || nat->prefix_count || cfg->management.is_set)
		nat_chain(p, "dstnat", NF_INET_PRE_ROUTING, PRIO_DSTNAT);
	compile_mgmt_dstnat(cfg, p);
	for (size_t i = 0; i < nat->destination_count; i++)
		destination(cfg, p, &nat->destination[i]);
	for (size_t i = 0; i < nat->prefix_count; i++)
		prefix(cfg, p, &nat->prefix[i], false);
	if (nat->source_count || nat->prefix_count)
		nat_chain(p, "srcnat", NF_INET_POST_ROUTING, PRIO_SRCNAT);
	for (size_t i = 0; i < nat->prefix_count; i++)
		prefix(cfg, p, &nat->prefix[i], true);
	for (size_t i = 0; i < nat->source_count; i++)
		source(cfg, p, &nat->source[i]);
	if (compile_nat_moves_ula(cfg))
		compile_ula_leave(cfg, p);
}

/* Whether the configuration has a unique local network: packets from others are
 * dropped by `guard` as a bad source. */
static bool has_ula(const struct cfg *cfg)
{
	bool found = false;

	for (size_t p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			struct net_range v = net_range_of(&cfg->ports[p].addrs[i]);

			found |= cfg_is_ula(&v);
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		struct net_range v = net_range_of(&cfg->routes[i].to);

		found |= cfg_is_ula(&v);
	}
	return found;
}

/*
 * Whether a translation can take or give a unique local address: then the
 * addresses in `forward` are not those on the wire.
 */
bool compile_nat_moves_ula(const struct cfg *cfg)
{
	const struct cfg_nat *nat = &cfg->nat;

	if (!has_ula(cfg))
		return false;
	for (size_t i = 0; i < nat->source_count; i++) {
		if (can_be(&nat->source[i], 6))
			return true;
	}
	for (size_t i = 0; i < nat->prefix_count; i++) {
		struct net_range in = net_range_of(&nat->prefix[i].inside);

		if (cfg_is_ula(&in))
			return true;
	}
	for (size_t i = 0; i < nat->destination_count; i++) {
		const struct net_addr *to = &nat->destination[i].to;
		struct net_range v = {.family = to->family};

		memcpy(v.lo, to->b, sizeof(v.lo));
		if (cfg_is_ula(&v))
			return true;
	}
	return false;
}

/*
 * Add to `guard`: addresses that only translations answer for are as much the
 * appliance's own as those of its ports, and come from outside only forged.
 */
void compile_nat_guard(const struct cfg *cfg, struct prog *p)
{
	size_t n = cfg_nat_routed(cfg, NULL);
	struct net_range *v;

	if (n == 0)
		return;
	v = calloc(n, sizeof(*v));
	if (!v) {
		p->is_full = true;
		return;
	}
	n = net_range_merge(v, cfg_nat_routed(cfg, v));
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		struct nftnl_rule *r;

		if (!rule_has_family(v, n, family))
			continue;
		r = prog_add_rule(p, "guard", "built-in own-source");
		ex_family(r, family);
		rule_match_addrs(p, r, v, n, family, true);
		guard_drop(p, r, "own-source");
	}
	free(v);
}
