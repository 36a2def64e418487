#include "listing.h"

#include <string.h>

/*
 * Every control of the level profiles: whether the configuration keeps it, what
 * its profile wants, and the first rule that does not keep it.
 */
void listing_controls(const struct cfg *cfg, FILE *f)
{
	static const char *const wants[] = {"free", "wanted", "required"};
	static const char *const states[] = {"met", "partly", "not-met"};
	size_t count, rule;
	const struct cfg_control *c = cfg_controls(&count);

	(void)fprintf(f, "profile=%s\n", cfg_profile_name(cfg->profile));
	for (size_t i = 0; i < count; i++) {
		enum cfg_met met = cfg_control_met(cfg, i, &rule);

		(void)fprintf(f, "%-8s %-9s %-16s %s (%s)", states[met],
			      wants[c[i].by_profile[cfg->profile]], c[i].name, c[i].en,
			      c[i].source);
		if (rule != SIZE_MAX)
			(void)fprintf(f, " first: rule %s", cfg->rules[rule].id);
		(void)fputc('\n', f);
	}
}

static void line(FILE *f, const struct cfg *cfg, const char *use, const char *address,
		 const char *where)
{
	(void)fprintf(f, "%s\t%s\t%s\t%s\t%s\n", cfg->device, cfg->agency, use, address,
		      where);
}

/* Is a network behind port @p hidden from TSLCD by a translation of all of it? */
static bool is_hidden(const struct cfg *cfg, const struct net_prefix *net, unsigned p)
{
	struct net_range range = net_range_of(net);
	uint32_t zone = 1U << cfg->ports[p].zone;

	for (size_t i = 0; i < cfg->nat.prefix_count; i++) {
		const struct cfg_pnat *n = &cfg->nat.prefix[i];

		if (n->zone == ZONE_TSLCD && net_prefix_overlaps(&n->inside, net) &&
		    n->inside.len <= net->len)
			return true;
	}
	for (size_t i = 0; i < cfg->nat.source_count; i++) {
		const struct cfg_rule *m = &cfg->nat.source[i].match;

		if (!(m->from & zone) || !(m->to & (1U << ZONE_TSLCD)) || m->dst_count ||
		    m->svc_count)
			continue;
		if (m->src_count == 0)
			return true;
		for (size_t k = 0; k < m->src_count; k++) {
			if (m->src[k].family == range.family &&
			    memcmp(m->src[k].lo, range.lo, 16) <= 0 &&
			    memcmp(m->src[k].hi, range.hi, 16) >= 0)
				return true;
		}
	}
	return false;
}

/* Can anything behind port @p be seen from TSLCD: does a permit join the zones? */
static bool is_joined(const struct cfg *cfg, unsigned p)
{
	uint32_t zone = 1U << cfg->ports[p].zone, tslcd = 1U << ZONE_TSLCD;

	if ((zone & ZONE_OUTSIDE) || cfg->ports[p].zone == ZONE_NONE)
		return false;
	for (size_t i = 0; i < cfg->rule_count; i++) {
		const struct cfg_rule *r = &cfg->rules[i];

		if (r->action == CFG_PERMIT && (((r->from & zone) && (r->to & tslcd)) ||
						((r->from & tslcd) && (r->to & zone))))
			return true;
	}
	return false;
}

static void network(const struct cfg *cfg, FILE *f, const struct net_prefix *net,
		    unsigned p)
{
	char text[NET_TEXT_BYTES];

	if (is_joined(cfg, p) && !is_hidden(cfg, net, p))
		line(f, cfg, "network", net_prefix_text(net, text), cfg->ports[p].name);
}

static void translations(const struct cfg *cfg, FILE *f)
{
	char text[CFG_RANGE_TEXT_BYTES], prefix[NET_TEXT_BYTES];

	for (size_t i = 0; i < cfg->nat.source_count; i++) {
		const struct cfg_snat *n = &cfg->nat.source[i];

		if (n->is_masquerade || !(n->match.to & (1U << ZONE_TSLCD)))
			continue;
		cfg_range_text(&n->to, text);
		line(f, cfg, "translation", text, n->match.id);
	}
	for (size_t i = 0; i < cfg->nat.prefix_count; i++) {
		const struct cfg_pnat *n = &cfg->nat.prefix[i];

		if (n->zone == ZONE_TSLCD)
			line(f, cfg, "translation", net_prefix_text(&n->outside, prefix),
			     n->id);
	}
}

/*
 * Which addresses this agency uses on the data network, one line each, tab
 * separated: for the yearly review of address use. What is hidden behind a
 * translation shows as the translation.
 */
void listing_addresses(const struct cfg *cfg, FILE *f)
{
	char text[NET_TEXT_BYTES];

	(void)fputs("device\tagency\tuse\taddress\twhere\n", f);
	for (unsigned p = 0; p < cfg->port_count; p++) {
		const struct cfg_port *port = &cfg->ports[p];

		for (size_t i = 0; i < port->addr_count; i++) {
			if (port->zone == ZONE_TSLCD)
				line(f, cfg, "own",
				     net_addr_text(&port->addrs[i].addr, text),
				     port->name);
		}
	}
	translations(cfg, f);
	for (unsigned p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			struct net_prefix net =
				net_prefix_network(&cfg->ports[p].addrs[i]);

			network(cfg, f, &net, p);
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++)
		network(cfg, f, &cfg->routes[i].to, cfg->routes[i].port);
}
