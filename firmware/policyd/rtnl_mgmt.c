/*
 * DESIGN: the TUN to the web interface is no port: svcd makes it and keeps it, policyd
 * gives the kernel's side its addresses and brings it up while the configuration has
 * "management". Without, it is an interface like any unknown one: down. A device on
 * which svcd could not make it works without a web interface.
 */
#include "rtnl_int.h"

#include <stdio.h>
#include <string.h>

#include "mgmt_net.h"

/*
 * Whether an interface is the TUN to the web interface, and shall be up.
 *
 * @cfg  what is to be enforced
 */
bool rtnl_is_mgmt(const struct rtnl_link *l, const struct cfg *cfg)
{
	return cfg->management.is_set && !strcmp(l->name, MGMT_NET_NAME) &&
	       !strcmp(l->kind, "tun");
}

/* One prefix of mgmt_net.h with the kernel's address in it. */
static void want(struct rtnl_wanted *out, const char *net, const char *addr)
{
	struct net_prefix *p = &out->v[out->count];

	if (net_prefix_parse(net, p) == ERR_OK &&
	    net_addr_parse(addr, &p->addr) == ERR_OK) /* the texts are constants */
		out->must = ++out->count;
}

static void want_all(struct rtnl_wanted *out)
{
	memset(out, 0, sizeof(*out));
	want(out, MGMT_NET_NET4, MGMT_NET_KERNEL4);
	want(out, MGMT_NET_NET6, MGMT_NET_KERNEL6);
}

/*
 * Give the TUN its addresses and bring it up, if the configuration wants it.
 */
int rtnl_apply_mgmt(struct rtnl *r, const struct cfg *cfg)
{
	struct rtnl_wanted wanted;
	int err = ERR_OK;

	want_all(&wanted);
	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++) {
		if (!rtnl_is_mgmt(&r->links[i], cfg))
			continue;
		err = rtnl_set_addrs(r, &r->links[i], &wanted);
		if (err == ERR_OK)
			err = rtnl_set_link(r, &r->links[i], true, NULL);
	}
	return err;
}

/*
 * Compare the TUN, for which rtnl_is_mgmt() is true, with what it must be.
 *
 * Returns ERR_OK, or ERR_MISMATCH with r->why.
 */
int rtnl_verify_mgmt(struct rtnl *r, const struct rtnl_link *l)
{
	struct rtnl_wanted wanted;

	if (!l->is_up) {
		(void)snprintf(r->why, sizeof(r->why), "%s is down", l->name);
		return ERR_MISMATCH;
	}
	want_all(&wanted);
	return rtnl_verify_addrs(r, l, &wanted);
}
