/*
 * DESIGN: a new policy replaces the content of our table inside one
 * transaction that exchanges rules and nothing else. The table and its base
 * chains stay, so their hooks and their drop policy are never taken away; the
 * kernel makes all rules visible by one turn of its generation counter.
 *
 * Sets do not turn with that counter. While the kernel commits, a set of the
 * same transaction can be seen without its elements: a packet on its way in the
 * old rules misses in a map that goes, one in the new rules misses in a set
 * that comes. So new sets and chains are added by a transaction before, when no
 * rule refers to them, and old ones are deleted by one after, when the last
 * packet in the old rules is through. Names of sets hold a digest of their
 * content (prog_seal), so that old and new stand beside each other and equal
 * ones are not touched at all. Other tables are not touched or read.
 *
 * Only the batch's end asks for an acknowledgement: one per message would
 * overrun the receive buffer on large policies although everything was
 * committed. An error names the message by its sequence number.
 */
#include "nft.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <netinet/in.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/membarrier.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define NFT_ANSWER_S 30 /* the kernel answers within this or the transaction failed */
#define MSG_ROOM_BYTES 65536 /* the longest single message we build */
#define NFT_TYPE_IFNAME 41   /* nft's datatype number */
#define ELEMS_PER_MSG 256    /* keeps an element list under its 16 bit length */
/* Messages of a step that has nothing to do: begin, end, and the table. */
#define IDLE_MESSAGES(step) ((step) == NFT_ADD ? 3U : 2U)

/*
 * Open the netlink socket and take the batch buffer.
 *
 * Returns ERR_OK, ERR_NOMEM or ERR_SYS (errno is set).
 */
int nft_open(struct nft *n)
{
	const struct timeval answer = {.tv_sec = NFT_ANSWER_S};
	int size = CONFIG_NFT_BATCH_MAX_BYTES;

	memset(n, 0, sizeof(*n));
	n->batch = malloc(CONFIG_NFT_BATCH_MAX_BYTES);
	if (!n->batch)
		return ERR_NOMEM;
	n->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!n->nl || mnl_socket_bind(n->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		nft_close(n);
		return ERR_SYS;
	}
	/* one batch is one sendmsg: the send buffer must hold it whole */
	if (setsockopt(mnl_socket_get_fd(n->nl), SOL_SOCKET, SO_SNDBUFFORCE, &size,
		       sizeof(size)) < 0 ||
	    setsockopt(mnl_socket_get_fd(n->nl), SOL_SOCKET, SO_RCVTIMEO, &answer,
		       sizeof(answer)) < 0) {
		nft_close(n);
		return ERR_SYS;
	}
	n->seq = (uint32_t)time(NULL);
	return ERR_OK;
}

/*
 * Close what nft_open() opened. Legal twice.
 */
void nft_close(struct nft *n)
{
	if (n->nl)
		(void)mnl_socket_close(n->nl);
	free(n->batch);
	n->nl = NULL;
	n->batch = NULL;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* Start one message of the batch; NULL when the batch limit is reached. */
static struct nlmsghdr *start(struct nft *n, uint16_t type, uint16_t flags)
{
	if (CONFIG_NFT_BATCH_MAX_BYTES - n->batch_used < MSG_ROOM_BYTES)
		return NULL;
	return nftnl_nlmsg_build_hdr((char *)n->batch + n->batch_used, type, NFPROTO_INET,
				     flags, n->seq++);
}

static void finish(struct nft *n, const struct nlmsghdr *h)
{
	n->batch_used += align4(h->nlmsg_len);
}

static void put_frame(struct nft *n, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(n->batch + n->batch_used);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = n->seq++;
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(NFNL_SUBSYS_NFTABLES);
	finish(n, h);
}

static int put_table(struct nft *n)
{
	struct nlmsghdr *h = start(n, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (!h)
		return ERR_LIMIT;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, PROG_TABLE);
	finish(n, h);
	return ERR_OK;
}

static int put_flush(struct nft *n)
{
	/* no chain named: all rules of the table */
	struct nlmsghdr *h = start(n, NFT_MSG_DELRULE, 0);

	if (!h)
		return ERR_LIMIT;
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, PROG_TABLE);
	finish(n, h);
	return ERR_OK;
}

static int put_delete(struct nft *n, uint16_t type, uint16_t table_attr,
		      uint16_t name_attr, const char *name)
{
	struct nlmsghdr *h = start(n, type, 0);

	if (!h)
		return ERR_LIMIT;
	mnl_attr_put_strz(h, table_attr, PROG_TABLE);
	mnl_attr_put_strz(h, name_attr, name);
	finish(n, h);
	return ERR_OK;
}

/* When a set of the old program goes: not at all when @new has it, with the rules when
 * somebody has changed what @new calls by the same name, else afterwards. */
