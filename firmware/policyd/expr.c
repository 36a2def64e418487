#include "expr.h"

#include <stdio.h> /* libnftnl/expr.h uses FILE */
#include <string.h>

#include <netinet/in.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_synproxy.h>
#include <linux/netfilter/nf_tables.h>

/* A missing expression would make a rule match more: without memory the rule
 * gets a verdict-less, unresolvable lookup, which the kernel refuses. */
static struct nftnl_expr *add(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = r ? nftnl_expr_alloc(name) : NULL;

	if (e)
		nftnl_rule_add_expr(r, e);
	else if (r)
		nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, "out-of-memory");
	return e;
}

/*
 * Load a meta value (NFT_META_*) into a register.
 */
void ex_meta(struct nftnl_rule *r, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = add(r, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

/*
 * Compare register 1 with @len bytes (NFT_CMP_*); numbers in network order.
 */
void ex_cmp(struct nftnl_rule *r, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = add(r, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
}

/*
 * Load @len bytes of a packet's header (NFT_PAYLOAD_*) into register 1.
 */
void ex_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len)
{
	ex_load_field(r, base, offset, len, 0);
}

/*
 * And register 1 with @mask.
 */
void ex_mask(struct nftnl_rule *r, const void *mask, uint32_t len)
{
	ex_mask_field(r, mask, len, 0);
}

/* The register whose first byte is byte @at of register 1: the kernel shows those
 * at multiples of 16 by their old numbers. */
static uint32_t field_reg(uint32_t at)
{
	return at % 16 == 0 ? NFT_REG_1 + at / 16 : NFT_REG32_00 + at / 4;
}

/*
 * Load @len bytes of a packet's header as a field of a concatenation.
 */
void ex_load_field(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len,
		   uint32_t at)
{
	struct nftnl_expr *e = add(r, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, field_reg(at));
}

/*
 * And a field of a concatenation with @mask.
 */
void ex_mask_field(struct nftnl_rule *r, const void *mask, uint32_t len, uint32_t at)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = add(r, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, field_reg(at));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, field_reg(at));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

/*
 * Load the transport protocol as a field of a concatenation.
 */
void ex_proto_field(struct nftnl_rule *r, uint32_t at)
{
	ex_meta(r, NFT_META_L4PROTO, field_reg(at));
}

static void lookup(struct nftnl_rule *r, const char *set, bool is_map, uint32_t flags)
{
	struct nftnl_expr *e = add(r, "lookup");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, flags); /* the kernel tells it */
	if (is_map)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
}

/*
 * Look register 1 (and what follows it) up in a set; with @is_map take the
 * element's verdict.
 */
void ex_lookup(struct nftnl_rule *r, const char *set, bool is_map)
{
	lookup(r, set, is_map, 0);
}

/*
 * Go on only when register 1 is not in a set.
 */
void ex_lookup_not(struct nftnl_rule *r, const char *set)
{
	lookup(r, set, false, NFT_LOOKUP_F_INV);
}

/*
 * Match any of the conntrack states in the bit mask.
 */
void ex_ct_state(struct nftnl_rule *r, uint32_t states)
{
	static const uint32_t none;
	struct nftnl_expr *e = add(r, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	ex_mask(r, &states, sizeof(states));
	ex_cmp(r, NFT_CMP_NEQ, &none, sizeof(none));
}

/*
 * Match packets of connections that conntrack has not taken into its table: no
 * packet of theirs has been let through yet.
 */
void ex_ct_unconfirmed(struct nftnl_rule *r)
{
	static const uint32_t confirmed = IPS_CONFIRMED, none;
	struct nftnl_expr *e = add(r, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATUS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	ex_mask(r, &confirmed, sizeof(confirmed));
	ex_cmp(r, NFT_CMP_EQ, &none, sizeof(none));
}

/*
 * Count packets and bytes that come this far.
 */
void ex_counter(struct nftnl_rule *r)
{
	(void)add(r, "counter");
}

/*
 * End with NF_ACCEPT or NF_DROP.
 */
void ex_verdict(struct nftnl_rule *r, uint32_t verdict)
{
	struct nftnl_expr *e = add(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
}

static void go(struct nftnl_rule *r, int how, const char *chain)
{
	struct nftnl_expr *e = add(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)how);
	nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

/*
 * End by going to another chain, for good.
 */
void ex_goto(struct nftnl_rule *r, const char *chain)
{
	go(r, NFT_GOTO, chain);
}

/*
 * Go through another chain and come back when nothing in it decides.
 */
void ex_jump(struct nftnl_rule *r, const char *chain)
{
	go(r, NFT_JUMP, chain);
}

/*
 * Load a part of an IPv6 extension header, or whether an IPv4 option is there
 * (1 or 0), into register 1.
 *
 * @op    NFT_EXTHDR_OP_*
 * @type  protocol number of the extension header, or number of the option
 */
void ex_exthdr(struct nftnl_rule *r, uint32_t op, uint8_t type, uint32_t offset,
	       uint32_t len, bool is_present)
{
	struct nftnl_expr *e = add(r, "exthdr");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_DREG, NFT_REG_1);
	nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, type);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OP, op);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_FLAGS,
			   is_present ? NFT_EXTHDR_F_PRESENT : 0);
}

