/*
 * What tunnels that end on the appliance need of its own chains: WireGuard's
 * UDP port, reached by the peers' addresses and by nobody else. What comes out
 * of a tunnel is not seen here: it arrives at the tunnel's port and meets the
 * rules of that port's zone.
 */
#include "compile_int.h"
#include "expr.h"

#include <stdio.h>
#include <string.h>

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#define OUTSIDE "outside"

static const char *set_name(const struct cfg_port *port, uint8_t family,
			    char name[PROG_NAME_BYTES])
{
	(void)snprintf(name, PROG_NAME_BYTES, "peers%u_%s", family, port->name);
	return name;
}

static bool is_in(const struct prog_set *s, const uint8_t *key)
{
	for (size_t i = 0; i < s->count; i++) {
		if (memcmp(s->elems[i].key, key, s->key_len) == 0)
			return true;
	}
	return false;
}

/* The addresses of a tunnel's peers in one family. */
static bool has_peers(const struct cfg_port *port, uint8_t family)
{
	for (size_t i = 0; i < port->peer_count; i++) {
		if (port->peers[i].has_endpoint &&
		    port->peers[i].endpoint.family == family)
			return true;
	}
	return false;
}

static void peer_set(const struct cfg_port *port, uint8_t family, struct prog *p)
{
	char name[PROG_NAME_BYTES];
	struct prog_set *s = prog_add_set(p, set_name(port, family, name));

	if (!s)
		return;
	s->key_type = family == 4 ? TYPE_IPV4 : TYPE_IPV6;
	s->key_len = net_addr_bytes(family);
	s->flags = NFT_SET_CONSTANT;
	for (size_t i = 0; i < port->peer_count; i++) {
		const struct cfg_peer *peer = &port->peers[i];
		struct prog_elem *e;

		/* two peers may be behind one address */
		if (!peer->has_endpoint || peer->endpoint.family != family ||
		    is_in(s, peer->endpoint.b))
			continue;
		e = prog_add_elem(p, s);
		if (e)
			memcpy(e->key, peer->endpoint.b, s->key_len);
	}
}

static void outside_set(const struct cfg *cfg, struct prog *p)
{
	struct prog_set *s = prog_add_set(p, OUTSIDE);

	if (!s)
		return;
	s->key_type = TYPE_IFNAME;
	s->key_len = CFG_NAME_BYTES;
	for (size_t i = 0; i < cfg->port_count; i++) {
		struct prog_elem *e = (1U << cfg->ports[i].zone) & ZONE_OUTSIDE
					      ? prog_add_elem(p, s)
					      : NULL;

		if (e)
			memcpy(e->key, cfg->ports[i].name, CFG_NAME_BYTES);
	}
}

/*
 * Add the sets of compile_local_tunnels().
 */
void compile_local_sets(const struct cfg *cfg, struct prog *p)
{
	bool is_roaming = false;

	for (size_t i = 0; i < cfg->port_count; i++) {
		const struct cfg_port *port = &cfg->ports[i];

		for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
			if (has_peers(port, family))
				peer_set(port, family, p);
		}
		is_roaming |= port->is_roaming;
	}
	if (is_roaming)
		outside_set(cfg, p);
}

/* Match UDP from or to the tunnel's own port. */
static void match_udp(struct nftnl_rule *r, const struct cfg_port *port, bool is_input)
{
	uint8_t number[2] = {(uint8_t)(port->listen >> 8), (uint8_t)port->listen};

	ex_proto(r, IPPROTO_UDP);
	ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, is_input ? 2 : 0, 2);
	ex_cmp(r, NFT_CMP_EQ, number, sizeof(number));
}

/*
 * Add the rules that let the datagrams of tunnels in or out.
 *
 * @chain  "input" or "output"
 */
void compile_local_tunnels(const struct cfg *cfg, struct prog *p, const char *chain)
{
	bool is_input = strcmp(chain, "input") == 0;
	char name[PROG_NAME_BYTES], id[PROG_ID_BYTES];
	struct nftnl_rule *r;

	for (size_t i = 0; i < cfg->port_count; i++) {
		const struct cfg_port *port = &cfg->ports[i];

		(void)snprintf(id, sizeof(id), "built-in tunnel %s", port->name);
		for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
			if (!has_peers(port, family))
				continue;
			r = prog_add_rule(p, chain, id);
			ex_family(r, family);
			ex_load_addr(r, family, is_input);
			ex_lookup(r, set_name(port, family, name), false);
			match_udp(r, port, is_input);
			ex_counter(r);
			ex_verdict(r, NF_ACCEPT);
		}
		if (!port->is_roaming)
			continue;
		r = prog_add_rule(p, chain, id);
		ex_meta(r, is_input ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFT_REG_1);
		ex_lookup(r, OUTSIDE, false);
		match_udp(r, port, is_input);
		ex_counter(r);
		ex_verdict(r, NF_ACCEPT);
	}
}
