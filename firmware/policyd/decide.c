/*
 * DESIGN: the same order as the compiled rules (compile.c, compile_nat.c):
 * isolation, zone pair, first rule that matches, default deny; around it the
 * translations. Ports follow from addresses by
 * the configuration's own networks and routes, longest prefix first, as the
 * kernel's routing does; the source's port too, because `guard` drops a source
 * that comes in elsewhere. tests/unit/test_policyd_decide.c and the namespace test
 * flows_cut prove it.
 */
#include "decide.h"

#include <netinet/in.h>
#include <string.h>

#include "compile_int.h"
#include "mgmt_net.h"

static bool in_ranges(const struct net_range *v, size_t n, const struct net_addr *a)
{
	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (v[i].family == a->family && memcmp(v[i].lo, a->b, 16) <= 0 &&
		    memcmp(a->b, v[i].hi, 16) <= 0)
			return true;
	}
	return false;
}

static bool is_own(const struct cfg *cfg, const struct net_addr *a)
{
	for (size_t p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			if (net_addr_eq(&cfg->ports[p].addrs[i].addr, a))
				return true;
		}
	}
	return false;
}

static bool is_webd(const struct net_addr *a)
{
	struct net_addr webd = mgmt_addr(a->family);

	return net_addr_eq(&webd, a);
}

/* The port behind which an address is, -1 for none. */
static int port_of(const struct cfg *cfg, const struct net_addr *a)
{
	int best = -1, best_len = -1;

	for (size_t p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			struct net_prefix net =
				net_prefix_network(&cfg->ports[p].addrs[i]);

			if (net.len > best_len && net_prefix_has(&net, a)) {
				best = (int)p;
				best_len = net.len;
			}
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		const struct cfg_route *r = &cfg->routes[i];

		if (r->to.len > best_len && net_prefix_has(&r->to, a)) {
			best = (int)r->port;
			best_len = r->to.len;
		}
	}
	return best;
}

static bool is_tunnel(const struct flow *f)
{
	return f->proto == IPPROTO_IPIP || f->proto == IPPROTO_IPV6 ||
	       f->proto == IPPROTO_GRE || f->proto == 94 || f->proto == 97 ||
	       (f->proto == IPPROTO_UDP && f->dst_port == TEREDO_PORT);
}

static bool service_fits(const struct cfg_service *s, const struct flow *f)
{
	if (s->proto != f->proto)
		return false;
	if (s->has_ports && (f->dst_port < s->lo || f->dst_port > s->hi))
		return false;
	if (s->has_type && s->type != f->type)
		return false;
	return !s->has_code || s->code == f->code;
}

static bool services_fit(const struct cfg_rule *r, const struct flow *f)
{
	if (r->svc_count == 0)
		return r->action != CFG_PERMIT || !is_tunnel(f);
	for (size_t i = 0; i < r->svc_count; i++) {
		if (service_fits(&r->svc[i], f))
			return true;
	}
	return false;
}

static bool rule_fits(const struct cfg *cfg, const struct cfg_rule *r, unsigned in,
		      unsigned out, const struct flow *f)
{
	return (r->from & (1U << cfg->ports[in].zone)) &&
	       (r->to & (1U << cfg->ports[out].zone)) &&
	       (!r->in_ports || (r->in_ports & (1U << in))) &&
	       (!r->out_ports || (r->out_ports & (1U << out))) &&
	       in_ranges(r->src, r->src_count, &f->src) &&
	       in_ranges(r->dst, r->dst_count, &f->dst) && services_fit(r, f);
}

static bool is_apart(enum zone a, enum zone b)
{
	return (a == ZONE_TSLCD && b == ZONE_INTERNET) ||
	       (a == ZONE_INTERNET && b == ZONE_TSLCD);
}

/*
 * Decide on a connection by its first packet.
 *
 * @rule  gets the rule that decided, NULL for the default; may be NULL
 */
enum decision decide(const struct cfg *cfg, const struct flow *flow,
		     const struct cfg_rule **rule)
{
	int in = port_of(cfg, &flow->src), out = port_of(cfg, &flow->dst);

	if (rule)
		*rule = NULL;
	if (is_own(cfg, &flow->src) || is_own(cfg, &flow->dst))
		return DECIDE_LOCAL;
	if (is_webd(&flow->src) || is_webd(&flow->dst))
		return DECIDE_DENY; /* only by its translation: decide_entry() */
	if (in < 0 || out < 0 || is_apart(cfg->ports[in].zone, cfg->ports[out].zone))
		return DECIDE_DENY;
	if ((flow->proto == IPPROTO_ICMP || flow->proto == IPPROTO_ICMPV6) &&
	    icmp_is_never(cfg, flow->src.family, flow->type))
		return DECIDE_DENY;
	for (size_t i = 0; i < cfg->rule_count; i++) {
		const struct cfg_rule *r = &cfg->rules[i];

		if (cfg_rule_is_over(cfg, r) ||
		    !rule_fits(cfg, r, (unsigned)in, (unsigned)out, flow))
			continue;
		if (rule)
			*rule = r;
		return r->action == CFG_PERMIT ? DECIDE_PERMIT : DECIDE_DENY;
	}
	return DECIDE_DENY;
}

