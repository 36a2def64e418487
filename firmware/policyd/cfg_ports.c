/*
 * Ports, addresses and routes, and what must hold between them.
 */
#include "cfg_int.h"
#include "mgmt_net.h"

#include <stdlib.h>
#include <string.h>

static const char *const zone_names[ZONE_COUNT] = {
	"lan", "server", "dmz", "wireless", "mgmt", "tslcd", "internet", "tunnel",
};

/*
 * Name of a zone as the configuration writes it.
 */
const char *cfg_zone_name(enum zone zone)
{
	return (unsigned)zone < ZONE_COUNT ? zone_names[zone] : "?";
}

static int read_port_name(struct reader *r, const json_t *j, struct cfg_port *port)
{
	const char *s;
	size_t n;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	n = strlen(s);
	if (n == 0 || n >= CFG_NAME_BYTES || s[0] < 'a' || s[0] > 'z' ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789") != n || !strcmp(s, "lo") ||
	    !strcmp(s, MGMT_NET_NAME))
		return rd_fail(
			r, "not a valid port name",
			"use 1 to 15 of a-z 0-9, starting with a letter: \"lan0\"; lo "
			"and " MGMT_NET_NAME " are the appliance's own");
	memcpy(port->name, s, n + 1);
	return ERR_OK;
}

