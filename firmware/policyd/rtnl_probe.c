/*
 * Questions about the way to an address: which port, which next hop, does the
 * next hop answer. policyd has no other socket than netlink: the kernel is asked
 * to ask (ARP, neighbour discovery).
 */
#include "rtnl.h"
#include "rtnl_int.h"

#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

static uint8_t af_of(const struct net_addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

struct route_answer {
	int index;
	struct net_addr hop;
	bool is_found;
};

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct route_answer *out = data;
	struct nlattr *a;

	if (m->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == RTA_OIF) {
			out->index = (int)mnl_attr_get_u32(a);
			out->is_found = true;
		}
		if (mnl_attr_get_type(a) == RTA_GATEWAY &&
		    mnl_attr_get_payload_len(a) == net_addr_bytes(out->hop.family))
			memcpy(out->hop.b, mnl_attr_get_payload(a),
			       mnl_attr_get_payload_len(a));
	}
	return MNL_CB_OK;
}

/*
 * Ask the routing table for the way to an address.
 *
 * @index  interface
 * @hop    next router, or the address itself on its own network
 *
 * Returns ERR_OK, ERR_NOENT (there is no way) or an error with r->why.
 */
int rtnl_way(struct rtnl *r, const struct net_addr *to, int *index, struct net_addr *hop)
{
	struct route_answer answer = {.hop = *to};
	uint8_t buf[RTNL_MSG_BYTES];
	struct rtmsg *m;
	void *extra;
	/* the acknowledgement ends the answer */
	struct nlmsghdr *h =
		rtnl_request(buf, RTM_GETROUTE, NLM_F_ACK, sizeof(*m), &extra);
	int err;

	m = extra;
	m->rtm_family = af_of(to);
	m->rtm_dst_len = (uint8_t)(net_addr_bytes(to->family) * 8);
	mnl_attr_put(h, RTA_DST, net_addr_bytes(to->family), to->b);
	err = rtnl_run(r, h, on_route, &answer);
	if (err == ERR_KERNEL && (errno == ENETUNREACH || errno == EHOSTUNREACH))
		return ERR_NOENT;
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "looking up a route: %s",
			       strerror(errno));
	if (err == ERR_OK && !answer.is_found)
		err = ERR_NOENT;
	*index = answer.index;
	*hop = answer.hop;
	return err;
}

struct neighbour_question {
	int index;
	const struct net_addr *addr;
	uint16_t state;
	bool is_found;
};

static int on_neighbour(const struct nlmsghdr *h, void *data)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct neighbour_question *q = data;
	struct nlattr *a;

	if (m->ndm_ifindex != q->index || m->ndm_family != af_of(q->addr))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		unsigned n = net_addr_bytes(q->addr->family);

		if (mnl_attr_get_type(a) == NDA_DST && mnl_attr_get_payload_len(a) == n &&
		    memcmp(mnl_attr_get_payload(a), q->addr->b, n) == 0) {
			q->state = m->ndm_state;
			q->is_found = true;
		}
	}
	return MNL_CB_OK;
}

/*
 * What the kernel knows of a neighbour.
 *
 * Returns its NUD_* state, NUD_NONE when it is unknown or cannot be read.
 */
uint16_t rtnl_neighbour(struct rtnl *r, int index, const struct net_addr *addr)
{
	struct neighbour_question q = {.index = index, .addr = addr};
	uint8_t buf[RTNL_MSG_BYTES];
	struct ndmsg *m;
	void *extra;
	struct nlmsghdr *h =
		rtnl_request(buf, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*m), &extra);

	m = extra;
	m->ndm_family = af_of(addr);
	if (rtnl_run(r, h, on_neighbour, &q) != ERR_OK || !q.is_found)
		return NUD_NONE;
	return q.state;
}

/*
 * Have the kernel ask the neighbour now.
 *
 * @state  what rtnl_neighbour() has said
 *
 * Returns ERR_OK, or an error with r->why.
 */
int rtnl_ask_neighbour(struct rtnl *r, int index, const struct net_addr *addr,
		       uint16_t state)
{
	bool is_known = (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY)) != 0;
	uint8_t buf[RTNL_MSG_BYTES];
	struct ndmsg *m;
	void *extra;
	uint16_t create = (uint16_t)(is_known ? 0 : NLM_F_CREATE);
	struct nlmsghdr *h = rtnl_request(buf, RTM_NEWNEIGH,
					  (uint16_t)(NLM_F_ACK | NLM_F_REPLACE | create),
					  sizeof(*m), &extra);
	int err;

	m = extra;
	m->ndm_family = af_of(addr);
	m->ndm_ifindex = index;
	m->ndm_state = is_known ? NUD_PROBE : NUD_NONE;
	m->ndm_flags = is_known ? 0 : NTF_USE;
	mnl_attr_put(h, NDA_DST, net_addr_bytes(addr->family), addr->b);
	err = rtnl_run(r, h, NULL, NULL);
	if (err != ERR_OK)
		(void)snprintf(r->why, sizeof(r->why), "asking a neighbour: %s",
			       strerror(errno));
	return err;
}
