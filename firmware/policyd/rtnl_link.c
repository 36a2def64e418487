/*
 * DESIGN: what an interface is, and the interfaces that we make. A link group
 * is set in the same request that makes an interface, so that one is ours from
 * its first moment, whatever happens to policyd. An interface that is named
 * like a port but was made by somebody else is renamed and stays down.
 */
#include "rtnl_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <net/if.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "wg.h"

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

static const char *kind_of(const struct cfg_port *port)
{
	switch (port->kind) {
	case CFG_VLAN:
		return "vlan";
	case CFG_BRIDGE:
		return "bridge";
	case CFG_WIREGUARD:
		return "wireguard";
	case CFG_HARDWARE:
	default:
		return "";
	}
}

/* VLANs and bridges share the MAC of hardware: only the kind tells them apart.
 * The ports of a switch chip are hardware too. */
static bool is_hardware(const struct rtnl_link *l)
{
	return l->is_ether && (l->kind[0] == '\0' || !strcmp(l->kind, "dsa") ||
			       (CONFIG_BOARD_HOST && !strcmp(l->kind, "veth")));
}

/*
 * Whether an interface is the hardware that the configuration means.
 *
 * @port_name  of a hardware port: on the board host it is found under this name
 *             too, which it got when it was applied first; NULL for a member
 */
bool rtnl_hw_matches(const struct rtnl_link *l, const struct cfg_hw *hw,
		     const char *port_name)
{
	size_t n = strlen(hw->text);
	char mac[18];

	if (!is_hardware(l))
		return false;
	switch (hw->match) {
	case CFG_MATCH_BUS:
		return strncmp(l->bus, hw->text, n) == 0 &&
		       (l->bus[n] == '\0' || l->bus[n] == '/');
	case CFG_MATCH_MAC:
		(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x",
			       l->mac[0], l->mac[1], l->mac[2], l->mac[3], l->mac[4],
			       l->mac[5]);
		return !strcmp(mac, hw->text);
	case CFG_MATCH_NAME:
	default:
		return !strcmp(l->name, hw->text) ||
		       (port_name && !strcmp(l->name, port_name));
	}
}

/*
 * The interface with a kernel's index, NULL for none.
 */
const struct rtnl_link *rtnl_by_index(const struct rtnl *r, int index)
{
	for (size_t i = 0; i < r->link_count; i++) {
		if (r->links[i].index == index)
			return &r->links[i];
	}
	return NULL;
}

/*
 * Whether we made an interface under the name of a port, of its kind.
 */
bool rtnl_is_made_for(const struct rtnl_link *l, const struct cfg_port *port)
{
	return l->group == RTNL_GROUP && port->kind != CFG_HARDWARE &&
	       !strcmp(l->kind, kind_of(port)) && !strcmp(l->name, port->name);
}

static bool is_member_of(const struct rtnl_link *l, const struct cfg_port *port)
{
	for (size_t m = 0; m < port->member_count; m++) {
		if (rtnl_hw_matches(l, &port->members[m], NULL))
			return true;
	}
	return false;
}

/* Exactly the configured hardware is joined, and the bridge has the address of
 * the first member. */
static bool is_bridge(const struct rtnl *r, const struct cfg_port *port,
		      const struct rtnl_link *l)
{
	size_t joined = 0;
	bool has_mac = false;

	for (size_t i = 0; i < r->link_count; i++) {
		const struct rtnl_link *m = &r->links[i];

		if (rtnl_hw_matches(m, &port->members[0], NULL))
			has_mac = memcmp(m->mac, l->mac, sizeof(l->mac)) == 0;
		if (m->master != l->index)
			continue;
		if (!is_member_of(m, port))
			return false;
		joined++;
	}
	return joined == port->member_count && has_mac && !l->is_talking;
}

