/*
 * Addresses and routes: made equal to the configuration, and compared with it.
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

#define ROUTE_TEXT_BYTES 128
#define SURPLUS_MAX 512 /* addresses or routes removed in one pass */

/* What a dump of one interface's addresses found. */
struct addr_scan {
	const struct rtnl_link *link;
	const struct rtnl_wanted *want;
	bool seen[RTNL_ADDRS_MAX];
	struct net_prefix v[SURPLUS_MAX]; /* surplus */
	size_t count;
};

/* What a dump of our routes found. */
struct route_scan {
	const struct rtnl *r;
	const struct cfg *cfg;
	bool seen[CONFIG_CFG_MAX_ROUTES];
	struct cfg_route v[SURPLUS_MAX]; /* surplus */
	int oif[SURPLUS_MAX];
	size_t count;
};

static uint8_t kernel_family(uint8_t family)
{
	return family == 4 ? AF_INET : AF_INET6;
}

/* May an address of an earlier configuration stay on port @p? Not when another
 * port now has its network, or a part of it is routed elsewhere. */
static bool may_stay(const struct cfg *cfg, size_t p, const struct net_prefix *a)
{
	for (size_t q = 0; q < cfg->port_count; q++) {
		for (size_t i = 0; i < cfg->ports[q].addr_count; i++) {
			const struct net_prefix *b = &cfg->ports[q].addrs[i];

			if (q != p ? net_prefix_overlaps(a, b)
				   : net_addr_eq(&a->addr, &b->addr))
				return false;
		}
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		const struct net_prefix *to = &cfg->routes[i].to;

		if (to->len >= a->len && net_prefix_overlaps(a, to))
			return false;
	}
	return true;
}

/*
 * The addresses of port @p: its own, and those that it keeps from @also.
 *
 * @also  NULL for none; see rtnl_apply()
 */
void rtnl_want_addrs(const struct cfg *cfg, const struct cfg *also, size_t p,
		     struct rtnl_wanted *out)
{
	const struct cfg_port *port = &cfg->ports[p];

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < port->addr_count; i++)
		out->v[out->count++] = port->addrs[i];
	out->must = out->count;
	for (size_t q = 0; also && port->zone != ZONE_NONE && q < also->port_count; q++) {
		const struct cfg_port *was = &also->ports[q];

		for (size_t i = 0; !strcmp(was->name, port->name) && i < was->addr_count;
		     i++) {
			if (may_stay(cfg, p, &was->addrs[i]))
				out->v[out->count++] = was->addrs[i];
		}
	}
}

static int on_addr(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
	struct addr_scan *s = data;
	struct net_prefix got = {.len = info->ifa_prefixlen};
	bool is_lo = !strcmp(s->link->name, "lo");
	struct nlattr *a;

	/* fe80:: is the kernel's own, 127.0.0.1 and ::1 too */
	if ((int)info->ifa_index != s->link->index ||
	    (info->ifa_scope == RT_SCOPE_LINK && info->ifa_family == AF_INET6) ||
	    (info->ifa_scope == RT_SCOPE_HOST && is_lo))
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
	for (size_t i = 0; i < s->want->count; i++) {
		if (s->want->v[i].len == got.len &&
		    net_addr_eq(&s->want->v[i].addr, &got.addr)) {
			s->seen[i] = true;
			return MNL_CB_OK;
		}
	}
	if (s->count < SURPLUS_MAX)
		s->v[s->count++] = got;
	return MNL_CB_OK;
}

static int scan_addrs(struct rtnl *r, const struct rtnl_link *l,
		      const struct rtnl_wanted *want, struct addr_scan *s)
{
	uint8_t buf[RTNL_MSG_BYTES];
	void *extra;
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETADDR, NLM_F_DUMP,
					  sizeof(struct ifaddrmsg), &extra);
	int err;

	memset(s, 0, sizeof(*s));
	s->link = l;
	s->want = want;
	err = rtnl_run(r, h, on_addr, s);
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "reading addresses: %s",
			       strerror(errno));
	return err;
}

static int change_addr(struct rtnl *r, uint16_t type, uint16_t flags,
		       const struct rtnl_link *l, const struct net_prefix *p)
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
	info->ifa_index = (unsigned)l->index;
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
 * Make the addresses of an interface equal to what is wanted.
 */
