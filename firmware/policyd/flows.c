/*
 * DESIGN: "established" stands before the rules, so a flow that an earlier
 * policy permitted would go on, and a translation lives as long as its flow.
 * After each transaction the table is read, both directions of every entry are
 * put before decide_entry(), and what it denies is deleted: the flow's next
 * packet is a new one and meets the rules. The dump and the deletes
 * use two sockets, so that the table can be of any size; an entry that appears
 * while the dump runs was already judged by the new rules.
 */
#include "flows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "decide.h"

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

#define ANSWER_S 30
#define TRIES_MAX 8 /* a dump that the kernel calls inconsistent is repeated */

struct scan {
	const struct cfg *cfg;
	struct mnl_socket *dump, *change;
	uint32_t seq;
	size_t cut;
	int err;
};

static struct mnl_socket *open_socket(void)
{
	const struct timeval answer = {.tv_sec = ANSWER_S};
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (nl && (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
		   setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &answer,
			      sizeof(answer)) < 0)) {
		(void)mnl_socket_close(nl);
		nl = NULL;
	}
	return nl;
}

static struct nlmsghdr *request(uint8_t *buf, uint16_t type, uint16_t flags,
				uint8_t family, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = 0;
	return h;
}

static void read_addrs(struct nlattr *nest, struct flow *f)
{
	struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		uint16_t type = mnl_attr_get_type(a);
		bool is_src = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
		bool is_v4 = type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST;
		struct net_addr *to = is_src ? &f->src : &f->dst;

		if (mnl_attr_get_payload_len(a) != (is_v4 ? 4 : 16))
			continue;
		to->family = is_v4 ? 4 : 6;
		memcpy(to->b, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	}
}

static void read_proto(struct nlattr *nest, struct flow *f)
{
	struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		switch (mnl_attr_get_type(a)) {
		case CTA_PROTO_NUM:
			f->proto = mnl_attr_get_u8(a);
			break;
		case CTA_PROTO_SRC_PORT:
			f->src_port = ntohs(mnl_attr_get_u16(a));
			break;
		case CTA_PROTO_DST_PORT:
			f->dst_port = ntohs(mnl_attr_get_u16(a));
			break;
		case CTA_PROTO_ICMP_TYPE:
		case CTA_PROTO_ICMPV6_TYPE:
			f->type = mnl_attr_get_u8(a);
			break;
		case CTA_PROTO_ICMP_CODE:
		case CTA_PROTO_ICMPV6_CODE:
			f->code = mnl_attr_get_u8(a);
			break;
		default:
			break;
		}
	}
}

/* One direction of an entry. */
static void read_tuple(struct nlattr *tuple, struct flow *f)
{
	struct nlattr *part;

	mnl_attr_for_each_nested(part, tuple)
	{
		if (mnl_attr_get_type(part) == CTA_TUPLE_IP)
			read_addrs(part, f);
		if (mnl_attr_get_type(part) == CTA_TUPLE_PROTO)
			read_proto(part, f);
	}
}

/* Both directions of an entry. Returns the attribute of the original one; NULL
 * when the message does not have both. */
static struct nlattr *read_flow(const struct nlmsghdr *h, struct flow *orig,
				struct flow *reply, struct nlattr **id)
{
	struct nlattr *a, *tuple = NULL;

	memset(orig, 0, sizeof(*orig));
	memset(reply, 0, sizeof(*reply));
	*id = NULL;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == CTA_TUPLE_ORIG) {
			tuple = a;
			read_tuple(a, orig);
		}
		if (mnl_attr_get_type(a) == CTA_TUPLE_REPLY)
			read_tuple(a, reply);
		if (mnl_attr_get_type(a) == CTA_ID)
			*id = a;
	}
	return orig->src.family && orig->dst.family && reply->src.family &&
			       reply->dst.family
		       ? tuple
		       : NULL;
}

/* Delete one entry, named by its tuple and its id. One that has ended by
 * itself is fine. */
static int delete_entry(struct scan *s, uint8_t family, const struct nlattr *tuple,
			const struct nlattr *id)
{
	uint8_t buf[1024];
	struct nlmsghdr *h =
		request(buf, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family, ++s->seq);
	ssize_t len;

	if (mnl_attr_get_payload_len(tuple) > 512)
		return ERR_KERNEL;
	mnl_attr_put(h, CTA_TUPLE_ORIG | NLA_F_NESTED, mnl_attr_get_payload_len(tuple),
		     mnl_attr_get_payload(tuple));
	if (id)
		mnl_attr_put(h, CTA_ID, mnl_attr_get_payload_len(id),
			     mnl_attr_get_payload(id));
	if (mnl_socket_sendto(s->change, h, h->nlmsg_len) < 0)
		return ERR_SYS;
	do {
		len = mnl_socket_recvfrom(s->change, buf, sizeof(buf));
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return ERR_SYS;
	if (mnl_cb_run(buf, (size_t)len, s->seq, mnl_socket_get_portid(s->change), NULL,
		       NULL) < 0 &&
	    errno != ENOENT)
		return ERR_KERNEL;
	s->cut++;
	return ERR_OK;
}

static int on_entry(const struct nlmsghdr *h, void *data)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	struct scan *s = data;
	struct flow orig, reply;
	struct nlattr *id;
	struct nlattr *tuple = read_flow(h, &orig, &reply, &id);

	if (s->err == ERR_OK && tuple &&
	    decide_entry(s->cfg, &orig, &reply) == DECIDE_DENY)
		s->err = delete_entry(s, g->nfgen_family, tuple, id);
	return MNL_CB_OK;
}

/* Read the whole table once. ERR_BUSY: it was inconsistent. */
static int scan_once(struct scan *s)
{
	uint8_t buf[32768];
	uint32_t seq = ++s->seq;
	struct nlmsghdr *h = request(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, seq);
	bool is_torn = false;

	if (mnl_socket_sendto(s->dump, h, h->nlmsg_len) < 0)
		return ERR_SYS;
	for (;;) {
		ssize_t len = mnl_socket_recvfrom(s->dump, buf, sizeof(buf));
		int left = (int)len;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return ERR_SYS;
		for (h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != seq)
				continue;
			is_torn |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (h->nlmsg_type == NLMSG_DONE)
				return s->err != ERR_OK ? s->err
				       : is_torn        ? ERR_BUSY
							: ERR_OK;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ERR_KERNEL;
			(void)on_entry(h, s);
		}
	}
}

/*
 * Cut every forwarded flow that the configuration would not permit.
 *
 * @cfg  its rules are in the kernel already
 * @cut  how many entries were deleted
 *
 * Returns ERR_OK, or an error with @why: some flows may then go on.
 */
int flows_cut(const struct cfg *cfg, size_t *cut, char *why, size_t why_max)
{
	struct scan s = {.cfg = cfg, .dump = open_socket(), .change = open_socket()};
	int r = ERR_SYS;

	if (s.dump && s.change) {
		r = ERR_BUSY;
		for (int i = 0; r == ERR_BUSY && i < TRIES_MAX; i++)
			r = scan_once(&s);
		if (r == ERR_BUSY) /* each try went through the table that it saw */
			r = ERR_OK;
	}
	if (r != ERR_OK)
		(void)snprintf(why, why_max, "cutting flows of the earlier policy: %s",
			       strerror(errno));
	*cut = s.cut;
	if (s.dump)
		(void)mnl_socket_close(s.dump);
	if (s.change)
		(void)mnl_socket_close(s.change);
	return r;
}