/* rtnl_is_port() for everything but what is below a VLAN. */
static bool is_named_port(const struct rtnl *r, const struct cfg_port *port,
			  const struct rtnl_link *l)
{
	if (strcmp(l->name, port->name) != 0 || l->master != 0)
		return false;
	if (port->kind == CFG_HARDWARE)
		return rtnl_hw_matches(l, &port->hw, port->name) &&
		       l->is_mute == (port->zone == ZONE_NONE);
	if (!rtnl_is_made_for(l, port))
		return false;
	return port->kind != CFG_BRIDGE || is_bridge(r, port, l);
}

/*
 * Whether an interface is port number @p, as the configuration wants it: name,
 * hardware or kind, members, VLAN number and the port below.
 */
bool rtnl_is_port(const struct rtnl *r, const struct cfg *cfg, size_t p,
		  const struct rtnl_link *l)
{
	const struct cfg_port *port = &cfg->ports[p];
	const struct rtnl_link *below;

	if (!is_named_port(r, port, l))
		return false;
	if (port->kind != CFG_VLAN)
		return true;
	/* one step: what carries a VLAN is no VLAN */
	below = rtnl_by_index(r, l->parent);
	return l->vlan_id == port->vlan_id && below &&
	       is_named_port(r, &cfg->ports[port->vlan_of], below);
}

/*
 * Whether an interface is a member of a bridge of the configuration, and joined
 * to it.
 */
bool rtnl_is_member(const struct rtnl *r, const struct cfg *cfg,
		    const struct rtnl_link *l)
{
	const struct rtnl_link *bridge = l->master ? rtnl_by_index(r, l->master) : NULL;

	for (size_t p = 0; bridge && p < cfg->port_count; p++) {
		if (cfg->ports[p].kind == CFG_BRIDGE && l->is_mute &&
		    rtnl_is_made_for(bridge, &cfg->ports[p]) &&
		    is_member_of(l, &cfg->ports[p]))
			return true;
	}
	return false;
}

/* Start a change of one interface. */
static struct nlmsghdr *change(uint8_t *buf, int index)
{
	struct ifinfomsg *info;
	void *extra;
	struct nlmsghdr *h =
		rtnl_request(buf, RTM_NEWLINK, NLM_F_ACK, sizeof(*info), &extra);

	info = extra;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = index;
	return h;
}

static int run_change(struct rtnl *r, struct nlmsghdr *h, const char *name)
{
	int err = rtnl_run(r, h, NULL, NULL);

	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "interface %s: %s", name,
			       strerror(errno));
	return err;
}

/*
 * Bring an interface up or down and, with @name, rename it.
 */
int rtnl_set_link(struct rtnl *r, const struct rtnl_link *l, bool up, const char *name)
{
	uint8_t buf[RTNL_MSG_BYTES];
	struct nlmsghdr *h = change(buf, l->index);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	if (name)
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
	return run_change(r, h, name ? name : l->name);
}

/* Join an interface to a bridge; 0 takes it out. */
static int set_master(struct rtnl *r, struct rtnl_link *l, int master)
{
	uint8_t buf[RTNL_MSG_BYTES];
	struct nlmsghdr *h = change(buf, l->index);
	int err;

	mnl_attr_put_u32(h, IFLA_MASTER, (uint32_t)master);
	err = run_change(r, h, l->name);
	if (err == ERR_OK)
		l->master = master;
	return err;
}

/* An interface that is no port of a zone must not speak IPv6 for itself. The
 * interface must be down: the address goes and comes with that. */
static int set_mute(struct rtnl *r, struct rtnl_link *l, bool is_mute)
{
	uint8_t buf[RTNL_MSG_BYTES];
	struct nlmsghdr *h = change(buf, l->index);
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(h, AF_INET6);
	int err;

	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE,
			is_mute ? IN6_ADDR_GEN_MODE_NONE : IN6_ADDR_GEN_MODE_EUI64);
	mnl_attr_nest_end(h, family);
	mnl_attr_nest_end(h, spec);
	err = run_change(r, h, l->name);
	if (err == ERR_OK)
		l->is_mute = is_mute;
	return err;
}

