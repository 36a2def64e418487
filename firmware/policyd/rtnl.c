/*
 * DESIGN: hardware is found by where it is plugged (bus path) or by MAC, and
 * gets the configured name while it is down; VLANs, bridges and tunnels are
 * made and bear our mark, a link group; only configured ports are ever brought
 * up. Links, addresses and routes are made to equal the configuration: what is
 * missing is added, what is ours and surplus is removed, what is foreign stays
 * down. Everything can be applied again without effect.
 */
#include "rtnl.h"
#include "rtnl_int.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <net/if_arp.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

#define RTNL_LOWER_UP (1U << 16) /* IFF_LOWER_UP of linux/if.h, which net/if.h hides */

/*
 * Open the rtnetlink socket. Returns ERR_OK or ERR_SYS (errno is set).
 */
int rtnl_open(struct rtnl *r)
{
	const struct timeval answer = {.tv_sec = RTNL_ANSWER_S};

	memset(r, 0, sizeof(*r));
	r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(r->nl), SOL_SOCKET, SO_RCVTIMEO, &answer,
		       sizeof(answer)) < 0) {
		rtnl_close(r);
		return ERR_SYS;
	}
	return ERR_OK;
}

/*
 * Close the socket. Legal twice.
 */
void rtnl_close(struct rtnl *r)
{
	if (r->nl)
		(void)mnl_socket_close(r->nl);
	r->nl = NULL;
}

/*
 * Send one request and wait for its acknowledgement or its dump.
 *
 * @cb  called for every answer, may be NULL
 *
 * Returns ERR_OK, ERR_SYS, or ERR_KERNEL with errno set to the kernel's reason.
 */
int rtnl_run(struct rtnl *r, struct nlmsghdr *h,
	     int (*cb)(const struct nlmsghdr *, void *), void *data)
{
	uint8_t buf[32768];
	unsigned portid = mnl_socket_get_portid(r->nl);

	h->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->nl, h, h->nlmsg_len) < 0)
		return ERR_SYS;
	for (;;) {
		ssize_t len = mnl_socket_recvfrom(r->nl, buf, sizeof(buf));
		int got;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return ERR_SYS;
		got = mnl_cb_run(buf, (size_t)len, h->nlmsg_seq, portid, cb, data);
		if (got == MNL_CB_STOP)
			return ERR_OK;
		if (got < 0)
			return ERR_KERNEL;
	}
}

/*
 * Start a request in @buf (RTNL_MSG_BYTES) with an extra header of @size.
 */
struct nlmsghdr *rtnl_request(uint8_t *buf, uint16_t type, uint16_t flags, size_t size,
			      void **extra)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	*extra = mnl_nlmsg_put_extra_header(h, size);
	return h;
}

static void on_vlan_or_bridge(struct rtnl_link *l, struct nlattr *data)
{
	struct nlattr *a;

	mnl_attr_for_each_nested(a, data)
	{
		uint16_t type = mnl_attr_get_type(a);

		if (!strcmp(l->kind, "vlan") && type == IFLA_VLAN_ID)
			l->vlan_id = mnl_attr_get_u16(a);
		if (!strcmp(l->kind, "bridge") && type == IFLA_BR_STP_STATE)
			l->is_talking |= mnl_attr_get_u32(a) != 0;
		if (!strcmp(l->kind, "bridge") && type == IFLA_BR_MCAST_SNOOPING)
			l->is_talking |= mnl_attr_get_u8(a) != 0;
	}
}

static void on_link_info(struct rtnl_link *l, struct nlattr *info)
{
	struct nlattr *a, *data = NULL;

	mnl_attr_for_each_nested(a, info)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			(void)snprintf(l->kind, sizeof(l->kind), "%s",
				       mnl_attr_get_str(a));
		if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
			data = a;
	}
	if (data)
		on_vlan_or_bridge(l, data);
}

