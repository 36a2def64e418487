/*
 * Read our table back from the kernel, into the same form the compiler makes,
 * so that "what we wanted" and "what is there" are compared line by line.
 */
#include "nft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

#define READ_TRIES 20

struct dump {
	struct prog *prog;
	struct prog_set *set; /* while elements are read */
	int err;
};

/* Whether the end of dump @seq is among the messages. */
static bool has_done(const uint8_t *buf, ssize_t len, uint32_t seq)
{
	int left = (int)len;

	for (const struct nlmsghdr *h = (const void *)buf; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq == seq &&
		    (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR))
			return true;
	}
	return false;
}

/* Receive an interrupted dump to its end, so that the next answer is the next
 * request's. */
static int skip_dump(struct nft *n, uint8_t *buf, size_t max, ssize_t len, uint32_t seq)
{
	while (!has_done(buf, len, seq)) {
		len = mnl_socket_recvfrom(n->nl, buf, max);
		if (len < 0 && errno != EINTR)
			return ERR_SYS;
	}
	return ERR_BUSY;
}

static int run(struct nft *n, struct nlmsghdr *h, mnl_cb_t cb, void *data)
{
	uint8_t buf[32768];
	uint32_t seq = h->nlmsg_seq;
	unsigned portid = mnl_socket_get_portid(n->nl);

	if (mnl_socket_sendto(n->nl, h, h->nlmsg_len) < 0)
		return ERR_SYS;
	for (;;) {
		ssize_t len = mnl_socket_recvfrom(n->nl, buf, sizeof(buf));
		int r;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return ERR_SYS;
		r = mnl_cb_run(buf, (size_t)len, seq, portid, cb, data);
		if (r == MNL_CB_STOP)
			return ERR_OK;
		/* NLM_F_DUMP_INTR: something changed while the kernel told us */
		if (r < 0 && errno == EINTR)
			return skip_dump(n, buf, sizeof(buf), len, seq);
		if (r < 0)
			return errno == ENOENT ? ERR_NOENT : ERR_KERNEL;
	}
}

static struct nlmsghdr *request(struct nft *n, uint8_t *buf, uint16_t type,
				uint16_t flags)
{
	return nftnl_nlmsg_build_hdr((char *)buf, type, NFPROTO_INET, flags, n->seq++);
}

static bool is_ours(const char *table)
{
	return table && !strcmp(table, PROG_TABLE);
}

static void read_type(const struct nftnl_chain *c, struct prog_chain *out)
{
	const char *type = nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE);

	if (type && strcmp(type, "filter") != 0)
		(void)snprintf(out->type, sizeof(out->type), "%s", type);
}

static int on_chain(const struct nlmsghdr *h, void *data)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct dump *d = data;
	struct prog_chain *out;

	if (!c || nftnl_chain_nlmsg_parse(h, c) < 0) {
		d->err = ERR_KERNEL;
	} else if (is_ours(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE)) &&
		   (out = prog_add_chain(d->prog,
					 nftnl_chain_get_str(c, NFTNL_CHAIN_NAME)))) {
		out->is_base = nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM);
		if (out->is_base) {
			read_type(c, out);
			out->hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
			out->prio = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO);
			out->policy = nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY);
		}
	}
	if (c)
		nftnl_chain_free(c);
	return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *h, void *data)
{
	struct nftnl_rule *got = nftnl_rule_alloc();
	struct dump *d = data;
	const char *id = "";
	struct prog_rule *last;
	const uint8_t *udata;
	uint32_t udata_len;

	if (!got || nftnl_rule_nlmsg_parse(h, got) < 0) {
		d->err = ERR_KERNEL;
		nftnl_rule_free(got);
		return MNL_CB_OK;
	}
	if (!is_ours(nftnl_rule_get_str(got, NFTNL_RULE_TABLE))) {
		nftnl_rule_free(got);
		return MNL_CB_OK;
	}
	udata = nftnl_rule_get_data(got, NFTNL_RULE_USERDATA, &udata_len);
	/* one comment: type, length with NUL, text */
	if (udata && udata_len > 2 && udata[0] == NFTNL_UDATA_RULE_COMMENT &&
	    udata[1] == udata_len - 2 && udata[udata_len - 1] == '\0')
		id = (const char *)udata + 2;
	if (prog_add_rule(d->prog, nftnl_rule_get_str(got, NFTNL_RULE_CHAIN), id)) {
		last = &d->prog->rules[d->prog->rule_count - 1];
		nftnl_rule_free(last->rule);
		last->rule = got;
	} else {
		nftnl_rule_free(got);
	}
	return MNL_CB_OK;
}

