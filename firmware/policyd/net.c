#include "net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Length of an address: 4 for family 4, 16 for family 6.
 */
unsigned net_addr_bytes(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

/*
 * Parse a literal address. IPv4 only as four decimal parts; IPv6 without a
 * zone id; an IPv4-mapped IPv6 address is refused (it would name a host that
 * the IPv4 rules already name).
 *
 * Returns ERR_OK or ERR_FORMAT.
 */
int net_addr_parse(const char *s, struct net_addr *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct net_addr a;

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, s, a.b) == 1) {
		a.family = 4;
	} else if (inet_pton(AF_INET6, s, a.b) == 1) {
		a.family = 6;
		if (memcmp(a.b, mapped, sizeof(mapped)) == 0)
			return ERR_FORMAT;
	} else {
		return ERR_FORMAT;
	}
	*out = a;
	return ERR_OK;
}

/* Decimal 0..max without sign or leading zeros. */
static int parse_small(const char *s, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return ERR_FORMAT;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return ERR_FORMAT;
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max)
			return ERR_RANGE;
	}
	*out = v;
	return ERR_OK;
}

/*
 * Parse "address/length". The address keeps its host bits.
 *
 * Returns ERR_OK, ERR_SHORT (no length), ERR_FORMAT or ERR_RANGE.
 */
int net_prefix_parse(const char *s, struct net_prefix *out)
{
	const char *slash = strchr(s, '/');
	char host[NET_TEXT_BYTES];
	struct net_prefix p = {.len = 0};
	unsigned len;
	int r;

	if (!slash)
		return net_addr_parse(s, &p.addr) == ERR_OK ? ERR_SHORT : ERR_FORMAT;
	if ((size_t)(slash - s) >= sizeof(host))
		return ERR_FORMAT;
	memcpy(host, s, (size_t)(slash - s));
	host[slash - s] = '\0';
	r = net_addr_parse(host, &p.addr);
	if (r == ERR_OK)
		r = parse_small(slash + 1, net_addr_bytes(p.addr.family) * 8, &len);
	if (r != ERR_OK)
		return r;
	p.len = (uint8_t)len;
	*out = p;
	return ERR_OK;
}

/* Set or clear the host bits of a prefix in place. */
static void fill_host_bits(uint8_t *b, unsigned bytes, unsigned len, bool ones)
{
	for (unsigned i = 0; i < bytes; i++) {
		unsigned from = i * 8 >= len ? 0 : len - i * 8;
		uint8_t mask = (uint8_t)(from >= 8 ? 0 : 0xff >> from);

		b[i] = (uint8_t)(ones ? b[i] | mask : b[i] & ~mask);
	}
}

/*
 * The network of an interface address: host bits cleared.
 */
struct net_prefix net_prefix_network(const struct net_prefix *p)
{
	struct net_prefix n = *p;

	fill_host_bits(n.addr.b, net_addr_bytes(n.addr.family), n.len, false);
	return n;
}

/*
 * Whether a prefix is written as a network (no host bit set).
 */
bool net_prefix_is_network(const struct net_prefix *p)
{
	struct net_prefix n = net_prefix_network(p);

	return memcmp(n.addr.b, p->addr.b, sizeof(n.addr.b)) == 0;
}

/*
 * First and last address of a prefix.
 */
struct net_range net_range_of(const struct net_prefix *p)
{
	struct net_prefix n = net_prefix_network(p);
	struct net_range r = {.family = n.addr.family};

	memcpy(r.lo, n.addr.b, sizeof(r.lo));
	memcpy(r.hi, n.addr.b, sizeof(r.hi));
	fill_host_bits(r.hi, net_addr_bytes(r.family), n.len, true);
	return r;
}

/*
 * Parse one item of an address list: "address", "prefix" (host bits must be
 * zero) or "first-last".
 *
 * Returns ERR_OK, ERR_FORMAT or ERR_RANGE (host bits set, or first > last, or
 * two families).
 */