static void on_families(struct rtnl_link *l, struct nlattr *spec)
{
	struct nlattr *family, *a;

	mnl_attr_for_each_nested(family, spec)
	{
		if (mnl_attr_get_type(family) != AF_INET6)
			continue;
		mnl_attr_for_each_nested(a, family)
		{
			if (mnl_attr_get_type(a) == IFLA_INET6_ADDR_GEN_MODE)
				l->is_mute = mnl_attr_get_u8(a) == IN6_ADDR_GEN_MODE_NONE;
		}
	}
}

static void on_link_attr(struct rtnl_link *l, struct nlattr *a)
{
	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		(void)snprintf(l->name, sizeof(l->name), "%s", mnl_attr_get_str(a));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(a) == sizeof(l->mac))
			memcpy(l->mac, mnl_attr_get_payload(a), sizeof(l->mac));
		break;
	case IFLA_GROUP:
		l->group = mnl_attr_get_u32(a);
		break;
	case IFLA_MASTER:
		l->master = (int)mnl_attr_get_u32(a);
		break;
	case IFLA_LINK:
		l->parent = (int)mnl_attr_get_u32(a);
		break;
	case IFLA_LINKINFO:
		on_link_info(l, a);
		break;
	case IFLA_AF_SPEC:
		on_families(l, a);
		break;
	default:
		break;
	}
}

static int on_link(const struct nlmsghdr *h, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct rtnl *r = data;
	struct rtnl_link *l;
	struct nlattr *a;

	if (r->link_count == RTNL_LINKS_MAX)
		return MNL_CB_OK;
	l = &r->links[r->link_count++];
	memset(l, 0, sizeof(*l));
	l->index = info->ifi_index;
	l->is_up = (info->ifi_flags & IFF_UP) != 0;
	l->has_carrier = (info->ifi_flags & RTNL_LOWER_UP) != 0;
	l->is_ether = info->ifi_type == ARPHRD_ETHER;
	mnl_attr_for_each(a, h, sizeof(*info)) on_link_attr(l, a);
	return MNL_CB_OK;
}

/* Where the device sits: the target of /sys/class/net/NAME/device. */
static void read_bus(struct rtnl_link *l)
{
	char path[64], target[PATH_MAX];
	const char *devices;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/device", l->name);
	if (!realpath(path, target))
		return;
	devices = strstr(target, "/devices/");
	if (devices)
		(void)snprintf(l->bus, sizeof(l->bus), "%s", devices + 9);
}

/*
 * Read all interfaces with their bus paths into r->links.
 */
int rtnl_read_links(struct rtnl *r)
{
	uint8_t buf[RTNL_MSG_BYTES];
	void *extra;
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETLINK, NLM_F_DUMP,
					  sizeof(struct ifinfomsg), &extra);
	int err;

	r->link_count = 0;
	err = rtnl_run(r, h, on_link, r);
	for (size_t i = 0; i < r->link_count; i++)
		read_bus(&r->links[i]);
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "reading interfaces: %s",
			       strerror(errno));
	return err;
}

/* Find one piece of hardware. */
static int find_hw(struct rtnl *r, const struct cfg_port *port, const struct cfg_hw *hw,
		   int *link)
{
	const char *name = port->kind == CFG_HARDWARE ? port->name : NULL;
	int found = -1;

	for (size_t i = 0; i < r->link_count; i++) {
		if (!rtnl_hw_matches(&r->links[i], hw, name))
			continue;
		if (found >= 0) {
			(void)snprintf(r->why, sizeof(r->why),
				       "port %s: \"%s\" fits both %s and %s", port->name,
				       hw->text, r->links[found].name, r->links[i].name);
			return ERR_EXIST;
		}
		found = (int)i;
	}
	if (found < 0) {
		(void)snprintf(r->why, sizeof(r->why),
			       "port %s: no network interface matches \"%s\"", port->name,
			       hw->text);
		return ERR_NOENT;
	}
	*link = found;
	return ERR_OK;
}

