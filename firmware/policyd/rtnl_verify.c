/*
 * Read-back: are links, addresses and routes what the configuration says?
 */
#include "rtnl.h"
#include "rtnl_int.h"

#include <stdio.h>
#include <string.h>

#include "wg.h"

static int differs(struct rtnl *r, const struct cfg_port *port, const char *what)
{
	(void)snprintf(r->why, sizeof(r->why), "port %s %s", port->name, what);
	return ERR_MISMATCH;
}

/* What is wrong with an interface that is not as its port wants it. */
static const char *what_differs(const struct cfg_port *port)
{
	switch (port->kind) {
	case CFG_BRIDGE:
		return "has other members, another address or other settings";
	case CFG_VLAN:
		return "is another VLAN, or on another port";
	case CFG_WIREGUARD:
		return "is no tunnel of ours";
	case CFG_HARDWARE:
	default:
		return "is a member of a bridge, or has its IPv6 address switched "
		       "wrongly";
	}
}

static int verify_port(struct rtnl *r, const struct cfg *cfg, const struct cfg *also,
		       const struct rtnl_plan *plan, size_t p)
{
	const struct cfg_port *port = &cfg->ports[p];
	const struct rtnl_link *l;
	struct rtnl_wanted want;

	if (plan->port[p] < 0)
		return differs(r, port, "is missing");
	l = &r->links[plan->port[p]];
	if (!l->is_up || strcmp(l->name, port->name) != 0) {
		(void)snprintf(r->why, sizeof(r->why), "port %s is named %s and is %s",
			       port->name, l->name, l->is_up ? "up" : "down");
		return ERR_MISMATCH;
	}
	if (!rtnl_is_port(r, cfg, p, l))
		return differs(r, port, what_differs(port));
	for (size_t m = 0; m < port->member_count; m++) {
		const struct rtnl_link *member = &r->links[plan->member[p][m]];

		if (!member->is_up || !rtnl_is_member(r, cfg, member))
			return differs(r, port, "has a member that is down or speaks");
	}
	rtnl_want_addrs(cfg, also, p, &want);
	if (rtnl_verify_addrs(r, l, &want) != ERR_OK)
		return ERR_MISMATCH;
	return port->kind == CFG_WIREGUARD ? wg_verify(port, r->why, sizeof(r->why))
					   : ERR_OK;
}

/* Interfaces that are no ports: members and loopback have no addresses of their
 * own, all others are down. */
static int verify_other(struct rtnl *r, const struct cfg *cfg, const struct rtnl_link *l)
{
	static const struct rtnl_wanted none;
	bool is_lo = !strcmp(l->name, "lo");

	for (size_t p = 0; p < cfg->port_count; p++) {
		if (rtnl_is_port(r, cfg, p, l))
			return ERR_OK;
	}
	if (is_lo || rtnl_is_member(r, cfg, l))
		return rtnl_verify_addrs(r, l, &none);
	if (rtnl_is_mgmt(l, cfg))
		return rtnl_verify_mgmt(r, l);
	if (!l->is_up)
		return ERR_OK;
	(void)snprintf(r->why, sizeof(r->why), "interface %s is up but in no zone",
		       l->name);
	return ERR_MISMATCH;
}

/*
 * Compare the kernel with the configuration: every port is there, made of what
 * it should be, has its name and its addresses and is up; tunnels have their
 * peers; our routes are there; nothing else is up.
 *
 * @also  as with rtnl_apply(): its addresses may be there
 *
 * Returns ERR_OK, or ERR_MISMATCH with r->why.
 */
int rtnl_verify(struct rtnl *r, const struct cfg *cfg, const struct cfg *also)
{
	struct rtnl_plan plan;
	int err = rtnl_read_links(r);

	if (err == ERR_OK && rtnl_plan(r, cfg, &plan) != ERR_OK)
		return ERR_MISMATCH;
	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++)
		err = verify_port(r, cfg, also, &plan, p);
	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++)
		err = verify_other(r, cfg, &r->links[i]);
	return err == ERR_OK ? rtnl_verify_routes(r, cfg) : err;
}
