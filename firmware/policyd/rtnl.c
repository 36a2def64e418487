/*
 * DESIGN: ports are found by where they are plugged (bus path) or by MAC, and
 * get the configured name while they are down; only configured ports are ever
 * brought up. Addresses and routes are made to equal the configuration: what
 * is missing is added, what is ours and surplus is removed. Everything can be
 * applied again without effect.
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
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

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
	l->is_ether = info->ifi_type == ARPHRD_ETHER;
	mnl_attr_for_each(a, h, sizeof(*info))
	{
		if (mnl_attr_get_type(a) == IFLA_IFNAME)
			(void)snprintf(l->name, sizeof(l->name), "%s",
				       mnl_attr_get_str(a));
		if (mnl_attr_get_type(a) == IFLA_ADDRESS &&
		    mnl_attr_get_payload_len(a) == sizeof(l->mac))
			memcpy(l->mac, mnl_attr_get_payload(a), sizeof(l->mac));
	}
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

static bool link_matches(const struct rtnl_link *l, const struct cfg_port *port)
{
	size_t n = strlen(port->hw.text);
	char mac[18];

	if (!l->is_ether)
		return false;
	switch (port->hw.match) {
	case CFG_MATCH_BUS:
		return strncmp(l->bus, port->hw.text, n) == 0 &&
		       (l->bus[n] == '\0' || l->bus[n] == '/');
	case CFG_MATCH_MAC:
		(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x",
			       l->mac[0], l->mac[1], l->mac[2], l->mac[3], l->mac[4],
			       l->mac[5]);
		return !strcmp(mac, port->hw.text);
	case CFG_MATCH_NAME:
	default:
		return !strcmp(l->name, port->hw.text) || !strcmp(l->name, port->name);
	}
}

/*
 * Find the interface of a port in r->links.
 *
 * @link  index into r->links
 *
 * Returns ERR_OK, ERR_NOENT (nothing is plugged there) or ERR_EXIST (the match
 * fits several); r->why says it with what there is.
 */
int rtnl_find_port(struct rtnl *r, const struct cfg_port *port, int *link)
{
	int found = -1;

	for (size_t i = 0; i < r->link_count; i++) {
		if (!link_matches(&r->links[i], port))
			continue;
		if (found >= 0) {
			(void)snprintf(r->why, sizeof(r->why),
				       "port %s: \"%s\" fits both %s and %s", port->name,
				       port->hw.text, r->links[found].name,
				       r->links[i].name);
			return ERR_EXIST;
		}
		found = (int)i;
	}
	if (found < 0) {
		(void)snprintf(r->why, sizeof(r->why),
			       "port %s: no network interface matches \"%s\"", port->name,
			       port->hw.text);
		return ERR_NOENT;
	}
	*link = found;
	return ERR_OK;
}

/* Change flags and, with @name, the name of an interface. */
static int set_link(struct rtnl *r, int index, bool up, const char *name)
{
	uint8_t buf[RTNL_MSG_BYTES];
	struct ifinfomsg *info;
	void *extra;
	struct nlmsghdr *h =
		rtnl_request(buf, RTM_NEWLINK, NLM_F_ACK, sizeof(*info), &extra);
	int err;

	info = extra;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = index;
	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	if (name)
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
	err = rtnl_run(r, h, NULL, NULL);
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "interface %s: %s",
			       name ? name : "", strerror(errno));
	return err;
}

/*
 * Take every interface down that will not be the same port in @cfg as it is
 * now: unknown hardware, and ports whose hardware or name changes. @cfg NULL
 * takes all down but loopback.
 */
int rtnl_isolate(struct rtnl *r, const struct cfg *cfg)
{
	int err = rtnl_read_links(r);

	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++) {
		const struct rtnl_link *l = &r->links[i];
		bool stays = false;

		for (size_t p = 0; cfg && p < cfg->port_count; p++)
			stays |= !strcmp(l->name, cfg->ports[p].name) &&
				 link_matches(l, &cfg->ports[p]);
		if (l->is_up && !stays && strcmp(l->name, "lo") != 0)
			err = set_link(r, l->index, false, NULL);
	}
	return err;
}