static int delete_link(struct rtnl *r, const struct rtnl_link *l)
{
	uint8_t buf[RTNL_MSG_BYTES];
	struct ifinfomsg *info;
	void *extra;
	struct nlmsghdr *h =
		rtnl_request(buf, RTM_DELLINK, NLM_F_ACK, sizeof(*info), &extra);
	int err;

	info = extra;
	info->ifi_index = l->index;
	err = rtnl_run(r, h, NULL, NULL);
	if (err == ERR_KERNEL && errno == ENODEV)
		return ERR_OK; /* went away with the port below it */
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "deleting interface %s: %s",
			       l->name, strerror(errno));
	return err;
}

/* The bridge that hardware shall be joined to; 0: none, or not made yet. */
static int wanted_master(const struct rtnl *r, const struct cfg *cfg,
			 const struct rtnl_plan *plan, size_t link)
{
	for (size_t p = 0; p < cfg->port_count; p++) {
		for (size_t m = 0; m < cfg->ports[p].member_count; m++) {
			if (plan->member[p][m] == (int)link)
				return plan->port[p] < 0 ? 0
							 : r->links[plan->port[p]].index;
		}
	}
	return 0;
}

/*
 * Delete what we made and the configuration does not have (any more), and take
 * hardware out of bridges that it does not belong to. r->links must be read
 * anew afterwards.
 */
int rtnl_clear_links(struct rtnl *r, const struct cfg *cfg, const struct rtnl_plan *plan)
{
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++) {
		struct rtnl_link *l = &r->links[i];
		bool is_port = l->group != RTNL_GROUP || is_hardware(l);

		for (size_t p = 0; p < cfg->port_count; p++)
			is_port |= plan->port[p] == (int)i;
		if (!is_port) {
			err = delete_link(r, l);
			continue;
		}
		if (l->master == 0 || l->master == wanted_master(r, cfg, plan, i))
			continue;
		err = rtnl_set_link(r, l, false, NULL);
		if (err == ERR_OK)
			err = set_master(r, l, 0);
	}
	return err;
}

static void put_kind(struct nlmsghdr *h, const struct cfg_port *port)
{
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	struct nlattr *data;

	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind_of(port));
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	if (port->kind == CFG_VLAN)
		mnl_attr_put_u16(h, IFLA_VLAN_ID, port->vlan_id);
	if (port->kind == CFG_BRIDGE) {
		/* silent, and forwarding at once */
		mnl_attr_put_u32(h, IFLA_BR_STP_STATE, 0);
		mnl_attr_put_u32(h, IFLA_BR_FORWARD_DELAY, 0);
		mnl_attr_put_u8(h, IFLA_BR_MCAST_SNOOPING, 0);
	}
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

static int cannot_make(struct rtnl *r, const struct cfg_port *port)
{
	static const char *const what[] = {"hardware", "VLANs", "bridges", "WireGuard"};

	(void)snprintf(r->why, sizeof(r->why),
		       "port %s: the kernel of this device cannot make %s", port->name,
		       what[port->kind]);
	return ERR_TYPE;
}

/* Make the interface of a port, down. With @made it is there already and gets
 * its properties again. */
static int make_link(struct rtnl *r, const struct cfg *cfg, const struct rtnl_plan *plan,
		     size_t p, const struct rtnl_link *made)
{
	const struct cfg_port *port = &cfg->ports[p];
	uint8_t buf[RTNL_MSG_BYTES];
	struct nlmsghdr *h = change(buf, made ? made->index : 0);
	int err;

	if (!made) {
		h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
		mnl_attr_put_strz(h, IFLA_IFNAME, port->name);
		mnl_attr_put_u32(h, IFLA_GROUP, RTNL_GROUP);
	}
	if (port->kind == CFG_VLAN)
		mnl_attr_put_u32(h, IFLA_LINK,
				 (uint32_t)r->links[plan->port[port->vlan_of]].index);
	if (port->kind == CFG_BRIDGE)
		mnl_attr_put(h, IFLA_ADDRESS, 6, r->links[plan->member[p][0]].mac);
	put_kind(h, port);
	err = rtnl_run(r, h, NULL, NULL);
	if (err == ERR_KERNEL && errno == EOPNOTSUPP)
		return cannot_make(r, port);
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "port %s: making it: %s",
			       port->name, strerror(errno));
	return err;
}

