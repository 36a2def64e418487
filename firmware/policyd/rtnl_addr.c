/*
 * Addresses and routes: made equal to the configuration.
 */
#include "rtnl_int.h"

#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

#define SURPLUS_MAX 512 /* addresses or routes removed in one pass */

/* What a dump found that the configuration does not have. */
struct surplus {
	const struct cfg *cfg;
	const struct cfg_port *port;
	int index;
	struct cfg_route v[SURPLUS_MAX]; /* addresses use .to alone */
	size_t count;
};

static uint8_t kernel_family(uint8_t family)
{
	return family == 4 ? AF_INET : AF_INET6;
}

static int on_addr(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
	struct surplus *s = data;
	struct net_prefix got = {.len = info->ifa_prefixlen};
	struct nlattr *a;

	/* fe80:: is the kernel's own */
	if ((int)info->ifa_index != s->index || info->ifa_scope == RT_SCOPE_LINK)
		return MNL_CB_OK;
	got.addr.family = info->ifa_family == AF_INET ? 4 : 6;
	mnl_attr_for_each(a, h, sizeof(*info))
	{
		uint16_t type = mnl_attr_get_type(a);

		if ((type == IFA_LOCAL ||
		     (type == IFA_ADDRESS && got.addr.family == 6)) &&
		    mnl_attr_get_payload_len(a) == net_addr_bytes(got.addr.family))
			memcpy(got.addr.b, mnl_attr_get_payload(a),
			       mnl_attr_get_payload_len(a));
	}
	for (size_t i = 0; i < s->port->addr_count; i++) {
		if (s->port->addrs[i].len == got.len &&
		    net_addr_eq(&s->port->addrs[i].addr, &got.addr))
			return MNL_CB_OK;
	}
	if (s->count < SURPLUS_MAX)
		s->v[s->count++].to = got;
	return MNL_CB_OK;
}

static int change_addr(struct rtnl *r, uint16_t type, uint16_t flags, int index,
		       const struct net_prefix *p)
{
	uint8_t buf[RTNL_MSG_BYTES];
	unsigned bytes = net_addr_bytes(p->addr.family);
	struct ifaddrmsg *info;
	char text[NET_TEXT_BYTES];
	void *extra;
	struct nlmsghdr *h =
		rtnl_request(buf, type, NLM_F_ACK | flags, sizeof(*info), &extra);
	int err;

	info = extra;
	info->ifa_family = kernel_family(p->addr.family);
	info->ifa_prefixlen = p->len;
	info->ifa_index = (unsigned)index;
	mnl_attr_put(h, IFA_LOCAL, bytes, p->addr.b);
	mnl_attr_put(h, IFA_ADDRESS, bytes, p->addr.b);
	if (p->addr.family == 4 && type == RTM_NEWADDR && p->len < 31) {
		struct net_range range = net_range_of(p);

		mnl_attr_put(h, IFA_BROADCAST, 4, range.hi);
	}
	err = rtnl_run(r, h, NULL, NULL);
	if (err == ERR_KERNEL && type == RTM_DELADDR && errno == EADDRNOTAVAIL)
		return ERR_OK; /* went away with the last one of its network */
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "address %s: %s",
			       net_prefix_text(p, text), strerror(errno));
	return err;
}

/*
 * Make the addresses of an interface equal to the port's.
 */