/* A port name that other hardware still has must be set free first. */
static int free_name(struct rtnl *r, const char *name, int but_index)
{
	char spare[CFG_NAME_BYTES];

	for (size_t i = 0; i < r->link_count; i++) {
		struct rtnl_link *l = &r->links[i];

		if (l->index == but_index || strcmp(l->name, name) != 0)
			continue;
		(void)snprintf(spare, sizeof(spare), "off%d", l->index);
		if (set_link(r, l->index, false, spare) != ERR_OK)
			return ERR_KERNEL;
		memcpy(l->name, spare, sizeof(l->name));
	}
	return ERR_OK;
}

/* The interface of every port, each of another one. */
static int find_ports(struct rtnl *r, const struct cfg *cfg, int *links)
{
	for (size_t p = 0; p < cfg->port_count; p++) {
		int err = rtnl_find_port(r, &cfg->ports[p], &links[p]);

		if (err != ERR_OK)
			return err;
		for (size_t q = 0; q < p; q++) {
			if (links[q] != links[p])
				continue;
			(void)snprintf(r->why, sizeof(r->why),
				       "ports %s and %s are the same interface",
				       cfg->ports[q].name, cfg->ports[p].name);
			return ERR_EXIST;
		}
	}
	return ERR_OK;
}

/*
 * Whether every port of the configuration has its interface; nothing is
 * changed.
 *
 * Returns ERR_OK, ERR_NOENT or ERR_EXIST with r->why, or another error.
 */
int rtnl_check(struct rtnl *r, const struct cfg *cfg)
{
	int links[CONFIG_CFG_MAX_PORTS];
	int err = rtnl_read_links(r);

	return err == ERR_OK ? find_ports(r, cfg, links) : err;
}

static int name_ports(struct rtnl *r, const struct cfg *cfg, int *links)
{
	int err = find_ports(r, cfg, links);

	if (err != ERR_OK)
		return err;
	for (size_t p = 0; p < cfg->port_count; p++) {
		struct rtnl_link *l = &r->links[links[p]];
		const char *name = cfg->ports[p].name;

		if (!strcmp(l->name, name))
			continue;
		if (free_name(r, name, l->index) != ERR_OK ||
		    set_link(r, l->index, false, name) != ERR_OK)
			return ERR_KERNEL;
		(void)snprintf(l->name, sizeof(l->name), "%s", name);
	}
	return ERR_OK;
}

/*
 * Make links, addresses and routes equal to the configuration: find and name
 * the ports, set addresses, bring the ports up, set routes.
 *
 * Returns ERR_OK, or an error with r->why.
 */
int rtnl_apply(struct rtnl *r, const struct cfg *cfg)
{
	int links[CONFIG_CFG_MAX_PORTS];
	int err = rtnl_read_links(r);

	if (err == ERR_OK)
		err = name_ports(r, cfg, links);
	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++) {
		if (!strcmp(r->links[i].name, "lo") && !r->links[i].is_up)
			err = set_link(r, r->links[i].index, true, NULL);
	}
	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++)
		err = rtnl_set_addrs(r, r->links[links[p]].index, &cfg->ports[p]);
	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++)
		err = set_link(r, r->links[links[p]].index, true, NULL);
	if (err == ERR_OK)
		err = rtnl_set_routes(r, cfg);
	return err;
}

/*
 * Compare the interfaces with the configuration: every port is there, has its
 * name and is up; nothing else is up.
 *
 * Returns ERR_OK, or ERR_MISMATCH with r->why.
 */
int rtnl_verify(struct rtnl *r, const struct cfg *cfg)
{
	int err = rtnl_read_links(r);

	for (size_t p = 0; err == ERR_OK && p < cfg->port_count; p++) {
		int l;

		if (rtnl_find_port(r, &cfg->ports[p], &l) != ERR_OK)
			return ERR_MISMATCH;
		if (!r->links[l].is_up ||
		    strcmp(r->links[l].name, cfg->ports[p].name) != 0) {
			(void)snprintf(r->why, sizeof(r->why),
				       "port %s is named %s and is %s",
				       cfg->ports[p].name, r->links[l].name,
				       r->links[l].is_up ? "up" : "down");
			return ERR_MISMATCH;
		}
	}
	for (size_t i = 0; err == ERR_OK && i < r->link_count; i++) {
		bool known = !strcmp(r->links[i].name, "lo") || !r->links[i].is_up;

		for (size_t p = 0; p < cfg->port_count; p++)
			known |= !strcmp(r->links[i].name, cfg->ports[p].name);
		if (!known) {
			(void)snprintf(r->why, sizeof(r->why),
				       "interface %s is up but in no zone",
				       r->links[i].name);
			return ERR_MISMATCH;
		}
	}
	return err;
}
