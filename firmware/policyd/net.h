/*
 * Addresses, prefixes and ranges of both families. Addresses are always 16
 * bytes in network byte order; IPv4 uses the first four, the rest is zero.
 */
#ifndef LUYTRE_POL_NET_H
#define LUYTRE_POL_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

#define NET_TEXT_BYTES 64

struct net_addr {
	uint8_t family; /* 4 or 6 */
	uint8_t b[16];
};

struct net_prefix {
	struct net_addr addr;
	uint8_t len;
};

struct net_range {
	uint8_t family;
	uint8_t lo[16];
	uint8_t hi[16]; /* inclusive */
};

unsigned net_addr_bytes(uint8_t family);
int net_addr_parse(const char *s, struct net_addr *out) MUST_CHECK;
int net_prefix_parse(const char *s, struct net_prefix *out) MUST_CHECK;
int net_range_parse(const char *s, struct net_range *out) MUST_CHECK;
const char *net_addr_text(const struct net_addr *a, char text[NET_TEXT_BYTES]);
const char *net_prefix_text(const struct net_prefix *p, char text[NET_TEXT_BYTES]);
struct net_prefix net_prefix_network(const struct net_prefix *p);
bool net_prefix_is_network(const struct net_prefix *p);
bool net_prefix_has(const struct net_prefix *p, const struct net_addr *a);
bool net_prefix_overlaps(const struct net_prefix *a, const struct net_prefix *b);
bool net_addr_is_unicast(const struct net_addr *a);
bool net_addr_eq(const struct net_addr *a, const struct net_addr *b);
struct net_range net_range_of(const struct net_prefix *p);
size_t net_range_merge(struct net_range *v, size_t n);
bool net_bytes_next(uint8_t *b, unsigned n);

#endif
