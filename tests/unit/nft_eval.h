/*
 * What the kernel does with one packet in one chain of a compiled program: the
 * expressions that rules of zone pairs are made of, no others.
 */
#ifndef TESTS_UNIT_NFT_EVAL_H
#define TESTS_UNIT_NFT_EVAL_H

#include <stdio.h> /* libnftnl/expr.h uses FILE */
#include <string.h>
#include <netinet/in.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "policyd/prog.h"

#define EVAL_DEPTH 4 /* chains that call each other */

struct eval_packet {
	char in[16], out[16];
	uint8_t family, proto;
	uint8_t net[40], transport[8];
	uint64_t time_ns; /* since 1970 */
	bool is_over;     /* over every limit that is counted in a set */
};

enum eval_end { EVAL_NONE, EVAL_ACCEPT, EVAL_DROP, EVAL_RESET, EVAL_ICMP, EVAL_UNKNOWN };

struct eval {
	const struct prog *prog;
	const struct eval_packet *packet;
	uint8_t reg[64];
	enum eval_end end;
	const char *id;  /* of the rule that ended it */
	const char *log; /* prefix of the log, or NULL */
	unsigned counted;
	const char *jump;
	bool is_broken; /* the rule does not match */
};

static uint8_t *eval_reg(struct eval *e, uint32_t reg)
{
	return e->reg +
	       (reg >= NFT_REG32_00 ? (reg - NFT_REG32_00) * 4 : (reg - NFT_REG_1) * 16);
}

static bool eval_in_elem(const struct prog_set *s, size_t i, const uint8_t *key)
{
	const struct prog_elem *x = &s->elems[i], *next = x + 1;
	size_t at = 0;

	if (s->field_count > 0) {
		for (size_t f = 0; f < s->field_count; f++) {
			if (memcmp(key + at, x->key + at, s->field_len[f]) < 0 ||
			    memcmp(key + at, x->key_end + at, s->field_len[f]) > 0)
				return false;
			at += (s->field_len[f] + 3) & ~3U;
		}
		return true;
	}
	if (!(s->flags & NFT_SET_INTERVAL))
		return memcmp(key, x->key, s->key_len) == 0;
	return !x->is_end && memcmp(key, x->key, s->key_len) >= 0 &&
	       (i + 1 == s->count || !next->is_end ||
		memcmp(key, next->key, s->key_len) < 0);
}

static void eval_lookup(struct eval *e, struct nftnl_expr *x)
{
	const char *name = nftnl_expr_get_str(x, NFTNL_EXPR_LOOKUP_SET);
	const uint8_t *key = eval_reg(e, nftnl_expr_get_u32(x, NFTNL_EXPR_LOOKUP_SREG));
	bool is_not = nftnl_expr_get_u32(x, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;
	const struct prog_elem *found = NULL;

	for (size_t i = 0; i < e->prog->set_count; i++) {
		const struct prog_set *s = &e->prog->sets[i];

		if (strcmp(s->name, name) != 0)
			continue;
		for (size_t k = 0; !found && k < s->count; k++)
			found = eval_in_elem(s, k, key) ? &s->elems[k] : NULL;
	}
	e->is_broken = (found != NULL) == is_not;
	if (found && nftnl_expr_is_set(x, NFTNL_EXPR_LOOKUP_DREG))
		e->jump = found->jump;
}

static void eval_meta(struct eval *e, struct nftnl_expr *x)
{
	uint8_t *to = eval_reg(e, nftnl_expr_get_u32(x, NFTNL_EXPR_META_DREG));

	switch (nftnl_expr_get_u32(x, NFTNL_EXPR_META_KEY)) {
	case NFT_META_NFPROTO:
		memset(to, 0, 4);
		to[0] = e->packet->family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
		break;
	case NFT_META_L4PROTO:
		memset(to, 0, 4);
		to[0] = e->packet->proto;
		break;
	case NFT_META_TIME_NS:
		memcpy(to, &e->packet->time_ns, 8);
		break;
	case NFT_META_IIFNAME:
		memcpy(to, e->packet->in, 16);
		break;
	case NFT_META_OIFNAME:
		memcpy(to, e->packet->out, 16);
		break;
	default:
		e->end = EVAL_UNKNOWN;
		break;
	}
}

static void eval_payload(struct eval *e, struct nftnl_expr *x)
{
	bool is_net = nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_BASE) ==
		      NFT_PAYLOAD_NETWORK_HEADER;
	uint32_t len = nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_LEN);
	uint8_t *to = eval_reg(e, nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_DREG));

	memset(to, 0, (len + 3) & ~3U);
	memcpy(to,
	       (is_net ? e->packet->net : e->packet->transport) +
		       nftnl_expr_get_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET),
	       len);
}