static bool set_goes(const struct prog_set *s, const struct prog *new, enum nft_step step)
{
	const struct prog_set *other = prog_find_set(new, s->name);

	if (other)
		return step == NFT_SWITCH && !prog_set_is_equal(s, other);
	return step == NFT_DELETE;
}

/* The same for chains; a base chain takes part in deciding and goes with the
 * rules. */
static bool chain_goes(const struct prog_chain *c, const struct prog *new,
		       enum nft_step step)
{
	const struct prog_chain *other = prog_find_chain(new, c->name);

	if (other && other->is_base == c->is_base && other->hook == c->hook &&
	    other->prio == c->prio && !strcmp(other->type, c->type))
		return false;
	return step == (other || c->is_base ? NFT_SWITCH : NFT_DELETE);
}

/* Delete what goes in this step: sets first, they refer to chains. */
static int put_deletes(struct nft *n, const struct prog *old, const struct prog *new,
		       enum nft_step step)
{
	int r = ERR_OK;

	for (size_t i = 0; r == ERR_OK && i < old->set_count; i++) {
		if (set_goes(&old->sets[i], new, step))
			r = put_delete(n, NFT_MSG_DELSET, NFTA_SET_TABLE, NFTA_SET_NAME,
				       old->sets[i].name);
	}
	for (size_t i = 0; r == ERR_OK && i < old->chain_count; i++) {
		if (chain_goes(&old->chains[i], new, step))
			r = put_delete(n, NFT_MSG_DELCHAIN, NFTA_CHAIN_TABLE,
				       NFTA_CHAIN_NAME, old->chains[i].name);
	}
	return r;
}

static int put_chain(struct nft *n, const struct prog_chain *c)
{
	struct nlmsghdr *h = start(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;

	if (!h)
		return ERR_LIMIT;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, PROG_TABLE);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, c->name);
	if (c->is_base) {
		mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, c->type[0] ? c->type : "filter");
		mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(c->policy));
		hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(c->hook));
		mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)c->prio));
		mnl_attr_nest_end(h, hook);
	}
	finish(n, h);
	return ERR_OK;
}

/* nft shows names of interfaces in a set only when it is told their byte order
 * (libnftnl udata.h: type, length, value). */
static void put_byteorder(struct nlmsghdr *h)
{
	const uint32_t host_endian = 1;
	uint8_t udata[2 + sizeof(host_endian)] = {NFTNL_UDATA_SET_KEYBYTEORDER,
						  sizeof(host_endian)};

	memcpy(udata + 2, &host_endian, sizeof(host_endian));
	mnl_attr_put(h, NFTA_SET_USERDATA, sizeof(udata), udata);
}

/* The kernel tells ranges of concatenated fields by the lengths of the fields. */
static void put_fields(struct nlmsghdr *h, const struct prog_set *s)
{
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_DESC_CONCAT);

	for (size_t i = 0; i < s->field_count; i++) {
		struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);

		mnl_attr_put_u32(h, NFTA_SET_FIELD_LEN, htonl(s->field_len[i]));
		mnl_attr_nest_end(h, one);
	}
	mnl_attr_nest_end(h, list);
}

static int put_set(struct nft *n, const struct prog_set *s, uint32_t id)
{
	struct nlmsghdr *h = start(n, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nlattr *desc;

	if (!h)
		return ERR_LIMIT;
	mnl_attr_put_strz(h, NFTA_SET_TABLE, PROG_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_NAME, s->name);
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, htonl(s->flags));
	mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htonl(s->key_type));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(s->key_len));
	if (s->flags & NFT_SET_MAP) {
		mnl_attr_put_u32(h, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
		mnl_attr_put_u32(h, NFTA_SET_DATA_LEN, htonl(16));
	}
	if (s->timeout_ms)
		mnl_attr_put_u64(h, NFTA_SET_TIMEOUT, htobe64(s->timeout_ms));
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl(id));
	if (s->key_type == NFT_TYPE_IFNAME)
		put_byteorder(h);
	desc = mnl_attr_nest_start(h, NFTA_SET_DESC);
	if (s->size > 0)
		mnl_attr_put_u32(h, NFTA_SET_DESC_SIZE, htonl(s->size));
	else if (s->count > 0 && !(s->flags & NFT_SET_INTERVAL))
		mnl_attr_put_u32(h, NFTA_SET_DESC_SIZE, htonl((uint32_t)s->count));
	if (s->field_count > 0)
		put_fields(h, s);
	mnl_attr_nest_end(h, desc);
	finish(n, h);
	return ERR_OK;
}

