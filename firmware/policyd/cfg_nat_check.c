/*
 * DESIGN: what makes a translation safe. An address that packets get here must
 * be answered for: it is an own address of a port, or the far side routes it to
 * the appliance; then nobody else may have it: no network of a port, no network
 * behind an inside zone, no network that we route away. Nothing may join
 * Internet and TSLCD (PF-22). Source and destination of one packet are of one
 * family.
 *
 * Overlapping networks (PF-28): a network stands once in ports and routes, and a
 * route inside a port's network is refused, so that the longest prefix always
 * says where an address is. A local network inside a wider route hides that part
 * of the far side: its packets are dropped as spoofed. A prefix translation
 * shows the local network to the far side under another name.
 */
#include "cfg_int.h"

#include <string.h>

#include <netinet/in.h>

#define ULA_MASK 0xfe /* fc00::/7, RFC 4193 */
#define ULA 0xfc

static bool overlap(const struct net_range *a, const struct net_range *b)
{
	return a->family == b->family && memcmp(a->lo, b->hi, 16) <= 0 &&
	       memcmp(b->lo, a->hi, 16) <= 0;
}

static bool covers(const struct net_range *a, const struct net_range *b)
{
	return a->family == b->family && memcmp(a->lo, b->lo, 16) <= 0 &&
	       memcmp(b->hi, a->hi, 16) <= 0;
}

static struct net_range range_of_addr(const struct net_addr *a)
{
	struct net_range v = {.family = a->family};

	memcpy(v.lo, a->b, 16);
	memcpy(v.hi, a->b, 16);
	return v;
}

static bool is_inside(enum zone zone)
{
	return !((1U << zone) & ZONE_OUTSIDE);
}

/* Both Internet and TSLCD, one on each side. */
static bool joins(uint32_t a, uint32_t b)
{
	const uint32_t tslcd = 1U << ZONE_TSLCD, internet = 1U << ZONE_INTERNET;

	return ((a & tslcd) && (b & internet)) || ((a & internet) && (b & tslcd));
}

/*
 * Whether a range begins with a unique local IPv6 address.
 */
bool cfg_is_ula(const struct net_range *v)
{
	return v->family == 6 && (v->lo[0] & ULA_MASK) == ULA;
}

/*
 * Whether every address of a range is the appliance's own.
 *
 * @port  gets the port of the last one; may be NULL
 */
bool cfg_is_own(const struct cfg *cfg, const struct net_range *v, unsigned *port)
{
	uint8_t at[16];

	/* ends at the first address that is not own: there are few */
	memcpy(at, v->lo, sizeof(at));
	for (;;) {
		bool found = false;

		for (unsigned p = 0; p < cfg->port_count; p++) {
			for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
				const struct net_addr *a = &cfg->ports[p].addrs[i].addr;

				if (a->family != v->family ||
				    memcmp(a->b, at, sizeof(at)) != 0)
					continue;
				found = true;
				if (port)
					*port = p;
			}
		}
		if (!found)
			return false;
		if (memcmp(at, v->hi, sizeof(at)) == 0)
			return true;
		if (!net_bytes_next(at, net_addr_bytes(v->family)))
			return false;
	}
}

/*
 * The addresses that only translations answer for: the far side routes them to
 * the appliance, no port has them. Nobody may use one as a source.
 *
 * @out  room for as many as the call with NULL returns
 *
 * Returns their number, not merged.
 */
size_t cfg_nat_routed(const struct cfg *cfg, struct net_range *out)
{
	const struct cfg_nat *nat = &cfg->nat;
	size_t n = 0;

	for (size_t i = 0; i < nat->source_count; i++) {
		const struct cfg_snat *s = &nat->source[i];

		if (s->is_masquerade || cfg_is_own(cfg, &s->to, NULL))
			continue;
		if (out)
			out[n] = s->to;
		n++;
	}
	for (size_t i = 0; i < nat->prefix_count; i++, n++) {
		if (out)
			out[n] = net_range_of(&nat->prefix[i].outside);
	}
	for (size_t i = 0; i < nat->destination_count; i++) {
		const struct cfg_rule *m = &nat->destination[i].match;

		for (size_t k = 0; k < m->dst_count; k++) {
			if (cfg_is_own(cfg, &m->dst[k], NULL))
				continue;
			if (out)
				out[n] = m->dst[k];
			n++;
		}
	}
	return n;
}