static void eval_cmp(struct eval *e, struct nftnl_expr *x)
{
	const uint8_t *have = eval_reg(e, nftnl_expr_get_u32(x, NFTNL_EXPR_CMP_SREG));
	uint32_t len;
	const void *want = nftnl_expr_get(x, NFTNL_EXPR_CMP_DATA, &len);
	int c = memcmp(have, want, len);

	switch (nftnl_expr_get_u32(x, NFTNL_EXPR_CMP_OP)) {
	case NFT_CMP_EQ:
		e->is_broken = c != 0;
		break;
	case NFT_CMP_NEQ:
		e->is_broken = c == 0;
		break;
	case NFT_CMP_LT:
		e->is_broken = c >= 0;
		break;
	case NFT_CMP_GTE:
		e->is_broken = c < 0;
		break;
	case NFT_CMP_LTE:
		e->is_broken = c > 0;
		break;
	default:
		e->end = EVAL_UNKNOWN;
		break;
	}
}

static void eval_mask(struct eval *e, struct nftnl_expr *x)
{
	uint8_t *reg = eval_reg(e, nftnl_expr_get_u32(x, NFTNL_EXPR_BITWISE_SREG));
	uint32_t len;
	const uint8_t *mask = nftnl_expr_get(x, NFTNL_EXPR_BITWISE_MASK, &len);

	for (uint32_t i = 0; i < len; i++)
		reg[i] &= mask[i];
}

static void eval_reject(struct eval *e, struct nftnl_expr *x)
{
	e->end = nftnl_expr_get_u32(x, NFTNL_EXPR_REJECT_TYPE) == NFT_REJECT_TCP_RST
			 ? EVAL_RESET
			 : EVAL_ICMP;
}

/* A number of 8 bytes from the host's order to the network's. */
static void eval_byteorder(struct eval *e, struct nftnl_expr *x)
{
	uint8_t *reg = eval_reg(e, nftnl_expr_get_u32(x, NFTNL_EXPR_BYTEORDER_SREG));
	uint64_t v;

	memcpy(&v, reg, sizeof(v));
	for (unsigned i = 0; i < sizeof(v); i++)
		reg[i] = (uint8_t)(v >> (56 - 8 * i));
	if (nftnl_expr_get_u32(x, NFTNL_EXPR_BYTEORDER_LEN) != sizeof(v))
		e->end = EVAL_UNKNOWN;
}

/* A verdict, a chain to go to for good, or a value. */
static void eval_immediate(struct eval *e, struct nftnl_expr *x)
{
	uint32_t len;

	if (nftnl_expr_is_set(x, NFTNL_EXPR_IMM_CHAIN))
		e->jump = nftnl_expr_get_str(x, NFTNL_EXPR_IMM_CHAIN);
	else if (nftnl_expr_is_set(x, NFTNL_EXPR_IMM_DATA))
		(void)nftnl_expr_get(x, NFTNL_EXPR_IMM_DATA, &len);
	else
		e->end = nftnl_expr_get_u32(x, NFTNL_EXPR_IMM_VERDICT) == NF_ACCEPT
				 ? EVAL_ACCEPT
				 : EVAL_DROP;
}

static int eval_expr(struct nftnl_expr *x, void *data)
{
	const char *name = nftnl_expr_get_str(x, NFTNL_EXPR_NAME);
	struct eval *e = data;

	if (e->is_broken || e->jump || e->end != EVAL_NONE)
		return 0;
	if (!strcmp(name, "meta"))
		eval_meta(e, x);
	else if (!strcmp(name, "payload"))
		eval_payload(e, x);
	else if (!strcmp(name, "cmp"))
		eval_cmp(e, x);
	else if (!strcmp(name, "bitwise"))
		eval_mask(e, x);
	else if (!strcmp(name, "lookup"))
		eval_lookup(e, x);
	else if (!strcmp(name, "reject"))
		eval_reject(e, x);
	else if (!strcmp(name, "counter"))
		e->counted++;
	else if (!strcmp(name, "log"))
		e->log = nftnl_expr_get_str(x, NFTNL_EXPR_LOG_PREFIX);
	else if (!strcmp(name, "immediate"))
		eval_immediate(e, x);
	else if (!strcmp(name, "byteorder"))
		eval_byteorder(e, x);
	else if (!strcmp(name, "dynset"))
		e->is_broken = e->packet->is_over;
	else if (strcmp(name, "limit") != 0)
		e->end = EVAL_UNKNOWN;
	return 0;
}

/* Walk a chain; a chain that ends without a verdict goes on where it was called. */
static void eval_chain(struct eval *e, const char *chain)
{
	struct {
		const char *chain;
		size_t next;
	} stack[EVAL_DEPTH] = {{chain, 0}};
	unsigned depth = 1;

	while (depth > 0 && e->end == EVAL_NONE) {
		size_t i = stack[depth - 1].next++;
		const struct prog_rule *r = &e->prog->rules[i];

		if (i == e->prog->rule_count) {
			depth--;
			continue;
		}
		if (strcmp(r->chain, stack[depth - 1].chain) != 0)
			continue;
		e->is_broken = false;
		e->jump = NULL;
		(void)nftnl_expr_foreach(r->rule, eval_expr, e);
		if (e->jump && depth == EVAL_DEPTH) {
			e->end = EVAL_UNKNOWN;
		} else if (e->jump) {
			stack[depth].chain = e->jump;
			stack[depth++].next = 0;
		} else if (e->end != EVAL_NONE) {
			e->id = r->id;
		}
	}
}

#endif