static void put_elem(struct nlmsghdr *h, const struct prog_set *s,
		     const struct prog_elem *e)
{
	struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *key, *data, *verdict;

	if (e->is_end)
		mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS,
				 htonl(NFT_SET_ELEM_INTERVAL_END));
	key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, s->key_len, e->key);
	mnl_attr_nest_end(h, key);
	if (s->field_count > 0) {
		key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY_END);
		mnl_attr_put(h, NFTA_DATA_VALUE, s->key_len, e->key_end);
		mnl_attr_nest_end(h, key);
	}
	if (s->flags & NFT_SET_MAP && !e->is_end) {
		data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
		verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
		mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_JUMP));
		mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, e->jump);
		mnl_attr_nest_end(h, verdict);
		mnl_attr_nest_end(h, data);
	}
	mnl_attr_nest_end(h, one);
}

static int put_elems(struct nft *n, const struct prog_set *s, uint32_t id)
{
	for (size_t i = 0; i < s->count; i += ELEMS_PER_MSG) {
		struct nlmsghdr *h = start(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
		size_t end = s->count - i < ELEMS_PER_MSG ? s->count : i + ELEMS_PER_MSG;
		struct nlattr *list;

		if (!h)
			return ERR_LIMIT;
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, PROG_TABLE);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, s->name);
		mnl_attr_put_u32(h, NFTA_SET_ELEM_LIST_SET_ID, htonl(id));
		list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t k = i; k < end; k++)
			put_elem(h, s, &s->elems[k]);
		mnl_attr_nest_end(h, list);
		finish(n, h);
	}
	return ERR_OK;
}

static int put_rule(struct nft *n, const struct prog_rule *r)
{
	struct nlmsghdr *h = start(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	if (!h)
		return ERR_LIMIT;
	nftnl_rule_nlmsg_build_payload(h, r->rule);
	finish(n, h);
	return ERR_OK;
}

/* Whether a set of the new program is written in this step. */
static bool set_comes(const struct prog_set *s, const struct prog *old,
		      enum nft_step step)
{
	const struct prog_set *other = prog_find_set(old, s->name);

	if (other)
		return step == NFT_SWITCH && !prog_set_is_equal(s, other);
	return step == NFT_ADD;
}

static bool chain_comes(const struct prog_chain *c, const struct prog *old,
			enum nft_step step)
{
	const struct prog_chain *other = prog_find_chain(old, c->name);

	if (c->is_base || (other && other->is_base))
		return step == NFT_SWITCH;
	return !other && step == NFT_ADD;
}

static int put_news(struct nft *n, const struct prog *old, const struct prog *new,
		    enum nft_step step)
{
	int r = ERR_OK;

	for (size_t i = 0; r == ERR_OK && i < new->chain_count; i++) {
		if (chain_comes(&new->chains[i], old, step))
			r = put_chain(n, &new->chains[i]);
	}
	for (size_t i = 0; r == ERR_OK && i < new->set_count; i++) {
		const struct prog_set *s = &new->sets[i];

		if (!set_comes(s, old, step))
			continue;
		r = put_set(n, s, (uint32_t)i + 1);
		if (r == ERR_OK)
			r = put_elems(n, s, (uint32_t)i + 1);
	}
	for (size_t i = 0; step == NFT_SWITCH && r == ERR_OK && i < new->rule_count; i++)
		r = put_rule(n, &new->rules[i]);
	return r;
}

/*
 * Build the transaction of one step from @old (what the kernel has) to @new.
 *
 * The bytes stand in n->batch, n->batch_used of them; nothing is sent.
 *
 * Returns ERR_OK or ERR_LIMIT (over CONFIG_NFT_BATCH_MAX_BYTES).
 */
int nft_build(struct nft *n, const struct prog *old, const struct prog *new,
	      enum nft_step step)
{
	int r = ERR_OK;

	n->batch_used = 0;
	put_frame(n, NFNL_MSG_BATCH_BEGIN, 0);
	if (step != NFT_DELETE)
		r = put_table(n);
	if (r == ERR_OK && step == NFT_SWITCH)
		r = put_flush(n);
	if (r == ERR_OK)
		r = put_deletes(n, old, new, step);
	if (r == ERR_OK && step != NFT_DELETE)
		r = put_news(n, old, new, step);
	if (r == ERR_OK)
		put_frame(n, NFNL_MSG_BATCH_END, NLM_F_ACK);
	return r;
}

/* Name the message with sequence number @seq of the batch just sent. */
static void explain(struct nft *n, uint32_t seq, int err)
{
	static const char *const names[] = {
		[NFT_MSG_NEWTABLE] = "table",
		[NFT_MSG_NEWCHAIN] = "chain",
		[NFT_MSG_NEWRULE] = "rule",
		[NFT_MSG_DELRULE] = "delete rules",
		[NFT_MSG_NEWSET] = "set",
		[NFT_MSG_DELSET] = "delete set",
		[NFT_MSG_DELCHAIN] = "delete chain",
		[NFT_MSG_NEWSETELEM] = "set elements",
	};
	const char *what = "transaction";
	size_t at = 0, index = 0;

	while (at + sizeof(struct nlmsghdr) <= n->batch_used) {
		const struct nlmsghdr *h = (const void *)(n->batch + at);
		unsigned type = h->nlmsg_type & 0xffU;

		if (h->nlmsg_seq == seq) {
			if (h->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES &&
			    type < sizeof(names) / sizeof(names[0]) && names[type])
				what = names[type];
			break;
		}
		index++;
		at += align4(h->nlmsg_len);
	}
	(void)snprintf(n->why, sizeof(n->why), "kernel refused %s (message %zu): %s",
		       what, index, strerror(err));
}

/* Wait for the acknowledgement of the batch's end, or the first error. */
static int wait_ack(struct nft *n, uint32_t first_seq, uint32_t last_seq)
{
	uint8_t buf[16384];
	int verdict = ERR_OK;

	for (;;) {
		ssize_t len = mnl_socket_recvfrom(n->nl, buf, sizeof(buf));
		int left = (int)len;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0) {
			(void)snprintf(n->why, sizeof(n->why),
				       "no answer of the kernel: %s", strerror(errno));
			return ERR_SYS;
		}
		for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR ||
			    h->nlmsg_seq - first_seq > last_seq - first_seq)
				continue; /* left over of an earlier request */
			if (e->error != 0 && verdict == ERR_OK) {
				explain(n, h->nlmsg_seq, -e->error);
				verdict = ERR_KERNEL;
			}
			/* after an error the kernel reports all others and, since the
			 * batch was read to its end, the end itself */
			if (h->nlmsg_seq == last_seq || e->error != 0)
				return verdict;
		}
	}
}