/* The most specific network (of a port or a route) that holds a whole range.
 * Returns its port, or -1; @len gets its prefix length. */
static int holder(const struct cfg *cfg, const struct net_range *v, unsigned *len)
{
	int best = -1, best_len = -1;

	for (unsigned p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			const struct net_prefix *a = &cfg->ports[p].addrs[i];
			struct net_range net = net_range_of(a);

			if (a->len > best_len && covers(&net, v)) {
				best = (int)p;
				best_len = a->len;
			}
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		const struct cfg_route *route = &cfg->routes[i];
		struct net_range net = net_range_of(&route->to);

		if (route->to.len > best_len && covers(&net, v)) {
			best = (int)route->port;
			best_len = route->to.len;
		}
	}
	*len = best_len > 0 ? (unsigned)best_len : 0;
	return best;
}

/* Refuse addresses for translation that somebody else has. */
static int check_free(struct reader *r, const struct net_range *v)
{
	static const char fix[] = "use an own address of the port, or addresses that the "
				  "far side routes to the appliance and nobody else has";
	const struct cfg *cfg = r->cfg;
	char text[CFG_RANGE_TEXT_BYTES], other[NET_TEXT_BYTES];
	unsigned len;
	int in;

	cfg_range_text(v, text);
	for (unsigned p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			struct net_prefix net =
				net_prefix_network(&cfg->ports[p].addrs[i]);
			struct net_range range = net_range_of(&net);

			if (overlap(&range, v))
				return rd_failf(r, fix,
						"%.90s is in the network %s of port %s",
						text, net_prefix_text(&net, other),
						cfg->ports[p].name);
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		struct net_range range = net_range_of(&cfg->routes[i].to);

		if (overlap(&range, v) && (!covers(&range, v) || covers(v, &range)))
			return rd_failf(r, fix,
					"%.90s is in use: routes[%zu] leads there", text,
					i);
	}
	in = holder(cfg, v, &len);
	if (in >= 0 && len > 0 && is_inside(cfg->ports[in].zone))
		return rd_failf(r, fix, "%.90s is in use behind port %s of zone %s", text,
				cfg->ports[in].name, cfg_zone_name(cfg->ports[in].zone));
	for (size_t i = 0; i < cfg->nat.prefix_count; i++) {
		struct net_range range = net_range_of(&cfg->nat.prefix[i].outside);

		if (overlap(&range, v))
			return rd_failf(r, "use addresses that no prefix translation has",
					"%.90s is in use by nat.prefix[%zu]", text, i);
	}
	return ERR_OK;
}

static int check_unicast(struct reader *r, const struct net_range *v)
{
	struct net_addr lo = {.family = v->family}, hi = {.family = v->family};

	memcpy(lo.b, v->lo, sizeof(lo.b));
	memcpy(hi.b, v->hi, sizeof(hi.b));
	if (net_addr_is_unicast(&lo) && net_addr_is_unicast(&hi))
		return ERR_OK;
	return rd_fail(r, "these cannot be addresses of hosts",
		       "write addresses that the far side routes to the appliance");
}

/* Unique local addresses never cross to outside zones (compile_guard.c). */
static int check_not_ula(struct reader *r, const struct net_range *v, uint32_t zones)
{
	if (!(zones & ZONE_OUTSIDE) || !cfg_is_ula(v))
		return ERR_OK;
	return rd_fail(r, "unique local addresses never cross to tslcd or internet",
		       "use global addresses, 2000::/3");
}