static struct net_addr moved(const struct net_addr *a, const struct net_prefix *from,
			     const struct net_prefix *to)
{
	struct net_range host = net_range_of(from), net = net_range_of(to);
	struct net_addr out = {.family = to->addr.family};

	/* both have the same length: network part of @to, host part of @a */
	for (unsigned i = 0; i < net_addr_bytes(out.family); i++)
		out.b[i] = (uint8_t)(net.lo[i] | (a->b[i] & (host.lo[i] ^ host.hi[i])));
	return out;
}

/* Whether a flow as it comes in is one of management (compile_mgmt.c). */
static bool is_managing(const struct cfg *cfg, const struct flow *orig)
{
	const struct cfg_management *m = &cfg->management;

	if (!m->is_set || orig->proto != IPPROTO_TCP || orig->dst_port != MGMT_NET_PORT ||
	    port_of(cfg, &orig->src) != (int)m->port ||
	    !in_ranges(m->sources, m->source_count, &orig->src))
		return false;
	for (size_t i = 0; i < cfg->ports[m->port].addr_count; i++) {
		if (net_addr_eq(&cfg->ports[m->port].addrs[i].addr, &orig->dst))
			return true;
	}
	return false;
}

/* Where the configuration sends a flow that comes in by port @in: what the chain
 * `dstnat` makes of it (compile_nat.c). */
static struct flow behind_dstnat(const struct cfg *cfg, unsigned in,
				 const struct flow *orig)
{
	const struct cfg_nat *nat = &cfg->nat;
	uint32_t zone = 1U << cfg->ports[in].zone;
	struct flow out = *orig;

	if (is_managing(cfg, orig)) {
		out.dst = mgmt_addr(orig->dst.family);
		return out;
	}
	for (size_t i = 0; i < nat->destination_count; i++) {
		const struct cfg_dnat *d = &nat->destination[i];

		if (!(d->match.from & zone) ||
		    !in_ranges(d->match.dst, d->match.dst_count, &orig->dst))
			continue;
		for (size_t k = 0; k < d->match.svc_count; k++) {
			const struct cfg_service *s = &d->match.svc[k];

			if (!service_fits(s, orig))
				continue;
			out.dst = d->to;
			if (d->port_lo)
				out.dst_port =
					(uint16_t)(d->port_lo + orig->dst_port - s->lo);
			return out;
		}
	}
	for (size_t i = 0; i < nat->prefix_count; i++) {
		const struct cfg_pnat *p = &nat->prefix[i];

		if (p->zone == cfg->ports[in].zone &&
		    net_prefix_has(&p->outside, &orig->dst)) {
			out.dst = moved(&orig->dst, &p->outside, &p->inside);
			return out;
		}
	}
	return out;
}

/* Whether @seen is an own address of a port. */
static bool is_own_of(const struct cfg_port *port, const struct net_addr *seen)
{
	for (size_t i = 0; i < port->addr_count; i++) {
		if (net_addr_eq(&port->addrs[i].addr, seen))
			return true;
	}
	return false;
}

/* Whether the chain `srcnat` gives a flow the source @seen. */
static bool leaves_as(const struct cfg *cfg, unsigned in, unsigned out,
		      const struct flow *f, const struct net_addr *seen)
{
	const struct cfg_nat *nat = &cfg->nat;

	for (size_t i = 0; i < nat->prefix_count; i++) {
		const struct cfg_pnat *p = &nat->prefix[i];

		if (p->zone == cfg->ports[out].zone &&
		    net_prefix_has(&p->inside, &f->src)) {
			struct net_addr want = moved(&f->src, &p->inside, &p->outside);

			return net_addr_eq(&want, seen);
		}
	}
	for (size_t i = 0; i < nat->source_count; i++) {
		const struct cfg_snat *s = &nat->source[i];

		if ((!s->is_masquerade && s->to.family != f->src.family) ||
		    !rule_fits(cfg, &s->match, in, out, f))
			continue;
		return s->is_masquerade ? is_own_of(&cfg->ports[out], seen)
					: in_ranges(&s->to, 1, seen);
	}
	return net_addr_eq(&f->src, seen);
}

/*
 * Decide on an entry of the connection table: the rules see the addresses behind
 * destination translation and before source translation. An entry whose
 * translation is not the one that the configuration gives is denied.
 *
 * @orig   the first packet as it came
 * @reply  the answer to it as it comes: source is where it really went,
 *         destination what it left as
 */
enum decision decide_entry(const struct cfg *cfg, const struct flow *orig,
			   const struct flow *reply)
{
	struct flow f = *orig, want;
	enum decision d;
	int in, out;

	if (is_webd(&reply->src))
		return is_managing(cfg, orig) && reply->src_port == MGMT_NET_PORT &&
				       net_addr_eq(&reply->dst, &orig->src)
			       ? DECIDE_PERMIT
			       : DECIDE_DENY;
	f.dst = reply->src;
	f.dst_port = reply->src_port;
	d = decide(cfg, &f, NULL);
	in = port_of(cfg, &f.src);
	out = port_of(cfg, &f.dst);
	if (d != DECIDE_PERMIT || in < 0 || out < 0)
		return d;
	want = behind_dstnat(cfg, (unsigned)in, orig);
	if (!net_addr_eq(&want.dst, &f.dst) || want.dst_port != f.dst_port ||
	    !leaves_as(cfg, (unsigned)in, (unsigned)out, &f, &reply->dst))
		return DECIDE_DENY;
	return DECIDE_PERMIT;
}
