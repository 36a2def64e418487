/*
 * Building blocks of rules: one function, one nf_tables expression.
 * Register use: 1 (16 bytes) for what is compared, 2 for the second half of a
 * concatenation; fields of a concatenation stand at byte @at of register 1; a
 * translation takes 1 to 3.
 */
#ifndef LUYTRE_POL_EXPR_H
#define LUYTRE_POL_EXPR_H

#include <stdbool.h>
#include <stdint.h>
#include "net.h"

struct nftnl_rule;

/* Registers of a translation: addresses in 1 and 2, the port in 3. */
struct ex_nat {
	uint32_t type;   /* NFT_NAT_SNAT or NFT_NAT_DNAT */
	uint32_t family; /* NFPROTO_IPV4 or NFPROTO_IPV6 */
	bool is_range;   /* register 2 holds the last address */
	bool has_port;
	uint32_t flags; /* NF_NAT_RANGE_* beside those that follow from the above */
};

void ex_meta(struct nftnl_rule *r, uint32_t key, uint32_t reg);
void ex_cmp(struct nftnl_rule *r, uint32_t op, const void *data, uint32_t len);
void ex_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len);
void ex_mask(struct nftnl_rule *r, const void *mask, uint32_t len);
void ex_load_field(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len,
		   uint32_t at);
void ex_mask_field(struct nftnl_rule *r, const void *mask, uint32_t len, uint32_t at);
void ex_proto_field(struct nftnl_rule *r, uint32_t at);
void ex_lookup(struct nftnl_rule *r, const char *set, bool is_map);
void ex_lookup_not(struct nftnl_rule *r, const char *set);
void ex_goto(struct nftnl_rule *r, const char *chain);
void ex_jump(struct nftnl_rule *r, const char *chain);
void ex_exthdr(struct nftnl_rule *r, uint32_t op, uint8_t type, uint32_t offset,
	       uint32_t len, bool is_present);
void ex_fib(struct nftnl_rule *r, uint32_t result, uint32_t flags);
void ex_up_to_connections(struct nftnl_rule *r, const char *set, uint32_t max);
void ex_up_to_rate(struct nftnl_rule *r, const char *set, uint32_t per_minute);
void ex_value(struct nftnl_rule *r, uint32_t value);
void ex_before(struct nftnl_rule *r, int64_t utc_s);
void ex_notrack(struct nftnl_rule *r);
void ex_synproxy(struct nftnl_rule *r, uint16_t mss, uint8_t window_scale);
void ex_ct_state(struct nftnl_rule *r, uint32_t states);
void ex_ct_unconfirmed(struct nftnl_rule *r);
void ex_counter(struct nftnl_rule *r);
void ex_verdict(struct nftnl_rule *r, uint32_t verdict);
void ex_log(struct nftnl_rule *r, const char *prefix);
void ex_reject(struct nftnl_rule *r, uint32_t type, uint8_t code);
void ex_immediate(struct nftnl_rule *r, uint32_t reg, const void *data, uint32_t len);
void ex_ct_status(struct nftnl_rule *r, uint32_t mask, uint32_t value);
void ex_masquerade(struct nftnl_rule *r);
void ex_nat(struct nftnl_rule *r, const struct ex_nat *nat);
void ex_limit(struct nftnl_rule *r, uint64_t per_second, uint32_t burst);

void ex_ifname(struct nftnl_rule *r, uint32_t key, const char *name);
void ex_family(struct nftnl_rule *r, uint8_t family);
void ex_proto(struct nftnl_rule *r, uint8_t proto);
void ex_u8_at(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint8_t value);
void ex_load_addr(struct nftnl_rule *r, uint8_t family, bool is_source);

#endif