/*
 * Refuse a translation of connections that a rule protects from half-open ones:
 * the SYN proxy stands before translation and speaks for the target's address.
 *
 * @dst  the translation's destinations behind translation; none: any
 */
static int check_half_open(struct reader *r, uint32_t from, uint32_t to,
			   const struct net_range *dst, size_t n)
{
	for (size_t i = 0; i < r->cfg->rule_count; i++) {
		const struct cfg_rule *rule = &r->cfg->rules[i];
		bool meets = n == 0;

		if (!rule->limit.half_open || !(rule->from & from) || !(rule->to & to))
			continue;
		for (size_t k = 0; k < rule->dst_count; k++) {
			for (size_t j = 0; j < n; j++)
				meets |= overlap(&rule->dst[k], &dst[j]);
		}
		if (meets)
			return rd_failf(
				r,
				"remove half_open from that rule, or use connections and "
				"connections_per_source there",
				"rule %s protects a translated target with half_open",
				rule->id);
	}
	return ERR_OK;
}

static int check_snat_address(struct reader *r, struct cfg_snat *s)
{
	struct cfg_rule *m = &s->match;
	unsigned port;

	if (m->to_any || (m->to & (m->to - 1)))
		return rd_fail(r, "an address belongs to one side, \"to\" names several",
			       "name one zone in \"to\", or use \"masquerade\"");
	if (check_unicast(r, &s->to) != ERR_OK ||
	    check_not_ula(r, &s->to, m->to) != ERR_OK)
		return ERR_REFUSED;
	if (!cfg_is_own(r->cfg, &s->to, &port))
		return check_free(r, &s->to);
	if (m->to != 1U << r->cfg->ports[port].zone)
		return rd_failf(r, "use an address of a port in the zone of \"to\"",
				"this is an own address of port %s in zone %s",
				r->cfg->ports[port].name,
				cfg_zone_name(r->cfg->ports[port].zone));
	m->out_ports = 1U << port; /* what leaves elsewhere must not have it */
	return ERR_OK;
}

/*
 * Check a source translation against the rest of the configuration.
 */