/* Ask for a VLAN without number and carrier: a kernel with VLANs finds the
 * request invalid, one without does not know the word. Nothing is made. */
static bool has_vlans(struct rtnl *r)
{
	uint8_t buf[RTNL_MSG_BYTES];
	struct nlmsghdr *h = change(buf, 0);
	struct nlattr *info;

	h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vlan");
	mnl_attr_nest_end(h, info);
	return rtnl_run(r, h, NULL, NULL) != ERR_KERNEL || errno != EOPNOTSUPP;
}

/*
 * Whether this kernel can make the ports of a configuration; nothing is
 * changed.
 *
 * Returns ERR_OK, or ERR_TYPE with r->why.
 */
int rtnl_can_make(struct rtnl *r, const struct cfg *cfg)
{
	for (size_t p = 0; p < cfg->port_count; p++) {
		const struct cfg_port *port = &cfg->ports[p];

		if ((port->kind == CFG_VLAN && !has_vlans(r)) ||
		    (port->kind == CFG_WIREGUARD && wg_check() == ERR_TYPE))
			return cannot_make(r, port);
	}
	return ERR_OK;
}

static int join_members(struct rtnl *r, const struct cfg *cfg,
			const struct rtnl_plan *plan, size_t p)
{
	int bridge = r->links[plan->port[p]].index;
	int err = ERR_OK;

	for (size_t m = 0; err == ERR_OK && m < cfg->ports[p].member_count; m++) {
		struct rtnl_link *l = &r->links[plan->member[p][m]];

		if (l->master == bridge && l->is_mute)
			continue;
		err = rtnl_set_link(r, l, false, NULL);
		l->is_up = false;
		if (err == ERR_OK)
			err = set_mute(r, l, true);
		if (err == ERR_OK)
			err = set_master(r, l, bridge);
	}
	return err;
}

/* Make those ports that are of one kind. */
static int make_kind(struct rtnl *r, const struct cfg *cfg, struct rtnl_plan *plan,
		     enum cfg_kind kind)
{
	bool is_new = false;
	int err = ERR_OK;

	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++) {
		const struct rtnl_link *l =
			plan->port[p] < 0 ? NULL : &r->links[plan->port[p]];

		/* a bridge may have lost its properties, the others cannot */
		if (cfg->ports[p].kind != kind || (l && kind != CFG_BRIDGE))
			continue;
		err = make_link(r, cfg, plan, p, l);
		is_new |= !l;
	}
	if (err == ERR_OK && is_new)
		err = rtnl_read_links(r);
	return err == ERR_OK && is_new ? rtnl_plan(r, cfg, plan) : err;
}

/*
 * Make the bridges, tunnels and VLANs that are missing, join the members, and
 * say who may speak IPv6. Afterwards @plan has no -1.
 */
int rtnl_make_links(struct rtnl *r, const struct cfg *cfg, struct rtnl_plan *plan)
{
	int err = make_kind(r, cfg, plan, CFG_BRIDGE);

	if (err == ERR_OK)
		err = make_kind(r, cfg, plan, CFG_WIREGUARD);
	if (err == ERR_OK)
		err = make_kind(r, cfg, plan, CFG_VLAN);
	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++) {
		const struct cfg_port *port = &cfg->ports[p];
		struct rtnl_link *l;

		if (plan->port[p] < 0) {
			(void)snprintf(r->why, sizeof(r->why),
				       "port %s: it is not there after it was made",
				       port->name);
			return ERR_KERNEL;
		}
		l = &r->links[plan->port[p]];
		if (port->kind == CFG_BRIDGE)
			err = join_members(r, cfg, plan, p);
		if (port->kind == CFG_WIREGUARD)
			err = wg_apply(port, r->why, sizeof(r->why));
		if (port->kind != CFG_HARDWARE || l->is_mute == (port->zone == ZONE_NONE))
			continue;
		err = rtnl_set_link(r, l, false, NULL);
		if (err == ERR_OK)
			err = set_mute(r, l, !l->is_mute);
	}
	return err;
}
