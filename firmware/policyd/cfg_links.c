/*
 * VLANs and bridges, and what must hold between ports: who carries whom, and
 * that every piece of hardware has one place.
 */
#include "cfg_int.h"

#include <string.h>

/*
 * Read a whole number from @min to @max.
 */
int cfg_read_u16(struct reader *r, const json_t *j, unsigned min, unsigned max,
		 uint16_t *out)
{
	if (!json_is_integer(j) || json_integer_value(j) < (json_int_t)min ||
	    json_integer_value(j) > (json_int_t)max)
		return rd_failf(r, "write it without quotes",
				"not a whole number from %u to %u", min, max);
	*out = (uint16_t)json_integer_value(j);
	return ERR_OK;
}

/*
 * Read a VLAN. Which port "of" names is found when all ports are read.
 */
int cfg_read_vlan(struct reader *r, const json_t *j, struct cfg_port *port)
{
	static const struct key keys[] = {{"of", true}, {"id", true}, {NULL, false}};
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".id");
	if (cfg_read_u16(r, json_object_get(j, "id"), 1, CFG_VLAN_ID_MAX,
			 &port->vlan_id) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

/*
 * Read a bridge: the hardware that is joined to one port.
 */
int cfg_read_bridge(struct reader *r, const json_t *j, struct cfg_port *port)
{
	static const struct key keys[] = {{"members", true}, {NULL, false}};
	const json_t *list;
	size_t n, mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".members");
	list = json_object_get(j, "members");
	if (rd_array(r, list, CONFIG_CFG_MAX_MEMBERS, "CFG_MAX_MEMBERS", &n) != ERR_OK)
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the bridge has no members",
			       "name its hardware: {\"bus\": ...} or {\"mac\": ...}");
	port->members = rd_take(r, n, sizeof(*port->members));
	if (!port->members)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t item = rd_enter(r, "[%zu]", i);

		if (cfg_read_hw(r, json_array_get(list, i), &port->members[i]) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, item);
	}
	port->member_count = n;
	rd_leave(r, mark);
	return ERR_OK;
}

/* Hardware number @i of a port: its own, or a member of the bridge. */
static const struct cfg_hw *hw_of(const struct cfg_port *p, size_t i)
{
	if (p->kind == CFG_HARDWARE)
		return i == 0 ? &p->hw : NULL;
	return p->kind == CFG_BRIDGE && i < p->member_count ? &p->members[i] : NULL;
}

/* Is this hardware named before item @i of port @p? */
static int check_hw(struct reader *r, unsigned p, size_t i)
{
	const struct cfg *cfg = r->cfg;
	const struct cfg_hw *mine = hw_of(&cfg->ports[p], i);

	for (unsigned q = 0; q <= p; q++) {
		const struct cfg_hw *other;

		for (size_t k = 0; (other = hw_of(&cfg->ports[q], k)) != NULL; k++) {
			if (q == p && k >= i)
				break;
			if (!mine || other->match != mine->match ||
			    strcmp(other->text, mine->text) != 0)
				continue;
			if (cfg->ports[p].kind == CFG_BRIDGE)
				(void)rd_enter(r, "[%u].bridge.members[%zu]", p, i);
			else
				(void)rd_enter(r, "[%u].match", p);
			return rd_fail(r, "the same hardware is used twice",
				       "correct one; %s has it",
				       cfg->ports[q].kind == CFG_BRIDGE
					       ? "a bridge's members"
					       : cfg->ports[q].name);
		}
	}
	return ERR_OK;
}

/* Find the port that carries VLAN @p. */
static int bind_vlan(struct reader *r, unsigned p, const json_t *j)
{
	struct cfg *cfg = r->cfg;
	struct cfg_port *port = &cfg->ports[p];
	const json_t *of = json_object_get(json_object_get(j, "vlan"), "of");
	const char *name;
	unsigned q = 0;

	(void)rd_enter(r, "[%u].vlan.of", p);
	if (rd_string(r, of, &name) != ERR_OK)
		return ERR_REFUSED;
	while (q < cfg->port_count && strcmp(cfg->ports[q].name, name) != 0)
		q++;
	if (q == cfg->port_count)
		return rd_failf(r, "use the name of a port in \"ports\"",
				"there is no port \"%.40s\"", name);
	if (cfg->ports[q].kind != CFG_HARDWARE && cfg->ports[q].kind != CFG_BRIDGE)
		return rd_failf(r, "name hardware or a bridge",
				"port \"%s\" is a %s and carries no VLANs", name,
				cfg->ports[q].kind == CFG_VLAN ? "VLAN" : "tunnel");
	port->vlan_of = q;
	return ERR_OK;
}

/* Two VLANs of one port must have different numbers. */
static int check_vlan(struct reader *r, unsigned p)
{
	const struct cfg_port *port = &r->cfg->ports[p];

	for (unsigned q = 0; q < p; q++) {
		const struct cfg_port *other = &r->cfg->ports[q];

		if (other->kind != CFG_VLAN || other->vlan_of != port->vlan_of ||
		    other->vlan_id != port->vlan_id)
			continue;
		(void)rd_enter(r, "[%u].vlan.id", p);
		return rd_fail(r, "the VLAN number is used twice on its port",
			       "change one; %s has it", other->name);
	}
	return ERR_OK;
}

static int check_zoneless(struct reader *r, unsigned p)
{
	for (unsigned q = 0; q < r->cfg->port_count; q++) {
		if (r->cfg->ports[q].kind == CFG_VLAN && r->cfg->ports[q].vlan_of == p)
			return ERR_OK;
	}
	(void)rd_enter(r, "[%u]", p);
	return rd_fail(r, "the port is in no zone and carries no VLAN",
		       "add \"zone\", or a VLAN of this port");
}

/*
 * Bind VLANs to their ports and check the hardware of all ports.
 *
 * @ports  the list that was read
 */
int cfg_check_links(struct reader *r, const json_t *ports)
{
	const struct cfg *cfg = r->cfg;
	size_t mark = r->path_len;

	for (unsigned p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; hw_of(&cfg->ports[p], i); i++) {
			if (check_hw(r, p, i) != ERR_OK)
				return ERR_REFUSED;
		}
		if (cfg->ports[p].kind != CFG_VLAN)
			continue;
		if (bind_vlan(r, p, json_array_get(ports, p)) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
		if (check_vlan(r, p) != ERR_OK)
			return ERR_REFUSED;
	}
	for (unsigned p = 0; p < cfg->port_count; p++) {
		if (cfg->ports[p].zone == ZONE_NONE && check_zoneless(r, p) != ERR_OK)
			return ERR_REFUSED;
	}
	return ERR_OK;
}
