/*
 * Management and SOC: who must still get through after a change. The self-test
 * of a trial (selftest.c) watches both.
 */
#include "cfg_int.h"

#include <string.h>

static int read_port(struct reader *r, const json_t *j, struct cfg_management *m)
{
	const struct cfg *cfg = r->cfg;
	unsigned p = 0;
	const char *s;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	while (p < cfg->port_count && strcmp(s, cfg->ports[p].name) != 0)
		p++;
	if (p == cfg->port_count)
		return rd_failf(r, "use the name of a port in \"ports\"",
				"there is no port \"%.40s\"", s);
	if ((1U << cfg->ports[p].zone) & ZONE_OUTSIDE)
		return rd_failf(
			r, "name a port of an inside zone, best of mgmt",
			"port \"%s\" is in zone %s: the appliance is never managed "
			"from outside",
			s, cfg_zone_name(cfg->ports[p].zone));
	if (cfg->ports[p].addr_count == 0)
		return rd_failf(r, "give the port an address",
				"port \"%s\" has no address", s);
	m->port = p;
	return ERR_OK;
}

static int read_management(struct reader *r, const json_t *j)
{
	static const struct key keys[] = {
		{"port", true}, {"sources", true}, {NULL, false}};
	struct cfg_management *m = &r->cfg->management;
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".port");
	if (read_port(r, json_object_get(j, "port"), m) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".sources");
	if (cfg_ranges(r, json_object_get(j, "sources"), &m->sources, &m->source_count))
		return ERR_REFUSED;
	rd_leave(r, mark);
	m->is_set = true;
	return ERR_OK;
}

static int read_addr(struct reader *r, const json_t *j, struct net_addr *out)
{
	const char *s;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	if (net_addr_parse(s, out) != ERR_OK || !net_addr_is_unicast(out))
		return rd_failf(r, "write one address without prefix length",
				"\"%.45s\" is not the address of a host", s);
	return ERR_OK;
}

/* Is there a way to the address at all? The SOC is behind a port or a route. */
static bool has_way(const struct cfg *cfg, const struct net_addr *a)
{
	for (size_t p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			if (net_prefix_has(&cfg->ports[p].addrs[i], a))
				return true;
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		if (net_prefix_has(&cfg->routes[i].to, a))
			return true;
	}
	return false;
}

static int read_soc(struct reader *r, const json_t *j)
{
	static const struct key keys[] = {{"addresses", true}, {NULL, false}};
	struct cfg_soc *soc = &r->cfg->soc;
	const json_t *list = json_object_get(j, "addresses");
	char text[NET_TEXT_BYTES];
	size_t n;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	(void)rd_enter(r, ".addresses");
	if (rd_array(r, list, CFG_SOC_ADDRS_MAX, "CFG_SOC_ADDRS_MAX", &n) != ERR_OK)
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the list is empty",
			       "add an address, or leave \"soc\" out");
	soc->addrs = rd_take(r, n, sizeof(*soc->addrs));
	if (!soc->addrs)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (read_addr(r, json_array_get(list, i), &soc->addrs[i]) != ERR_OK)
			return ERR_REFUSED;
		if (!has_way(r->cfg, &soc->addrs[i]))
			return rd_failf(r, "add a route to it",
					"no port and no route leads to %s",
					net_addr_text(&soc->addrs[i], text));
		rd_leave(r, mark);
	}
	soc->count = n;
	return ERR_OK;
}

/*
 * Read "management" and "soc"; both may be missing. Ports, routes and objects
 * were read.
 */
int cfg_read_plane(struct reader *r, const json_t *management, const json_t *soc)
{
	size_t mark = rd_enter(r, ".management");

	if (management && read_management(r, management) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".soc");
	if (soc && read_soc(r, soc) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}
