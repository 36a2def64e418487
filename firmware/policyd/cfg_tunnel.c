/*
 * WireGuard tunnels. The networks behind a peer ("allowed") are routed into
 * the tunnel by themselves: one list says what is accepted from the peer and
 * what is sent to it, so that the two cannot differ.
 */
#include "cfg_int.h"

#include <stdlib.h>
#include <string.h>

#include "b64.h"

/*
 * Text of a public key: base64, as other WireGuard programs write it.
 */
void cfg_key_text(const uint8_t key[CFG_KEY_BYTES], char text[CFG_KEY_TEXT_BYTES])
{
	text[b64_encode(span_of(key, CFG_KEY_BYTES), text)] = '\0';
}

/*
 * Text of a peer's endpoint, "address:port" or "[address]:port".
 */
void cfg_endpoint_text(const struct cfg_peer *peer, char text[CFG_ENDPOINT_TEXT_BYTES])
{
	char addr[NET_TEXT_BYTES];

	(void)snprintf(text, CFG_ENDPOINT_TEXT_BYTES,
		       peer->endpoint.family == 4 ? "%.60s:%u" : "[%.60s]:%u",
		       net_addr_text(&peer->endpoint, addr), peer->endpoint_port);
}

static int read_key(struct reader *r, const json_t *j, struct cfg_peer *peer)
{
	static const uint8_t zero[CFG_KEY_BYTES];
	const char *s;
	size_t n = 0;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	if (strlen(s) != CFG_KEY_TEXT_BYTES - 1 ||
	    b64_decode(span_str(s), peer->key, sizeof(peer->key), &n) != ERR_OK ||
	    n != sizeof(peer->key) || memcmp(peer->key, zero, sizeof(zero)) == 0)
		return rd_fail(r, "not a public key of WireGuard",
			       "copy the %d characters that the other end shows",
			       CFG_KEY_TEXT_BYTES - 1);
	return ERR_OK;
}

/* "192.0.2.1:51820" or "[2001:db8::1]:51820" */
static int split_endpoint(const char *s, struct cfg_peer *peer)
{
	const char *colon = strrchr(s, ':');
	bool is_v6 = *s == '[';
	char addr[NET_TEXT_BYTES];
	unsigned long port;
	size_t n;
	char *end;

	if (!colon || colon[1] < '1' || colon[1] > '9')
		return ERR_FORMAT;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port > UINT16_MAX)
		return ERR_FORMAT;
	n = (size_t)(colon - s);
	if (is_v6) {
		if (n < 2 || s[n - 1] != ']')
			return ERR_FORMAT;
		s++;
		n -= 2;
	}
	if (n >= sizeof(addr))
		return ERR_FORMAT;
	memcpy(addr, s, n);
	addr[n] = '\0';
	peer->endpoint_port = (uint16_t)port;
	if (net_addr_parse(addr, &peer->endpoint) != ERR_OK)
		return ERR_FORMAT;
	return (peer->endpoint.family == 6) == is_v6 ? ERR_OK : ERR_FORMAT;
}

static int read_endpoint(struct reader *r, const json_t *j, struct cfg_peer *peer)
{
	const char *s;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	if (split_endpoint(s, peer) != ERR_OK)
		return rd_failf(r,
				"write it like 10.200.30.10:51820 or [2001:db8::1]:51820",
				"\"%.60s\" is not an address with a UDP port", s);
	if (!net_addr_is_unicast(&peer->endpoint))
		return rd_failf(r,
				"name the address at which the other end can be reached",
				"\"%.60s\" cannot be the address of a peer", s);
	peer->has_endpoint = true;
	return ERR_OK;
}

static int read_allowed(struct reader *r, const json_t *list, struct cfg_peer *peer)
{
	size_t n;

	if (rd_array(r, list, CONFIG_CFG_MAX_ALLOWED, "CFG_MAX_ALLOWED", &n) != ERR_OK)
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the list is empty",
			       "name the networks behind this peer");
	peer->allowed = rd_take(r, n, sizeof(*peer->allowed));
	if (!peer->allowed)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (cfg_read_network(r, json_array_get(list, i), &peer->allowed[i]))
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	peer->allowed_count = n;
	return ERR_OK;
}