/* Take a piece of hardware for port number @p; it must not be another's. */
static int take_hw(struct rtnl *r, const struct cfg *cfg, size_t p,
		   const struct cfg_hw *hw, int *owner, int *link)
{
	int err = find_hw(r, &cfg->ports[p], hw, link);

	if (err != ERR_OK)
		return err;
	if (owner[*link] >= 0) {
		(void)snprintf(r->why, sizeof(r->why),
			       "ports %s and %s are the same interface",
			       cfg->ports[owner[*link]].name, cfg->ports[p].name);
		return ERR_EXIST;
	}
	owner[*link] = (int)p;
	return ERR_OK;
}

/* The interface that we made for a port earlier, -1 for none. */
static int find_made(const struct rtnl *r, const struct cfg *cfg,
		     const struct rtnl_plan *plan, size_t p)
{
	const struct cfg_port *port = &cfg->ports[p];

	for (size_t i = 0; i < r->link_count; i++) {
		const struct rtnl_link *l = &r->links[i];
		int of = port->kind == CFG_VLAN ? plan->port[port->vlan_of] : -1;

		if (!rtnl_is_made_for(l, port))
			continue;
		if (port->kind != CFG_VLAN || (of >= 0 && l->vlan_id == port->vlan_id &&
					       l->parent == r->links[of].index))
			return (int)i;
	}
	return -1;
}

/*
 * Find the interface of every port and member, each of another one. What has
 * to be made first is -1.
 *
 * Returns ERR_OK, ERR_NOENT (nothing is plugged there) or ERR_EXIST (a match
 * fits several, or one interface is two ports); r->why says it.
 */
int rtnl_plan(struct rtnl *r, const struct cfg *cfg, struct rtnl_plan *plan)
{
	int owner[RTNL_LINKS_MAX];
	int err = ERR_OK;

	for (size_t i = 0; i < RTNL_LINKS_MAX; i++)
		owner[i] = -1;
	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++) {
		const struct cfg_port *port = &cfg->ports[p];

		plan->port[p] = -1;
		if (port->kind == CFG_HARDWARE)
			err = take_hw(r, cfg, p, &port->hw, owner, &plan->port[p]);
		for (size_t m = 0; err == ERR_OK && m < port->member_count; m++)
			err = take_hw(r, cfg, p, &port->members[m], owner,
				      &plan->member[p][m]);
	}
	/* VLANs last: whose they are depends on the port that carries them */
	for (int is_vlan = 0; is_vlan <= 1; is_vlan++) {
		for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++) {
			enum cfg_kind kind = cfg->ports[p].kind;

			if (kind != CFG_HARDWARE && (kind == CFG_VLAN) == is_vlan)
				plan->port[p] = find_made(r, cfg, plan, p);
		}
	}
	return err;
}

/*
 * Whether all hardware of the configuration is there and the kernel can make
 * the other ports; nothing is changed.
 *
 * Returns ERR_OK, ERR_NOENT, ERR_EXIST or ERR_TYPE with r->why, or another
 * error.
 */
int rtnl_check(struct rtnl *r, const struct cfg *cfg)
{
	struct rtnl_plan plan;
	int err = rtnl_read_links(r);

	if (err == ERR_OK)
		err = rtnl_plan(r, cfg, &plan);
	return err == ERR_OK ? rtnl_can_make(r, cfg) : err;
}

/*
 * Take every interface down that will not be the same port in @cfg as it is
 * now: unknown hardware, and ports whose hardware, name, members or VLAN
 * changes. @cfg NULL takes all down but loopback.
 */
int rtnl_isolate(struct rtnl *r, const struct cfg *cfg)
{
	int err = rtnl_read_links(r);

	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++) {
		const struct rtnl_link *l = &r->links[i];
		bool stays = !strcmp(l->name, "lo") ||
			     (cfg && (rtnl_is_member(r, cfg, l) || rtnl_is_mgmt(l, cfg)));

		for (size_t p = 0; cfg && p < cfg->port_count; p++)
			stays |= rtnl_is_port(r, cfg, p, l);
		if (l->is_up && !stays)
			err = rtnl_set_link(r, l, false, NULL);
	}
	return err;
}

/*
 * Set a name free that another interface has: it goes down and is renamed.
 *
 * @but_index  the interface that may have it, 0 for none
 */