int rtnl_set_addrs(struct rtnl *r, int index, const struct cfg_port *port)
{
	struct surplus s = {.port = port, .index = index};
	uint8_t buf[RTNL_MSG_BYTES];
	void *extra;
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETADDR, NLM_F_DUMP,
					  sizeof(struct ifaddrmsg), &extra);
	int err = rtnl_run(r, h, on_addr, &s);

	for (size_t i = 0; err == ERR_OK && i < s.count; i++)
		err = change_addr(r, RTM_DELADDR, 0, index, &s.v[i].to);
	for (size_t i = 0; err == ERR_OK && i < port->addr_count; i++)
		err = change_addr(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index,
				  &port->addrs[i]);
	return err;
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(h);
	struct surplus *s = data;
	struct cfg_route got;
	struct nlattr *a;

	if (info->rtm_protocol != RTNL_PROTO)
		return MNL_CB_OK;
	memset(&got, 0, sizeof(got));
	got.to.addr.family = info->rtm_family == AF_INET ? 4 : 6;
	got.to.len = info->rtm_dst_len;
	got.via.family = got.to.addr.family;
	mnl_attr_for_each(a, h, sizeof(*info))
	{
		if (mnl_attr_get_payload_len(a) > sizeof(got.via.b))
			continue;
		if (mnl_attr_get_type(a) == RTA_DST)
			memcpy(got.to.addr.b, mnl_attr_get_payload(a),
			       mnl_attr_get_payload_len(a));
		if (mnl_attr_get_type(a) == RTA_GATEWAY)
			memcpy(got.via.b, mnl_attr_get_payload(a),
			       mnl_attr_get_payload_len(a));
	}
	for (size_t i = 0; i < s->cfg->route_count; i++) {
		const struct cfg_route *want = &s->cfg->routes[i];

		if (want->to.len == got.to.len &&
		    net_addr_eq(&want->to.addr, &got.to.addr) &&
		    net_addr_eq(&want->via, &got.via))
			return MNL_CB_OK;
	}
	if (s->count < SURPLUS_MAX)
		s->v[s->count++] = got;
	return MNL_CB_OK;
}

/* The interface is named and the gateway taken as on-link: a route must be set
 * at boot even when the cable is not plugged in yet and the kernel has no
 * connected IPv6 route. */
static int port_index(const struct rtnl *r, const char *name)
{
	for (size_t i = 0; i < r->link_count; i++) {
		if (!strcmp(r->links[i].name, name))
			return r->links[i].index;
	}
	return 0;
}

static int change_route(struct rtnl *r, uint16_t type, uint16_t flags,
			const struct cfg_route *route, const char *port)
{
	uint8_t buf[RTNL_MSG_BYTES];
	unsigned bytes = net_addr_bytes(route->to.addr.family);
	char to[NET_TEXT_BYTES], via[NET_TEXT_BYTES];
	struct rtmsg *info;
	void *extra;
	struct nlmsghdr *h =
		rtnl_request(buf, type, NLM_F_ACK | flags, sizeof(*info), &extra);
	int err;

	info = extra;
	info->rtm_family = kernel_family(route->to.addr.family);
	info->rtm_dst_len = route->to.len;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = RTNL_PROTO;
	info->rtm_scope = RT_SCOPE_UNIVERSE;
	info->rtm_type = RTN_UNICAST;
	if (route->to.len)
		mnl_attr_put(h, RTA_DST, bytes, route->to.addr.b);
	mnl_attr_put(h, RTA_GATEWAY, bytes, route->via.b);
	if (port) {
		info->rtm_flags = RTNH_F_ONLINK;
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)port_index(r, port));
	}
	err = rtnl_run(r, h, NULL, NULL);
	if (err == ERR_KERNEL && type == RTM_DELROUTE && errno == ESRCH)
		return ERR_OK; /* went away with its interface */
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "route %s via %s: %s",
			       net_prefix_text(&route->to, to),
			       net_addr_text(&route->via, via), strerror(errno));
	return err;
}

/*
 * Make our static routes equal to the configuration's; routes of others stay.
 */
int rtnl_set_routes(struct rtnl *r, const struct cfg *cfg)
{
	static struct surplus s; /* large; policyd is single-threaded */
	uint8_t buf[RTNL_MSG_BYTES];
	struct rtmsg *info;
	void *extra;
	int err = ERR_OK;

	memset(&s, 0, sizeof(s));
	s.cfg = cfg;
	for (uint8_t family = 4; err == ERR_OK && family <= 6;
	     family = (uint8_t)(family + 2)) {
		struct nlmsghdr *h = rtnl_request(buf, RTM_GETROUTE, NLM_F_DUMP,
						  sizeof(*info), &extra);

		info = extra;
		info->rtm_family = kernel_family(family);
		err = rtnl_run(r, h, on_route, &s);
	}
	for (size_t i = 0; err == ERR_OK && i < s.count; i++)
		err = change_route(r, RTM_DELROUTE, 0, &s.v[i], NULL);
	for (size_t i = 0; err == ERR_OK && i < cfg->route_count; i++)
		err = change_route(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
				   &cfg->routes[i], cfg->ports[cfg->routes[i].port].name);
	return err;
}