static bool is_mac(const char *s)
{
	for (unsigned i = 0; i < 17; i++) {
		bool is_hex =
			(s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');

		if (i % 3 == 2 ? s[i] != ':' : !is_hex)
			return false;
	}
	return s[17] == '\0';
}

static bool is_bus_path(const char *s)
{
	return s[0] != '\0' && s[0] != '/' && !strstr(s, "..") && !strstr(s, "//") &&
	       s[strlen(s) - 1] != '/' &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789._-:@,/") == strlen(s);
}

/*
 * The property by which hardware is found, as the configuration names it.
 */
const char *cfg_hw_kind(const struct cfg_hw *hw)
{
	switch (hw->match) {
	case CFG_MATCH_BUS:
		return "bus";
	case CFG_MATCH_MAC:
		return "mac";
	case CFG_MATCH_NAME:
	default:
		return "name";
	}
}

/*
 * Read how one piece of hardware is found. Returns ERR_OK or ERR_REFUSED.
 */
int cfg_read_hw(struct reader *r, const json_t *j, struct cfg_hw *hw)
{
	static const struct key keys[] = {
		{"bus", false}, {"mac", false}, {"name", false}, {NULL, false}};
	const char *s, *key;
	size_t mark;
	bool ok;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	if (json_object_size(j) != 1)
		return rd_fail(r, "a port is matched by exactly one property",
			       "keep one of bus, mac%s",
			       CONFIG_BOARD_HOST ? ", name" : "");
	hw->match = json_object_get(j, "bus")   ? CFG_MATCH_BUS
		    : json_object_get(j, "mac") ? CFG_MATCH_MAC
						: CFG_MATCH_NAME;
	key = cfg_hw_kind(hw);
	mark = rd_enter(r, ".%s", key);
	if (rd_string(r, json_object_get(j, key), &s) != ERR_OK)
		return ERR_REFUSED;
	if (hw->match == CFG_MATCH_NAME && !CONFIG_BOARD_HOST)
		return rd_fail(
			r, "kernel names change between boots",
			"match by bus path, printed on the port list of the board");
	ok = hw->match == CFG_MATCH_MAC ? is_mac(s) : is_bus_path(s);
	if (!ok || strlen(s) >= CFG_MATCH_BYTES)
		return rd_fail(
			r, "not a valid match value", "%s",
			hw->match == CFG_MATCH_MAC
				? "write six lower case hex pairs: 02:4c:54:00:00:01"
				: "write a path below /sys/devices without leading "
				  "slash: platform/a003e00.virtio_mmio");
	memcpy(hw->text, s, strlen(s) + 1);
	rd_leave(r, mark);
	return ERR_OK;
}

/*
 * Read a zone name. Returns ERR_OK or ERR_REFUSED.
 */
static int read_zone(struct reader *r, const json_t *j, enum zone *out)
{
	const char *s;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	for (unsigned i = 0; i < ZONE_COUNT; i++) {
		if (!strcmp(s, zone_names[i])) {
			*out = (enum zone)i;
			return ERR_OK;
		}
	}
	return rd_failf(r,
			"use one of lan, server, dmz, wireless, mgmt, tslcd, internet, "
			"tunnel",
			"there is no zone \"%.40s\"", s);
}

static int read_address(struct reader *r, const json_t *j, struct net_prefix *out)
{
	unsigned bits;
	const char *s;
	struct net_range range;
	int err;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	err = net_prefix_parse(s, out);
	if (err == ERR_SHORT)
		return rd_failf(r, "add the length of the network: \"192.168.10.1/24\"",
				"the address \"%.45s\" has no prefix length", s);
	if (err != ERR_OK)
		return rd_failf(r, "write it like 192.168.10.1/24 or 2001:db8::1/64",
				"\"%.45s\" is not an address with prefix length", s);
	if (!net_addr_is_unicast(&out->addr))
		return rd_failf(r, "give the port an address of its network",
				"\"%.45s\" cannot be the address of a port", s);
	bits = net_addr_bytes(out->addr.family) * 8;
	if (out->len < 8)
		return rd_fail(r, "the network is too large for a port",
			       "use a prefix length of 8 or more");
	range = net_range_of(out);
	if (out->len < bits - 1 && (!memcmp(range.lo, out->addr.b, 16) ||
				    (bits == 32 && !memcmp(range.hi, out->addr.b, 16))))
		return rd_failf(r, "use a host address inside the network",
				"\"%.45s\" is the network or broadcast address", s);
	return ERR_OK;
}

static int read_addresses(struct reader *r, const json_t *list, struct cfg_port *port)
{
	size_t n;

	if (rd_array(r, list, CONFIG_CFG_MAX_ADDRS, "CFG_MAX_ADDRS", &n) != ERR_OK)
		return ERR_REFUSED;
	port->addrs = rd_take(r, n, sizeof(*port->addrs));
	if (!port->addrs)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (read_address(r, json_array_get(list, i), &port->addrs[i]) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	port->addr_count = n;
	return ERR_OK;
}

/* What the port is made of: exactly one of the members that say so. */
static int read_kind(struct reader *r, const json_t *j, struct cfg_port *port)
{
	static const struct {
		const char *key;
		enum cfg_kind kind;
	} kinds[] = {{"match", CFG_HARDWARE},
		     {"vlan", CFG_VLAN},
		     {"bridge", CFG_BRIDGE},
		     {"wireguard", CFG_WIREGUARD}};
	const json_t *v = NULL;
	const char *key = "";
	unsigned count = 0;
	size_t mark;
	int err;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const json_t *have = json_object_get(j, kinds[i].key);

		if (!have)
			continue;
		count++;
		v = have;
		key = kinds[i].key;
		port->kind = kinds[i].kind;
	}
	if (count != 1)
		return rd_fail(r, "a port is made of exactly one thing",
			       "keep one of match, vlan, bridge, wireguard");
	mark = rd_enter(r, ".%s", key);
	switch (port->kind) {
	case CFG_VLAN:
		err = cfg_read_vlan(r, v, port);
		break;
	case CFG_BRIDGE:
		err = cfg_read_bridge(r, v, port);
		break;
	case CFG_WIREGUARD:
		err = cfg_read_tunnel(r, v, port);
		break;
	case CFG_HARDWARE:
	default:
		err = cfg_read_hw(r, v, &port->hw);
		break;
	}
	if (err == ERR_OK)
		rd_leave(r, mark);
	return err;
}

/* Zone and addresses; hardware that only carries VLANs has neither. */
static int read_place(struct reader *r, const json_t *j, struct cfg_port *port)
{
	const json_t *zone = json_object_get(j, "zone");
	const json_t *addrs = json_object_get(j, "addresses");
	size_t mark;

	port->zone = ZONE_NONE;
	if (!zone && port->kind != CFG_HARDWARE)
		return rd_fail(r, "the key \"zone\" is missing",
			       "add it; only hardware that carries VLANs may do without");
	if (!zone && json_array_size(addrs) > 0)
		return rd_fail(r, "a port in no zone has addresses",
			       "give it a zone, or move the addresses to its VLANs");
	if (zone && !addrs)
		return rd_fail(r, "the key \"addresses\" is missing",
			       "add it; [] for none");
	if (zone) {
		mark = rd_enter(r, ".zone");
		if (read_zone(r, zone, &port->zone) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	if (!addrs)
		return ERR_OK;
	mark = rd_enter(r, ".addresses");
	if (read_addresses(r, addrs, port) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

static int read_port(struct reader *r, const json_t *j, struct cfg_port *port)
{
	static const struct key keys[] = {{"name", true},       {"match", false},
					  {"vlan", false},      {"bridge", false},
					  {"zone", false},      {"wireguard", false},
					  {"addresses", false}, {NULL, false}};
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".name");
	if (read_port_name(r, json_object_get(j, "name"), port) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	if (read_kind(r, j, port) != ERR_OK)
		return ERR_REFUSED;
	return read_place(r, j, port);
}

/*
 * Read the list of ports. Names and hardware must be unique.
 */
int cfg_read_ports(struct reader *r, const json_t *list)
{
	struct cfg *cfg = r->cfg;
	size_t n;

	_Static_assert(CONFIG_CFG_MAX_PORTS <= 32, "ports are bits of a uint32_t");
	if (rd_array(r, list, CONFIG_CFG_MAX_PORTS, "CFG_MAX_PORTS", &n) != ERR_OK)
		return ERR_REFUSED;
	cfg->ports = rd_take(r, n, sizeof(*cfg->ports));
	if (!cfg->ports)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);
		struct cfg_port *port = &cfg->ports[i];

		if (read_port(r, json_array_get(list, i), port) != ERR_OK)
			return ERR_REFUSED;
		for (size_t k = 0; k < i; k++) {
			if (!strcmp(port->name, cfg->ports[k].name)) {
				(void)rd_enter(r, ".name");
				return rd_fail(r, "the port name is used twice",
					       "rename this one; ports[%zu] has it", k);
			}
		}
		rd_leave(r, mark);
	}
	cfg->port_count = n;
	return cfg_check_links(r, list);
}

/*
 * Read a network, "address/length" with the host bits clear.
 */
int cfg_read_network(struct reader *r, const json_t *j, struct net_prefix *to)
{
	char text[NET_TEXT_BYTES];
	struct net_prefix network;
	const char *s;
	int err;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	err = net_prefix_parse(s, to);
	if (err == ERR_SHORT)
		return rd_failf(r, "add the prefix length: \"10.0.0.0/8\"",
				"the network \"%.45s\" has no prefix length", s);
	if (err != ERR_OK)
		return rd_failf(r, "write it like 10.0.0.0/8 or 2001:db8::/32",
				"\"%.45s\" is not a network", s);
	network = net_prefix_network(to);
	if (!net_prefix_is_network(to))
		return rd_fail(r, "the network has host bits set", "write %s",
			       net_prefix_text(&network, text));
	return ERR_OK;
}

/* Find the port in whose network the gateway is. */
static int bind_route(struct reader *r, struct cfg_route *route)
{
	const struct cfg *cfg = r->cfg;
	char text[NET_TEXT_BYTES];

	for (unsigned p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			const struct net_prefix *a = &cfg->ports[p].addrs[i];

			if (net_addr_eq(&a->addr, &route->via))
				return rd_fail(r, "the gateway is the appliance itself",
					       "name the next router's address");
			if (!net_prefix_has(a, &route->via))
				continue;
			if (cfg->ports[p].kind == CFG_WIREGUARD)
				return rd_failf(
					r,
					"write the network into \"allowed\" of a peer "
					"instead: it is routed by itself",
					"the gateway is behind the tunnel %s",
					cfg->ports[p].name);
			route->port = p;
			return ERR_OK;
		}
	}
	return rd_failf(r, "correct the gateway, or give a port an address beside it",
			"the gateway %s is in no network of a port",
			net_addr_text(&route->via, text));
}

static int read_route(struct reader *r, const json_t *j, struct cfg_route *route)
{
	static const struct key keys[] = {{"to", true}, {"via", true}, {NULL, false}};
	const char *s;
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".to");
	if (cfg_read_network(r, json_object_get(j, "to"), &route->to) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".via");
	if (rd_string(r, json_object_get(j, "via"), &s) != ERR_OK)
		return ERR_REFUSED;
	if (net_addr_parse(s, &route->via) != ERR_OK)
		return rd_failf(r, "write one address without prefix length",
				"\"%.45s\" is not an address", s);
	if (route->via.family != route->to.addr.family)
		return rd_fail(r, "destination and gateway are of different families",
			       "use an IPv%u gateway", route->to.addr.family);
	if (bind_route(r, route) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

/*
 * Read the static routes; each gateway must lie in a port's network.
 */
int cfg_read_routes(struct reader *r, const json_t *list)
{
	struct cfg *cfg = r->cfg;
	size_t n = 0;

	if (list && rd_array(r, list, CONFIG_CFG_MAX_ROUTES, "CFG_MAX_ROUTES", &n))
		return ERR_REFUSED;
	if (n + cfg_allowed_count(cfg) > CONFIG_CFG_MAX_ROUTES)
		return rd_failf(r, "join networks, or build with a larger limit",
				"routes and \"allowed\" networks together are over the "
				"limit CFG_MAX_ROUTES = %u",
				(unsigned)CONFIG_CFG_MAX_ROUTES);
	cfg->routes = rd_take(r, n + cfg_allowed_count(cfg), sizeof(*cfg->routes));
	if (!cfg->routes)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (read_route(r, json_array_get(list, i), &cfg->routes[i]) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	cfg->route_count = n;
	cfg_allowed_routes(cfg);
	return ERR_OK;
}

/* Is a network (a part of) the link to the web interface? */
static bool is_taken(const struct net_prefix *net)
{
	static const char *const own[] = {MGMT_NET_NET4, MGMT_NET_NET6};
	struct net_prefix taken;

	for (size_t i = 0; i < 2; i++) {
		if (net_prefix_parse(own[i], &taken) == ERR_OK &&
		    net_prefix_overlaps(net, &taken))
			return true;
	}
	return false;
}

/* Does the port's network number @i overlap an earlier one? */
static int check_port_network(struct reader *r, unsigned p, size_t i)
{
	const struct cfg *cfg = r->cfg;
	const struct net_prefix *b = &cfg->ports[p].addrs[i];
	char mine[NET_TEXT_BYTES], other[NET_TEXT_BYTES];
	struct net_prefix net_b = net_prefix_network(b);

	if (is_taken(&net_b)) {
		(void)rd_enter(r, "[%u].addresses[%zu]", p, i);
		return rd_failf(r, "choose another network",
				"%s overlaps the appliance's own link to its web "
				"interface",
				net_prefix_text(&net_b, mine));
	}
	for (unsigned q = 0; q <= p; q++) {
		size_t end = q == p ? i : cfg->ports[q].addr_count;

		for (size_t k = 0; k < end; k++) {
			const struct net_prefix *a = &cfg->ports[q].addrs[k];
			struct net_prefix net_a = net_prefix_network(a);

			/* a second address in the very same network of one port is fine
			 */
			if (!net_prefix_overlaps(a, b) ||
			    (q == p && a->len == b->len &&
			     !net_addr_eq(&a->addr, &b->addr)))
				continue;
			(void)rd_enter(r, "[%u].addresses[%zu]", p, i);
			return rd_failf(
				r,
				"give every port its own network: renumber one side; a "
				"smaller network here can be shown to the far side "
				"under another prefix with nat.prefix",
				"the network %s overlaps %s of port %s",
				net_prefix_text(&net_b, mine),
				net_prefix_text(&net_a, other), cfg->ports[q].name);
		}
	}
	return ERR_OK;
}

/* Go to where the route was written. */
static void enter_route(struct reader *r, size_t i)
{
	if (r->cfg->routes[i].is_allowed)
		cfg_enter_allowed(r, &r->cfg->routes[i]);
	else
		(void)rd_enter(r, "[%zu].to", i);
}

/* A route must not take (a part of) a port's own network away, nor stand twice. */
static int check_route(struct reader *r, size_t i)
{
	const struct cfg *cfg = r->cfg;
	const struct net_prefix *to = &cfg->routes[i].to;
	char mine[NET_TEXT_BYTES], other[NET_TEXT_BYTES];

	if (to->len >= 30 && is_taken(to)) { /* shorter ones: the longest prefix wins */
		enter_route(r, i);
		return rd_failf(r, "remove the route",
				"%s is a part of the appliance's own link to its web "
				"interface",
				net_prefix_text(to, mine));
	}
	for (unsigned p = 0; p < cfg->port_count; p++) {
		for (size_t k = 0; k < cfg->ports[p].addr_count; k++) {
			struct net_prefix a = net_prefix_network(&cfg->ports[p].addrs[k]);

			if (!net_prefix_overlaps(&a, to) || to->len < a.len)
				continue;
			enter_route(r, i);
			return rd_failf(
				r,
				"remove the route, or renumber the port's network; a "
				"smaller network here can be shown to the far side "
				"under another prefix with nat.prefix",
				"%s overlaps the network %s of port %s",
				net_prefix_text(to, mine), net_prefix_text(&a, other),
				cfg->ports[p].name);
		}
	}
	for (size_t k = 0; k < i; k++) {
		if (cfg->routes[k].to.len == to->len &&
		    net_addr_eq(&cfg->routes[k].to.addr, &to->addr)) {
			enter_route(r, i);
			return rd_fail(
				r, "the same network is routed twice",
				"remove one; %s has it; when both sides have it, one "
				"must be renumbered or known here by another prefix "
				"(nat.prefix of that side's router)",
				cfg->routes[k].is_allowed
					? cfg->ports[cfg->routes[k].port].name
					: "another route");
		}
	}
	return ERR_OK;
}

/*
 * Refuse networks that overlap, between ports and between ports and routes
 * (RFC 4787 REQ-7: inside and outside must not share addresses).
 */
int cfg_check_networks(struct reader *r)
{
	size_t mark = rd_enter(r, ".ports");

	for (unsigned p = 0; p < r->cfg->port_count; p++) {
		for (size_t i = 0; i < r->cfg->ports[p].addr_count; i++) {
			if (check_port_network(r, p, i) != ERR_OK)
				return ERR_REFUSED;
		}
	}
	rd_leave(r, mark);
	mark = rd_enter(r, ".routes");
	for (size_t i = 0; i < r->cfg->route_count; i++) {
		if (check_route(r, i) != ERR_OK)
			return ERR_REFUSED;
	}
	rd_leave(r, mark);
	return cfg_check_tunnels(r);
}