int net_range_parse(const char *s, struct net_range *out)
{
	const char *dash = strchr(s, '-');
	struct net_prefix p;
	struct net_addr hi;
	struct net_range r;
	char lo[NET_TEXT_BYTES];
	int err;

	if (dash) {
		if ((size_t)(dash - s) >= sizeof(lo))
			return ERR_FORMAT;
		memcpy(lo, s, (size_t)(dash - s));
		lo[dash - s] = '\0';
		if (net_addr_parse(lo, &p.addr) != ERR_OK ||
		    net_addr_parse(dash + 1, &hi) != ERR_OK)
			return ERR_FORMAT;
		if (p.addr.family != hi.family || memcmp(p.addr.b, hi.b, 16) > 0)
			return ERR_RANGE;
		memset(&r, 0, sizeof(r));
		r.family = hi.family;
		memcpy(r.lo, p.addr.b, sizeof(r.lo));
		memcpy(r.hi, hi.b, sizeof(r.hi));
		*out = r;
		return ERR_OK;
	}
	err = net_prefix_parse(s, &p);
	if (err == ERR_SHORT) {
		if (net_addr_parse(s, &p.addr) != ERR_OK)
			return ERR_FORMAT;
		p.len = (uint8_t)(net_addr_bytes(p.addr.family) * 8);
	} else if (err != ERR_OK) {
		return err;
	} else if (!net_prefix_is_network(&p)) {
		return ERR_RANGE;
	}
	*out = net_range_of(&p);
	return ERR_OK;
}

/*
 * Text of an address. Returns @text.
 */
const char *net_addr_text(const struct net_addr *a, char text[NET_TEXT_BYTES])
{
	if (!inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->b, text, NET_TEXT_BYTES))
		text[0] = '\0';
	return text;
}

/*
 * Text of a prefix, "address/length". Returns @text.
 */
const char *net_prefix_text(const struct net_prefix *p, char text[NET_TEXT_BYTES])
{
	char host[NET_TEXT_BYTES];

	(void)snprintf(text, NET_TEXT_BYTES, "%.50s/%u", net_addr_text(&p->addr, host),
		       p->len);
	return text;
}

/*
 * Whether a prefix contains an address of the same family.
 */
bool net_prefix_has(const struct net_prefix *p, const struct net_addr *a)
{
	struct net_range r = net_range_of(p);

	return p->addr.family == a->family && memcmp(r.lo, a->b, 16) <= 0 &&
	       memcmp(r.hi, a->b, 16) >= 0;
}

/*
 * Whether two prefixes share an address.
 */
bool net_prefix_overlaps(const struct net_prefix *a, const struct net_prefix *b)
{
	struct net_range ra = net_range_of(a), rb = net_range_of(b);

	return ra.family == rb.family && memcmp(ra.lo, rb.hi, 16) <= 0 &&
	       memcmp(rb.lo, ra.hi, 16) <= 0;
}

/*
 * Whether an address can belong to one host: not unspecified, loopback,
 * multicast, link-local (v6), 0/8 or 240/4.
 */
bool net_addr_is_unicast(const struct net_addr *a)
{
	static const uint8_t zero[15];

	if (a->family == 4)
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	if (memcmp(a->b, zero, 15) == 0 && a->b[15] <= 1)
		return false;
	return a->b[0] != 0xff && !(a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
}

/*
 * Whether two addresses are the same.
 */
bool net_addr_eq(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, 16) == 0;
}

static int range_cmp(const void *pa, const void *pb)
{
	const struct net_range *a = pa, *b = pb;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->lo, b->lo, 16);
}

/*
 * Add one to a big endian number of @n bytes. Returns false when it wraps.
 */
bool net_bytes_next(uint8_t *b, unsigned n)
{
	while (n-- > 0) {
		if (++b[n] != 0)
			return true;
	}
	return false;
}

/*
 * Sort ranges and join those that touch or overlap (kernel interval sets take
 * no overlaps).
 *
 * Returns the new number of ranges.
 */
size_t net_range_merge(struct net_range *v, size_t n)
{
	size_t out = 0;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), range_cmp);
	for (size_t i = 1; i < n; i++) {
		uint8_t next[16];
		bool is_last;

		memcpy(next, v[out].hi, sizeof(next));
		is_last = !net_bytes_next(next, net_addr_bytes(v[out].family));
		if (v[i].family == v[out].family &&
		    (is_last || memcmp(v[i].lo, next, 16) <= 0)) {
			if (memcmp(v[i].hi, v[out].hi, 16) > 0)
				memcpy(v[out].hi, v[i].hi, 16);
		} else {
			v[++out] = v[i];
		}
	}
	return out + 1;
}