int cfg_check_snat(struct reader *r, struct cfg_snat *s)
{
	const struct cfg_rule *m = &s->match;
	unsigned fam;
	size_t mark;

	if (!m->from_any && !m->to_any && joins(m->from, m->to))
		return rd_fail(
			r, "the translation joins internet and tslcd",
			"remove one of the two zones: these are never forwarded to "
			"each other");
	if ((m->to & ~ZONE_OUTSIDE) && m->dst_count == 0)
		return rd_fail(
			r, "a translation toward an inside zone hides who is asking",
			"name only tslcd or internet in \"to\", or name the servers "
			"that need it in \"destination\"");
	if (cfg_families(r, m, &fam) != ERR_OK ||
	    check_half_open(r, m->from, m->to, m->dst, m->dst_count) != ERR_OK)
		return ERR_REFUSED;
	if (s->is_masquerade)
		return ERR_OK;
	mark = rd_enter(r, ".address");
	if (!(fam & (s->to.family == 4 ? 1U : 2U)))
		return rd_fail(r, "source or destination is of the other family",
			       "use addresses of one family");
	if (check_snat_address(r, s) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

static int check_pnat_inside(struct reader *r, const struct cfg_pnat *p)
{
	const struct cfg *cfg = r->cfg;
	struct net_range in = net_range_of(&p->inside);
	char text[NET_TEXT_BYTES];
	uint32_t zone;
	unsigned len;
	int port = holder(cfg, &in, &len);

	if (port < 0 || !is_inside(cfg->ports[port].zone) ||
	    cfg->ports[port].zone == p->zone)
		return rd_failf(r,
				"name a network (or a part of one) of an inside port "
				"or route, and the zone that is to see it translated",
				"%s is not a network on the inside of zone %s",
				net_prefix_text(&p->inside, text),
				cfg_zone_name(p->zone));
	for (size_t i = 0; i < cfg->route_count; i++) {
		struct net_range to = net_range_of(&cfg->routes[i].to);

		if (covers(&in, &to) && !is_inside(cfg->ports[cfg->routes[i].port].zone))
			return rd_failf(r, "translate only networks that are inside",
					"a part of %s is outside: routes[%zu]",
					net_prefix_text(&p->inside, text), i);
	}
	zone = 1U << cfg->ports[port].zone;
	if (check_half_open(r, zone, 1U << p->zone, NULL, 0) != ERR_OK)
		return ERR_REFUSED;
	return check_half_open(r, 1U << p->zone, zone, &in, 1);
}

/*
 * Check a prefix translation against the rest of the configuration.
 */
int cfg_check_pnat(struct reader *r, const struct cfg_pnat *p)
{
	struct net_range in = net_range_of(&p->inside);
	struct net_range out = net_range_of(&p->outside);
	size_t mark = rd_enter(r, ".outside");

	if (p->inside.addr.family != p->outside.addr.family)
		return rd_fail(r, "inside and outside are of different families",
			       "use two IPv4 or two IPv6 networks");
	if (p->inside.len != p->outside.len)
		return rd_failf(r, "give both networks the same prefix length",
				"the lengths /%u and /%u differ", p->inside.len,
				p->outside.len);
	if (check_unicast(r, &out) != ERR_OK ||
	    check_not_ula(r, &out, 1U << p->zone) != ERR_OK ||
	    check_free(r, &out) != ERR_OK)
		return ERR_REFUSED;
	for (size_t i = 0; i < r->cfg->nat.source_count; i++) {
		const struct cfg_snat *s = &r->cfg->nat.source[i];

		if (!s->is_masquerade && overlap(&s->to, &out))
			return rd_failf(r, "use another prefix, or another address there",
					"nat.source[%zu] has an address of it", i);
	}
	rd_leave(r, mark);
	mark = rd_enter(r, ".inside");
	if (check_pnat_inside(r, p) != ERR_OK)
		return ERR_REFUSED;
	for (size_t i = 0; i < r->cfg->nat.prefix_count; i++) {
		const struct cfg_pnat *q = &r->cfg->nat.prefix[i];
		struct net_range other = net_range_of(&q->inside);

		if (q->zone == p->zone && overlap(&other, &in))
			return rd_failf(r, "translate each address once for a zone",
					"nat.prefix[%zu] translates a part of it", i);
	}
	rd_leave(r, mark);
	return ERR_OK;
}

/* Where the target is, and that nobody from the wrong outside gets there. */
static int check_target(struct reader *r, struct cfg_dnat *d)
{
	const struct cfg *cfg = r->cfg;
	struct net_range to = range_of_addr(&d->to);
	struct cfg_rule *m = &d->match;
	char text[NET_TEXT_BYTES];
	unsigned len;
	int port;

	if (cfg_is_own(cfg, &to, NULL))
		return rd_fail(r, "the target is the appliance itself",
			       "name a host behind it: nothing on the appliance listens");
	for (size_t i = 0; i < cfg->nat.prefix_count; i++) {
		struct net_range out = net_range_of(&cfg->nat.prefix[i].outside);

		if (covers(&out, &to))
			return rd_failf(r, "name the host by its inside address",
					"%s is an outside address of nat.prefix[%zu]",
					net_addr_text(&d->to, text), i);
	}
	port = holder(cfg, &to, &len);
	if (port < 0)
		return rd_failf(r, "correct it, or add the route",
				"%s is in no network of a port or route",
				net_addr_text(&d->to, text));
	m->to = 1U << cfg->ports[port].zone;
	if (!m->from_any && joins(m->from, m->to))
		return rd_failf(r,
				"remove the zone, or name an inside host: internet and "
				"tslcd are never joined",
				"the target lies in zone %s, \"from\" names the other "
				"outside zone",
				cfg_zone_name(cfg->ports[port].zone));
	if (m->from_any && (m->to & ZONE_OUTSIDE))
		m->from = ZONE_ALL & ~(ZONE_OUTSIDE & ~m->to);
	for (size_t i = 0; i < m->svc_count; i++) {
		if (m->svc[i].proto == IPPROTO_TCP)
			return check_half_open(r, m->from, m->to, &to, 1);
	}
	return ERR_OK;
}

static int check_dnat_services(struct reader *r, const struct cfg_dnat *d)
{
	for (size_t i = 0; i < d->match.svc_count; i++) {
		const struct cfg_service *s = &d->match.svc[i];

		if ((s->proto != IPPROTO_TCP && s->proto != IPPROTO_UDP) || !s->has_ports)
			return rd_fail(r, "only ports of tcp or udp can be forwarded",
				       "write tcp/80 or udp/1000-2000; nat.prefix "
				       "translates whole hosts");
		if (d->port_lo && s->hi - s->lo != d->port_hi - d->port_lo)
			return rd_failf(r,
					"make \"to_port\" as long as the service, or "
					"leave it out",
					"%u ports cannot be mapped to %u",
					s->hi - s->lo + 1U, d->port_hi - d->port_lo + 1U);
		if (d->port_lo && s->lo != d->port_lo &&
		    s->hi - s->lo >= CFG_NAT_SHIFT_MAX)
			return rd_failf(
				r, "split it, or keep the numbers of the ports",
				"more than CFG_NAT_SHIFT_MAX = %d ports get other "
				"numbers",
				CFG_NAT_SHIFT_MAX);
	}
	return ERR_OK;
}

/* Who asks from the target's own network must get the answer from the address
 * he asked (RFC 4787 REQ-9): the server may not see him, else it answers past
 * the appliance. */
static int check_hairpin(struct reader *r, const struct cfg_dnat *d)
{
	const struct cfg *cfg = r->cfg;
	struct net_range to = range_of_addr(&d->to);
	uint32_t zone = d->match.to;
	unsigned ports = 0;

	for (size_t p = 0; p < cfg->port_count; p++)
		ports += (1U << cfg->ports[p].zone) == zone;
	/* several ports: the two may be on different ones, routed by us */
	if (d->match.from_any || !(d->match.from & zone) || ports != 1)
		return ERR_OK;
	for (size_t i = 0; i < cfg->nat.source_count; i++) {
		const struct cfg_rule *m = &cfg->nat.source[i].match;

		for (size_t k = 0; k < m->dst_count; k++) {
			if ((m->from & zone) && (m->to & zone) && covers(&m->dst[k], &to))
				return ERR_OK;
		}
	}
	(void)rd_enter(r, ".from");
	return rd_failf(
		r,
		"add an entry to nat.source from and to that zone with "
		"\"destination\": [to_address] and \"masquerade\": true, or leave "
		"the zone out",
		"hosts in the target's zone would get the answer from another "
		"address than they asked");
}

/*
 * Check a destination translation against the rest of the configuration.
 */
int cfg_check_dnat(struct reader *r, struct cfg_dnat *d)
{
	const struct cfg_rule *m = &d->match;
	size_t mark = rd_enter(r, ".address");

	for (size_t i = 0; i < m->dst_count; i++) {
		if (m->dst[i].family != d->to.family)
			return rd_fail(r,
				       "it and \"to_address\" are of different "
				       "families",
				       "write one entry for IPv4 and one for IPv6");
		if (check_unicast(r, &m->dst[i]) != ERR_OK ||
		    check_not_ula(r, &m->dst[i], m->from) != ERR_OK)
			return ERR_REFUSED;
		if (!cfg_is_own(r->cfg, &m->dst[i], NULL) &&
		    check_free(r, &m->dst[i]) != ERR_OK)
			return ERR_REFUSED;
	}
	rd_leave(r, mark);
	mark = rd_enter(r, ".service");
	if (check_dnat_services(r, d) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".to_address");
	if (check_target(r, d) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return check_hairpin(r, d);
}