/* One level down into a nest: the attribute of @type, or NULL. */
static struct nlattr *inner(struct nlattr *nest, uint16_t type)
{
	struct nlattr *a;

	if (!nest)
		return NULL;
	mnl_attr_for_each_nested(a, nest)
	{
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

/* Lengths of the fields of a concatenation of ranges. */
static void read_fields(struct prog_set *s, struct nlattr *desc)
{
	struct nlattr *list = inner(desc, NFTA_SET_DESC_CONCAT), *one;

	if (!list)
		return;
	mnl_attr_for_each_nested(one, list)
	{
		struct nlattr *len = inner(one, NFTA_SET_FIELD_LEN);

		if (len && s->field_count < PROG_FIELDS_MAX)
			s->field_len[s->field_count++] = ntohl(mnl_attr_get_u32(len));
	}
}

static int on_set(const struct nlmsghdr *h, void *data)
{
	struct dump *d = data;
	struct nlattr *a, *desc = NULL, *size = NULL;
	const char *table = NULL, *name = NULL;
	uint32_t flags = 0, type = 0, len = 0;
	struct prog_set *s;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(a)) {
		case NFTA_SET_TABLE:
			table = mnl_attr_get_str(a);
			break;
		case NFTA_SET_NAME:
			name = mnl_attr_get_str(a);
			break;
		case NFTA_SET_FLAGS:
			flags = ntohl(mnl_attr_get_u32(a));
			break;
		case NFTA_SET_KEY_TYPE:
			type = ntohl(mnl_attr_get_u32(a));
			break;
		case NFTA_SET_KEY_LEN:
			len = ntohl(mnl_attr_get_u32(a));
			break;
		case NFTA_SET_DESC:
			desc = a;
			size = inner(desc, NFTA_SET_DESC_SIZE);
			break;
		default:
			break;
		}
	}
	if (is_ours(table) && name && (s = prog_add_set(d->prog, name))) {
		s->flags = flags;
		s->key_type = type;
		s->key_len = len;
		read_fields(s, desc);
		if (size && flags & NFT_SET_EVAL)
			s->size = ntohl(mnl_attr_get_u32(size));
	}
	return MNL_CB_OK;
}

