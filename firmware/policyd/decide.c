/*
 * DESIGN: the same order as the compiled rules (compile.c): isolation, zone
 * pair, first rule that matches, default deny. Ports follow from addresses by
 * the configuration's own networks and routes, longest prefix first, as the
 * kernel's routing does; the source's port too, because `guard` drops a source
 * that comes in elsewhere. tests/unit/test_policyd_decide.c and the namespace test
 * flows_cut prove it.
 */
#include "decide.h"

#include <netinet/in.h>
#include <string.h>

#include "compile_int.h"

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