/*
 * Ask the routing table about the source address; the answer comes to
 * register 1.
 *
 * @result  NFT_FIB_RESULT_*
 * @flags   NFTA_FIB_F_*
 */
void ex_fib(struct nftnl_rule *r, uint32_t result, uint32_t flags)
{
	struct nftnl_expr *e = add(r, "fib");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
}

/*
 * Hand the packet's headers to the log group, @prefix names the rule.
 */
void ex_log(struct nftnl_rule *r, const char *prefix)
{
	struct nftnl_expr *e = add(r, "log");

	if (!e)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, CONFIG_FORWARD_LOG_GROUP);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, prefix);
}

/*
 * Refuse with an answer (NFT_REJECT_*).
 */
void ex_reject(struct nftnl_rule *r, uint32_t type, uint8_t code)
{
	struct nftnl_expr *e = add(r, "reject");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, type);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, code);
}

/*
 * Put constant bytes into a register.
 */
void ex_immediate(struct nftnl_rule *r, uint32_t reg, const void *data, uint32_t len)
{
	struct nftnl_expr *e = add(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, reg);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, data, len);
}

/*
 * Match the connection's status bits (IPS_*): (status & @mask) == @value.
 */
void ex_ct_status(struct nftnl_rule *r, uint32_t mask, uint32_t value)
{
	struct nftnl_expr *e = add(r, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATUS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	ex_mask(r, &mask, sizeof(mask));
	ex_cmp(r, NFT_CMP_EQ, &value, sizeof(value));
}

/*
 * Give the connection the address of the port it leaves by.
 */
void ex_masquerade(struct nftnl_rule *r)
{
	(void)add(r, "masq");
}

/*
 * Translate the connection to what stands in the registers. The kernel tells
 * the flags that follow from the registers, so they are set here as well.
 */
void ex_nat(struct nftnl_rule *r, const struct ex_nat *nat)
{
	struct nftnl_expr *e = add(r, "nat");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, nat->type);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, nat->family);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX,
			   nat->is_range ? NFT_REG_2 : NFT_REG_1);
	if (nat->has_port) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_3);
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, NFT_REG_3);
	}
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS,
			   nat->flags | NF_NAT_RANGE_MAP_IPS |
				   (nat->has_port ? NF_NAT_RANGE_PROTO_SPECIFIED : 0U));
}

/*
 * Go on only up to @per_second packets a second.
 */
void ex_limit(struct nftnl_rule *r, uint64_t per_second, uint32_t burst)
{
	struct nftnl_expr *e = add(r, "limit");

	if (!e)
		return;
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, per_second);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, 1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, burst);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
}

/* Judge register 1 by an expression kept for it in a dynamic set; @state is
 * NULL when there was no memory. A full set counts as "too many": the rule does
 * not go on. */
static void judge_in_set(struct nftnl_rule *r, const char *set, uint32_t op,
			 struct nftnl_expr *state)
{
	struct nftnl_expr *e = state ? add(r, "dynset") : NULL;

	if (!e) {
		if (state)
			nftnl_expr_free(state);
		else if (r)
			nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, "out-of-memory");
		return;
	}
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, op);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
	nftnl_expr_add_expr(e, NFTNL_EXPR_DYNSET_EXPR, state);
}

/*
 * Count the open connections of the key in register 1; go on only when there
 * are at most @max, this one included.
 *
 * @set  a dynamic set
 */