int rtnl_set_addrs(struct rtnl *r, const struct rtnl_link *l,
		   const struct rtnl_wanted *want)
{
	static struct addr_scan s; /* large; policyd is single-threaded */
	int err = scan_addrs(r, l, want, &s);

	for (size_t i = 0; err == ERR_OK && i < s.count; i++)
		err = change_addr(r, RTM_DELADDR, 0, l, &s.v[i]);
	for (size_t i = 0; err == ERR_OK && i < want->count; i++)
		err = change_addr(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, l,
				  &want->v[i]);
	return err;
}

/*
 * Compare the addresses of an interface with what it must and may have.
 *
 * Returns ERR_OK, ERR_MISMATCH with r->why, or another error.
 */
int rtnl_verify_addrs(struct rtnl *r, const struct rtnl_link *l,
		      const struct rtnl_wanted *want)
{
	static struct addr_scan s; /* large; policyd is single-threaded */
	char text[NET_TEXT_BYTES];
	int err = scan_addrs(r, l, want, &s);

	if (err != ERR_OK)
		return err;
	if (s.count) {
		(void)snprintf(r->why, sizeof(r->why),
			       "%s has the address %s, which is not configured", l->name,
			       net_prefix_text(&s.v[0], text));
		return ERR_MISMATCH;
	}
	for (size_t i = 0; i < want->must; i++) {
		if (s.seen[i])
			continue;
		(void)snprintf(r->why, sizeof(r->why), "%s lacks the address %s", l->name,
			       net_prefix_text(&want->v[i], text));
		return ERR_MISMATCH;
	}
	return ERR_OK;
}

static bool is_route(const struct route_scan *s, const struct cfg_route *want,
		     const struct cfg_route *got, int oif)
{
	const struct rtnl_link *l = rtnl_by_index(s->r, oif);

	return want->to.len == got->to.len &&
	       net_addr_eq(&want->to.addr, &got->to.addr) &&
	       net_addr_eq(&want->via, &got->via) && l &&
	       !strcmp(l->name, s->cfg->ports[want->port].name);
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(h);
	struct route_scan *s = data;
	struct cfg_route got;
	struct nlattr *a;
	int oif = 0;

	if (info->rtm_protocol != RTNL_PROTO)
		return MNL_CB_OK;
	memset(&got, 0, sizeof(got));
	got.to.addr.family = info->rtm_family == AF_INET ? 4 : 6;
	got.to.len = info->rtm_dst_len;
	mnl_attr_for_each(a, h, sizeof(*info))
	{
		if (mnl_attr_get_type(a) == RTA_OIF)
			oif = (int)mnl_attr_get_u32(a);
		if (mnl_attr_get_payload_len(a) > sizeof(got.via.b))
			continue;
		if (mnl_attr_get_type(a) == RTA_DST)
			memcpy(got.to.addr.b, mnl_attr_get_payload(a),
			       mnl_attr_get_payload_len(a));
		if (mnl_attr_get_type(a) == RTA_GATEWAY) {
			got.via.family = got.to.addr.family;
			memcpy(got.via.b, mnl_attr_get_payload(a),
			       mnl_attr_get_payload_len(a));
		}
	}
	for (size_t i = 0; i < s->cfg->route_count; i++) {
		if (info->rtm_table == RT_TABLE_MAIN && info->rtm_type == RTN_UNICAST &&
		    is_route(s, &s->cfg->routes[i], &got, oif)) {
			s->seen[i] = true;
			return MNL_CB_OK;
		}
	}
	if (s->count < SURPLUS_MAX) {
		s->oif[s->count] = oif;
		s->v[s->count++] = got;
	}
	return MNL_CB_OK;
}

static int scan_routes(struct rtnl *r, const struct cfg *cfg, struct route_scan *s)
{
	uint8_t buf[RTNL_MSG_BYTES];
	struct rtmsg *info;
	void *extra;
	int err = ERR_OK;

	memset(s, 0, sizeof(*s));
	s->r = r;
	s->cfg = cfg;
	for (uint8_t family = 4; err == ERR_OK && family <= 6;
	     family = (uint8_t)(family + 2)) {
		struct nlmsghdr *h = rtnl_request(buf, RTM_GETROUTE, NLM_F_DUMP,
						  sizeof(*info), &extra);

		info = extra;
		info->rtm_family = kernel_family(family);
		err = rtnl_run(r, h, on_route, s);
	}
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "reading routes: %s",
			       strerror(errno));
	return err;
}