int rtnl_free_name(struct rtnl *r, const char *name, int but_index)
{
	char spare[CFG_NAME_BYTES];

	for (size_t i = 0; i < r->link_count; i++) {
		struct rtnl_link *l = &r->links[i];

		if (l->index == but_index || strcmp(l->name, name) != 0)
			continue;
		(void)snprintf(spare, sizeof(spare), "off%d", l->index);
		if (rtnl_set_link(r, l, false, spare) != ERR_OK)
			return ERR_KERNEL;
		memcpy(l->name, spare, sizeof(l->name));
	}
	return ERR_OK;
}

static int name_ports(struct rtnl *r, const struct cfg *cfg, const struct rtnl_plan *plan)
{
	for (size_t p = 0; p < cfg->port_count; p++) {
		const char *name = cfg->ports[p].name;
		struct rtnl_link *l = plan->port[p] < 0 ? NULL : &r->links[plan->port[p]];

		if (l && !strcmp(l->name, name))
			continue;
		if (rtnl_free_name(r, name, l ? l->index : 0) != ERR_OK ||
		    (l && rtnl_set_link(r, l, false, name) != ERR_OK))
			return ERR_KERNEL;
		if (l)
			(void)snprintf(l->name, sizeof(l->name), "%s", name);
	}
	return ERR_OK;
}

/* Addresses first, then up; what carries VLANs before the VLANs. Loopback has
 * the kernel's own addresses only. */
static int fill_ports(struct rtnl *r, const struct cfg *cfg, const struct cfg *also,
		      const struct rtnl_plan *plan)
{
	struct rtnl_wanted want;
	int err = ERR_OK;

	memset(&want, 0, sizeof(want));
	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++) {
		const struct rtnl_link *l = &r->links[i];

		if (strcmp(l->name, "lo") != 0 && !rtnl_is_member(r, cfg, l))
			continue;
		err = rtnl_set_addrs(r, l, &want);
		if (err == ERR_OK && !l->is_up)
			err = rtnl_set_link(r, l, true, NULL);
	}
	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++) {
		rtnl_want_addrs(cfg, also, p, &want);
		err = rtnl_set_addrs(r, &r->links[plan->port[p]], &want);
	}
	for (int is_vlan = 0; is_vlan <= 1; is_vlan++) {
		for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++) {
			if ((cfg->ports[p].kind == CFG_VLAN) == is_vlan)
				err = rtnl_set_link(r, &r->links[plan->port[p]], true,
						    NULL);
		}
	}
	return err;
}

/*
 * Make links, addresses and routes equal to the configuration: find and name
 * the hardware, delete and make what is virtual, set addresses, bring the ports
 * up, set routes.
 *
 * @also  a configuration whose addresses on ports of the same name stay as
 *        additional ones, unless they fall into the network of another port of
 *        @cfg; NULL for none
 *
 * Returns ERR_OK, ERR_TYPE (the kernel cannot make such a port), or another
 * error with r->why.
 */
int rtnl_apply(struct rtnl *r, const struct cfg *cfg, const struct cfg *also)
{
	struct rtnl_plan plan;
	int err = rtnl_read_links(r);

	if (err == ERR_OK)
		err = rtnl_plan(r, cfg, &plan);
	if (err == ERR_OK)
		err = rtnl_clear_links(r, cfg, &plan);
	if (err == ERR_OK)
		err = rtnl_read_links(r);
	if (err == ERR_OK)
		err = rtnl_plan(r, cfg, &plan);
	if (err == ERR_OK)
		err = name_ports(r, cfg, &plan);
	if (err == ERR_OK)
		err = rtnl_make_links(r, cfg, &plan);
	if (err == ERR_OK)
		err = fill_ports(r, cfg, also, &plan);
	if (err == ERR_OK)
		err = rtnl_apply_mgmt(r, cfg);
	if (err == ERR_OK)
		err = rtnl_set_routes(r, cfg);
	/* a VLAN that somebody else made on a port came up with it */
	return err == ERR_OK ? rtnl_isolate(r, cfg) : err;
}