void ex_up_to_connections(struct nftnl_rule *r, const char *set, uint32_t max)
{
	struct nftnl_expr *count = nftnl_expr_alloc("connlimit");

	if (count) {
		nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_COUNT, max);
		nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_FLAGS, 0);
	}
	judge_in_set(r, set, NFT_DYNSET_OP_ADD, count);
}

/*
 * Go on only up to @per_minute packets a minute with the key in register 1; as
 * many may come in one burst.
 *
 * @set  a dynamic set with a timeout
 */
void ex_up_to_rate(struct nftnl_rule *r, const char *set, uint32_t per_minute)
{
	struct nftnl_expr *limit = nftnl_expr_alloc("limit");

	if (limit) {
		nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, per_minute);
		nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, 60);
		nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_BURST, per_minute);
		nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
		nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_FLAGS, 0);
	}
	judge_in_set(r, set, NFT_DYNSET_OP_UPDATE, limit);
}

/*
 * Load four bytes into register 1.
 */
void ex_value(struct nftnl_rule *r, uint32_t value)
{
	struct nftnl_expr *e = add(r, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &value, sizeof(value));
}

/*
 * Go on only before a time.
 *
 * @utc_s  seconds since 1970; the kernel's clock is compared in nanoseconds
 */
void ex_before(struct nftnl_rule *r, int64_t utc_s)
{
	uint64_t ns = (uint64_t)utc_s * 1000000000U;
	uint8_t data[8];
	struct nftnl_expr *e;

	for (unsigned i = 0; i < 8; i++)
		data[i] = (uint8_t)(ns >> (56 - 8 * i));
	ex_meta(r, NFT_META_TIME_NS, NFT_REG_1);
	e = add(r, "byteorder");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_LEN, sizeof(ns));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(ns));
	ex_cmp(r, NFT_CMP_LT, data, sizeof(data));
}

/*
 * Keep the packet out of connection tracking.
 */
void ex_notrack(struct nftnl_rule *r)
{
	(void)add(r, "notrack");
}

/*
 * Answer a SYN in the target's name, or pass the client on that has answered
 * back (kernel: net/netfilter/nf_synproxy_core.c). Ends the rule.
 */
void ex_synproxy(struct nftnl_rule *r, uint16_t mss, uint8_t window_scale)
{
	struct nftnl_expr *e = add(r, "synproxy");

	if (!e)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_SYNPROXY_MSS, mss);
	nftnl_expr_set_u8(e, NFTNL_EXPR_SYNPROXY_WSCALE, window_scale);
	nftnl_expr_set_u32(e, NFTNL_EXPR_SYNPROXY_FLAGS,
			   NF_SYNPROXY_OPT_MSS | NF_SYNPROXY_OPT_WSCALE |
				   NF_SYNPROXY_OPT_SACK_PERM | NF_SYNPROXY_OPT_TIMESTAMP);
}

/*
 * Match the name of the incoming (NFT_META_IIFNAME) or outgoing interface.
 */
void ex_ifname(struct nftnl_rule *r, uint32_t key, const char *name)
{
	char padded[16] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	ex_meta(r, key, NFT_REG_1);
	ex_cmp(r, NFT_CMP_EQ, padded, sizeof(padded));
}

/*
 * Match IPv4 (4) or IPv6 (6) packets.
 */
void ex_family(struct nftnl_rule *r, uint8_t family)
{
	uint8_t proto = family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;

	ex_meta(r, NFT_META_NFPROTO, NFT_REG_1);
	ex_cmp(r, NFT_CMP_EQ, &proto, sizeof(proto));
}

/*
 * Match the transport protocol, behind IPv6 extension headers as well.
 */
void ex_proto(struct nftnl_rule *r, uint8_t proto)
{
	ex_meta(r, NFT_META_L4PROTO, NFT_REG_1);
	ex_cmp(r, NFT_CMP_EQ, &proto, sizeof(proto));
}

/*
 * Match one byte of a header.
 */
void ex_u8_at(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint8_t value)
{
	ex_payload(r, base, offset, 1);
	ex_cmp(r, NFT_CMP_EQ, &value, 1);
}

/*
 * Load the source or destination address into register 1. The rule must have
 * matched the family before.
 */
void ex_load_addr(struct nftnl_rule *r, uint8_t family, bool is_source)
{
	if (family == 4)
		ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, is_source ? 12 : 16, 4);
	else
		ex_payload(r, NFT_PAYLOAD_NETWORK_HEADER, is_source ? 8 : 24, 16);
}