static const char *route_text(const struct cfg_route *route, const char *port,
			      char text[ROUTE_TEXT_BYTES])
{
	char to[NET_TEXT_BYTES], via[NET_TEXT_BYTES] = "";

	if (route->via.family)
		(void)net_addr_text(&route->via, via);
	(void)snprintf(text, ROUTE_TEXT_BYTES, "%.50s via %.50s",
		       net_prefix_text(&route->to, to), via[0] ? via : port);
	return text;
}

/* The interface is named and the gateway taken as on-link: a route must be set
 * at boot even when the cable is not plugged in yet and the kernel has no
 * connected IPv6 route. Into a tunnel there is no gateway. */
static int change_route(struct rtnl *r, uint16_t type, uint16_t flags,
			const struct cfg_route *route, int oif, const char *port)
{
	uint8_t buf[RTNL_MSG_BYTES];
	unsigned bytes = net_addr_bytes(route->to.addr.family);
	bool is_add = type == RTM_NEWROUTE;
	char text[ROUTE_TEXT_BYTES];
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
	info->rtm_scope = is_add ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
	info->rtm_type = is_add ? RTN_UNICAST : RTN_UNSPEC;
	if (route->to.len)
		mnl_attr_put(h, RTA_DST, bytes, route->to.addr.b);
	if (route->via.family)
		mnl_attr_put(h, RTA_GATEWAY, bytes, route->via.b);
	if (is_add && route->via.family)
		info->rtm_flags = RTNH_F_ONLINK;
	if (is_add && !route->via.family)
		info->rtm_scope = RT_SCOPE_LINK;
	if (oif)
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)oif);
	err = rtnl_run(r, h, NULL, NULL);
	if (err == ERR_KERNEL && !is_add && errno == ESRCH)
		return ERR_OK; /* went away with its interface */
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "route %s: %s",
			       route_text(route, port, text), strerror(errno));
	return err;
}

static int port_index(const struct rtnl *r, const char *name)
{
	for (size_t i = 0; i < r->link_count; i++) {
		if (!strcmp(r->links[i].name, name))
			return r->links[i].index;
	}
	return 0;
}

/*
 * Make our static routes equal to the configuration's; routes of others stay.
 */
int rtnl_set_routes(struct rtnl *r, const struct cfg *cfg)
{
	static struct route_scan s; /* large; policyd is single-threaded */
	int err = scan_routes(r, cfg, &s);

	for (size_t i = 0; err == ERR_OK && i < s.count; i++)
		err = change_route(r, RTM_DELROUTE, 0, &s.v[i], s.oif[i], "");
	for (size_t i = 0; err == ERR_OK && i < cfg->route_count; i++) {
		const char *port = cfg->ports[cfg->routes[i].port].name;

		err = change_route(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
				   &cfg->routes[i], port_index(r, port), port);
	}
	return err;
}

/*
 * Compare our static routes with the configuration's.
 *
 * Returns ERR_OK, ERR_MISMATCH with r->why, or another error.
 */
int rtnl_verify_routes(struct rtnl *r, const struct cfg *cfg)
{
	static struct route_scan s; /* large; policyd is single-threaded */
	char text[ROUTE_TEXT_BYTES];
	int err = scan_routes(r, cfg, &s);

	if (err != ERR_OK)
		return err;
	if (s.count) {
		const struct rtnl_link *l = rtnl_by_index(r, s.oif[0]);

		(void)snprintf(r->why, sizeof(r->why), "the route %s is not configured",
			       route_text(&s.v[0], l ? l->name : "nothing", text));
		return ERR_MISMATCH;
	}
	for (size_t i = 0; i < cfg->route_count; i++) {
		if (s.seen[i])
			continue;
		(void)snprintf(r->why, sizeof(r->why), "the route %s is missing",
			       route_text(&cfg->routes[i],
					  cfg->ports[cfg->routes[i].port].name, text));
		return ERR_MISMATCH;
	}
	return ERR_OK;
}