static int read_peer(struct reader *r, const json_t *j, struct cfg_peer *peer)
{
	static const struct key keys[] = {{"public_key", true},
					  {"endpoint", false},
					  {"allowed", true},
					  {"keepalive", false},
					  {NULL, false}};
	const json_t *v;
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".public_key");
	if (read_key(r, json_object_get(j, "public_key"), peer) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	if ((v = json_object_get(j, "endpoint"))) {
		mark = rd_enter(r, ".endpoint");
		if (read_endpoint(r, v, peer) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	if ((v = json_object_get(j, "keepalive"))) {
		mark = rd_enter(r, ".keepalive");
		if (cfg_read_u16(r, v, 1, UINT16_MAX, &peer->keepalive_s) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	mark = rd_enter(r, ".allowed");
	if (read_allowed(r, json_object_get(j, "allowed"), peer) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

static bool is_same(const struct net_prefix *a, const struct net_prefix *b)
{
	return a->len == b->len && net_addr_eq(&a->addr, &b->addr);
}

/* Is network @i of peer @p written before? A network has one peer. */
static int check_allowed(struct reader *r, const struct cfg_port *port, size_t p,
			 size_t i)
{
	for (size_t q = 0; q <= p; q++) {
		size_t end = q == p ? i : port->peers[q].allowed_count;

		for (size_t k = 0; k < end; k++) {
			if (!is_same(&port->peers[q].allowed[k],
				     &port->peers[p].allowed[i]))
				continue;
			(void)rd_enter(r, ".allowed[%zu]", i);
			return rd_fail(r, "the network stands twice in this tunnel",
				       "remove one; peers[%zu] has it", q);
		}
	}
	return ERR_OK;
}

static int check_peer(struct reader *r, const struct cfg_port *port, size_t p)
{
	const struct cfg_peer *peer = &port->peers[p];

	if (!peer->has_endpoint && !port->is_roaming)
		return rd_fail(r, "the peer has no endpoint",
			       "add \"endpoint\", or \"roaming\": true to the tunnel: "
			       "anybody outside can then send to its port");
	for (size_t q = 0; q < p; q++) {
		if (memcmp(port->peers[q].key, peer->key, sizeof(peer->key)) == 0) {
			(void)rd_enter(r, ".public_key");
			return rd_fail(r, "two peers have the same key",
				       "correct one; peers[%zu] has it", q);
		}
	}
	for (size_t i = 0; i < peer->allowed_count; i++) {
		if (check_allowed(r, port, p, i) != ERR_OK)
			return ERR_REFUSED;
	}
	return ERR_OK;
}

static int read_peers(struct reader *r, const json_t *list, struct cfg_port *port)
{
	size_t n;

	if (rd_array(r, list, CONFIG_CFG_MAX_PEERS, "CFG_MAX_PEERS", &n) != ERR_OK)
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the tunnel has no peers", "name the other end");
	port->peers = rd_take(r, n, sizeof(*port->peers));
	if (!port->peers)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (read_peer(r, json_array_get(list, i), &port->peers[i]) != ERR_OK ||
		    check_peer(r, port, i) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	port->peer_count = n;
	return ERR_OK;
}

/*
 * Read a WireGuard tunnel.
 */
int cfg_read_tunnel(struct reader *r, const json_t *j, struct cfg_port *port)
{
	static const struct key keys[] = {
		{"listen", true}, {"peers", true}, {"roaming", false}, {NULL, false}};
	const json_t *v;
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".listen");
	if (cfg_read_u16(r, json_object_get(j, "listen"), 1, UINT16_MAX, &port->listen))
		return ERR_REFUSED;
	rd_leave(r, mark);
	if ((v = json_object_get(j, "roaming"))) {
		mark = rd_enter(r, ".roaming");
		if (!json_is_boolean(v))
			return rd_fail(r, "expected true or false",
				       "write true or false");
		port->is_roaming = json_is_true(v);
		rd_leave(r, mark);
	}
	mark = rd_enter(r, ".peers");
	if (read_peers(r, json_object_get(j, "peers"), port) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

/* Is a network inside one of the port's own? The kernel routes those already. */
static bool is_attached(const struct cfg_port *port, const struct net_prefix *to)
{
	for (size_t i = 0; i < port->addr_count; i++) {
		if (to->len >= port->addrs[i].len &&
		    net_prefix_has(&port->addrs[i], &to->addr))
			return true;
	}
	return false;
}

/*
 * How many routes cfg_allowed_routes() adds at most.
 */
size_t cfg_allowed_count(const struct cfg *cfg)
{
	size_t n = 0;

	for (size_t p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].peer_count; i++)
			n += cfg->ports[p].peers[i].allowed_count;
	}
	return n;
}

/*
 * Add a route into the tunnel for every network behind a peer; cfg->routes has
 * room for cfg_allowed_count() more.
 */
void cfg_allowed_routes(struct cfg *cfg)
{
	for (unsigned p = 0; p < cfg->port_count; p++) {
		const struct cfg_port *port = &cfg->ports[p];

		for (unsigned i = 0; i < port->peer_count; i++) {
			const struct cfg_peer *peer = &port->peers[i];

			for (unsigned k = 0; k < peer->allowed_count; k++) {
				if (is_attached(port, &peer->allowed[k]))
					continue;
				cfg->routes[cfg->route_count++] =
					(struct cfg_route){.to = peer->allowed[k],
							   .port = p,
							   .is_allowed = true,
							   .peer = i,
							   .item = k};
			}
		}
	}
}

/*
 * Go to where a route of cfg_allowed_routes() was written.
 */
void cfg_enter_allowed(struct reader *r, const struct cfg_route *route)
{
	rd_leave(r, 1); /* "$" */
	(void)rd_enter(r, ".ports[%u].wireguard.peers[%u].allowed[%u]", route->port,
		       route->peer, route->item);
}

/* The port through which an address is reached, longest prefix first; -1: none. */
static int port_toward(const struct cfg *cfg, const struct net_addr *a)
{
	int best = -1, best_len = -1;

	for (unsigned p = 0; p < cfg->port_count; p++) {
		for (size_t i = 0; i < cfg->ports[p].addr_count; i++) {
			const struct net_prefix *n = &cfg->ports[p].addrs[i];

			if (n->len > best_len && net_prefix_has(n, a)) {
				best = (int)p;
				best_len = n->len;
			}
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		if (cfg->routes[i].to.len > best_len &&
		    net_prefix_has(&cfg->routes[i].to, a)) {
			best = (int)cfg->routes[i].port;
			best_len = cfg->routes[i].to.len;
		}
	}
	return best;
}

static int check_endpoint(struct reader *r, const struct net_addr *a)
{
	const struct cfg *cfg = r->cfg;
	int p = port_toward(cfg, a);

	for (size_t q = 0; q < cfg->port_count; q++) {
		for (size_t i = 0; i < cfg->ports[q].addr_count; i++) {
			if (net_addr_eq(&cfg->ports[q].addrs[i].addr, a))
				return rd_fail(r, "the endpoint is the appliance itself",
					       "name the other end's address");
		}
	}
	if (p < 0)
		return rd_fail(r, "no route leads to the endpoint",
			       "add a route, or correct the address");
	if (cfg->ports[p].kind == CFG_WIREGUARD)
		return rd_failf(r,
				"add a more specific route to it, or take it out of "
				"\"allowed\"",
				"the endpoint would be reached through the tunnel %s",
				cfg->ports[p].name);
	return ERR_OK;
}

/*
 * Check tunnels against everything else: their UDP ports differ, and endpoints
 * are reached outside of tunnels.
 */
int cfg_check_tunnels(struct reader *r)
{
	const struct cfg *cfg = r->cfg;

	for (unsigned p = 0; p < cfg->port_count; p++) {
		const struct cfg_port *port = &cfg->ports[p];
		size_t mark = rd_enter(r, ".ports[%u].wireguard", p);

		for (unsigned q = 0; port->kind == CFG_WIREGUARD && q < p; q++) {
			if (cfg->ports[q].kind != CFG_WIREGUARD ||
			    cfg->ports[q].listen != port->listen)
				continue;
			(void)rd_enter(r, ".listen");
			return rd_fail(r, "two tunnels listen on the same UDP port",
				       "change one; %s has it", cfg->ports[q].name);
		}
		for (size_t i = 0; i < port->peer_count; i++) {
			size_t item = rd_enter(r, ".peers[%zu].endpoint", i);

			if (port->peers[i].has_endpoint &&
			    check_endpoint(r, &port->peers[i].endpoint) != ERR_OK)
				return ERR_REFUSED;
			rd_leave(r, item);
		}
		rd_leave(r, mark);
	}
	return ERR_OK;
}