/* Throw away what an aborted batch still had to say. */
static void drain(struct nft *n)
{
	uint8_t buf[16384];

	while (recv(mnl_socket_get_fd(n->nl), buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

/* Send one step and wait for the kernel's answer. A step without work is not
 * sent. */
static int commit(struct nft *n, const struct prog *old, const struct prog *new,
		  enum nft_step step)
{
	uint32_t first_seq = n->seq;
	int r = nft_build(n, old, new, step);

	if (r == ERR_LIMIT)
		(void)snprintf(n->why, sizeof(n->why),
			       "the policy is over NFT_BATCH_MAX_BYTES = %u",
			       (unsigned)CONFIG_NFT_BATCH_MAX_BYTES);
	if (r != ERR_OK)
		return r;
	if (step != NFT_SWITCH && n->seq - first_seq <= IDLE_MESSAGES(step))
		return ERR_OK;
	if (mnl_socket_sendto(n->nl, n->batch, n->batch_used) < 0) {
		(void)snprintf(n->why, sizeof(n->why), "sending the transaction: %s",
			       strerror(errno));
		return ERR_SYS;
	}
	r = wait_ack(n, first_seq, n->seq - 1);
	drain(n);
	return r;
}

/* Wait until no packet is on its way through rules that are gone: they run as
 * RCU readers, and this system call waits for all of those (membarrier(2),
 * MEMBARRIER_CMD_GLOBAL). A kernel with one processor returns at once. */
static void wait_for_packets(void)
{
	/* without it the worst is one packet that is dropped */
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* The rules were not exchanged: what was added for them goes. */
static void take_back(struct nft *n, const struct prog *old, const struct prog *new)
{
	char why[sizeof(n->why)];
	int r;

	memcpy(why, n->why, sizeof(why));
	r = commit(n, new, old, NFT_DELETE);
	(void)r; /* what stays does nothing, and the next exchange deletes it */
	memcpy(n->why, why, sizeof(why));
}

/*
 * Replace the whole content of our table by @new. Packets are judged by the old
 * rules, then by the new ones: the rules are exchanged in one transaction.
 *
 * Returns ERR_OK when the kernel has committed, ERR_KERNEL when it refused
 * (n->why names the message), ERR_LIMIT, ERR_NOMEM or ERR_SYS. After a failure
 * the old rules are in force, unless only deleting what they had needed failed.
 */
int nft_replace(struct nft *n, const struct prog *new)
{
	struct prog old;
	int r;

	n->why[0] = '\0';
	drain(n);
	r = nft_read(n, &old);
	if (r != ERR_OK)
		return r;
	r = commit(n, &old, new, NFT_ADD);
	if (r == ERR_OK) {
		r = commit(n, &old, new, NFT_SWITCH);
		if (r == ERR_OK) {
			wait_for_packets();
			r = commit(n, &old, new, NFT_DELETE);
		} else {
			take_back(n, &old, new);
		}
	}
	prog_clear(&old);
	return r;
}