static void read_elem(struct dump *d, struct nlattr *one)
{
	struct nlattr *value = inner(inner(one, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	struct nlattr *end = inner(inner(one, NFTA_SET_ELEM_KEY_END), NFTA_DATA_VALUE);
	struct nlattr *flags = inner(one, NFTA_SET_ELEM_FLAGS);
	struct nlattr *chain =
		inner(inner(inner(one, NFTA_SET_ELEM_DATA), NFTA_DATA_VERDICT),
		      NFTA_VERDICT_CHAIN);
	struct prog_elem *e = prog_add_elem(d->prog, d->set);

	if (!e)
		return;
	if (!value || mnl_attr_get_payload_len(value) > sizeof(e->key) ||
	    (end && mnl_attr_get_payload_len(end) > sizeof(e->key_end))) {
		d->err = ERR_KERNEL;
		return;
	}
	memcpy(e->key, mnl_attr_get_payload(value), mnl_attr_get_payload_len(value));
	if (end)
		memcpy(e->key_end, mnl_attr_get_payload(end),
		       mnl_attr_get_payload_len(end));
	e->is_end = flags && ntohl(mnl_attr_get_u32(flags)) & NFT_SET_ELEM_INTERVAL_END;
	if (chain)
		(void)snprintf(e->jump, sizeof(e->jump), "%s", mnl_attr_get_str(chain));
}

static int on_elems(const struct nlmsghdr *h, void *data)
{
	struct nlattr *a, *one;
	struct dump *d = data;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(one, a) read_elem(d, one);
	}
	return MNL_CB_OK;
}

static int read_sets(struct nft *n, struct dump *d)
{
	uint8_t buf[1024];
	struct nlmsghdr *h = request(n, buf, NFT_MSG_GETSET, NLM_F_DUMP);
	int r;

	mnl_attr_put_strz(h, NFTA_SET_TABLE, PROG_TABLE);
	r = run(n, h, on_set, d);
	for (size_t i = 0; r == ERR_OK && i < d->prog->set_count; i++) {
		d->set = &d->prog->sets[i];
		if (d->set->flags & NFT_SET_EVAL) /* traffic fills it, not the policy */
			continue;
		h = request(n, buf, NFT_MSG_GETSETELEM, NLM_F_DUMP);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, PROG_TABLE);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, d->set->name);
		r = run(n, h, on_elems, d);
	}
	return r;
}

static int read_once(struct nft *n, struct prog *out, bool has_sets)
{
	struct dump d = {.prog = out};
	uint8_t buf[1024];
	struct nlmsghdr *h;
	int r;

	prog_init(out);
	r = run(n, request(n, buf, NFT_MSG_GETCHAIN, NLM_F_DUMP), on_chain, &d);
	if (r == ERR_OK) {
		h = request(n, buf, NFT_MSG_GETRULE, NLM_F_DUMP);
		mnl_attr_put_strz(h, NFTA_RULE_TABLE, PROG_TABLE);
		r = run(n, h, on_rule, &d);
	}
	if (r == ERR_OK && has_sets)
		r = read_sets(n, &d);
	if (r == ERR_NOENT) /* no such table: nothing in it */
		r = ERR_OK;
	if (r == ERR_OK && d.err != ERR_OK)
		r = d.err;
	if (r == ERR_OK && out->is_full)
		r = ERR_NOMEM;
	if (r != ERR_OK)
		prog_clear(out);
	return r;
}

static int read_all(struct nft *n, struct prog *out, bool has_sets)
{
	int r = ERR_BUSY;

	for (int i = 0; r == ERR_BUSY && i < READ_TRIES; i++)
		r = read_once(n, out, has_sets);
	if (r != ERR_OK)
		(void)snprintf(n->why, sizeof(n->why), "reading the table back: %s",
			       err_text(r));
	return r;
}

/*
 * Read the content of our table.
 *
 * @out  initialised by this call; empty when the table does not exist yet;
 *       prog_clear() frees it
 *
 * Somebody else's transactions make the kernel's answer inconsistent; it is
 * asked again, READ_TRIES times at most.
 *
 * Returns ERR_OK, ERR_NOMEM, ERR_KERNEL, ERR_BUSY or ERR_SYS.
 */
int nft_read(struct nft *n, struct prog *out)
{
	return read_all(n, out, true);
}

/*
 * Read chains and rules of our table without its sets: for their counters.
 *
 * Otherwise as nft_read().
 */
int nft_read_rules(struct nft *n, struct prog *out)
{
	return read_all(n, out, false);
}

static int on_generation(const struct nlmsghdr *h, void *data)
{
	struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_GEN_ID)
			*(uint32_t *)data = ntohl(mnl_attr_get_u32(a));
	}
	return MNL_CB_STOP;
}

/*
 * The kernel's ruleset generation: one higher with every committed
 * transaction of anybody in this network namespace.
 */
int nft_generation(struct nft *n, uint32_t *generation)
{
	uint8_t buf[1024];

	return run(n, request(n, buf, NFT_MSG_GETGEN, 0), on_generation, generation);
}
