/*
 * Cells of maps: from a part's ranges to keys, and how keys stand to each other.
 */
#include "compile_map.h"

#include <string.h>

/* Prefix length of a range in one family, or -1 when it is no prefix. */
static int prefix_len(const struct net_range *v, unsigned bytes)
{
	int bits = 0;

	for (unsigned i = 0; i < bytes; i++) {
		unsigned differ = v->lo[i] ^ v->hi[i];

		if (differ == 0) {
			bits += 8;
			continue;
		}
		while (!(differ & 0x80)) {
			differ <<= 1;
			bits++;
		}
		/* from here on all bits must go from 0 to 1 */
		for (unsigned k = i; k < bytes; k++) {
			unsigned rest = k == i ? 0xffU >> (bits - (int)i * 8) : 0xffU;

			if ((v->lo[k] & rest) != 0 || (v->hi[k] & rest) != rest)
				return -1;
		}
		return bits;
	}
	return bits;
}

/*
 * The shape that holds any cell of a part.
 */
struct map_shape map_range_shape(const struct map_part *part)
{
	return (struct map_shape){.family = part->family,
				  .has_proto = part->proto != 0,
				  .has_port = part->port_count != 0,
				  .is_range = true};
}

/*
 * The hash shape of a cell.
 *
 * Returns false when only ranges can hold it.
 */
bool map_hash_shape(const struct map_part *part, const struct map_match *m,
		    struct map_shape *s)
{
	unsigned bytes = part->family ? net_addr_bytes(part->family) : 0;
	int src = m->src ? prefix_len(m->src, bytes) : 0;
	int dst = m->dst ? prefix_len(m->dst, bytes) : 0;

	*s = map_range_shape(part);
	s->is_range = false;
	if (src < 0 || dst < 0 || (m->port && m->port->lo != m->port->hi) ||
	    (src == 0 && dst == 0 && part->proto == 0))
		return false;
	s->src = (uint8_t)src;
	s->dst = (uint8_t)dst;
	return true;
}

/*
 * Whether cells of both can stand in one map.
 */
bool map_same_shape(const struct map_shape *a, const struct map_shape *b)
{
	return a->family == b->family && a->src == b->src && a->dst == b->dst &&
	       a->has_proto == b->has_proto && a->has_port == b->has_port &&
	       a->is_range == b->is_range;
}

/*
 * Clear all bits of an address behind the first @len.
 */
void map_mask(uint8_t *b, unsigned bytes, unsigned len)
{
	for (unsigned i = 0; i < bytes; i++) {
		unsigned bits = len > i * 8 ? len - i * 8 : 0;

		b[i] = (uint8_t)(bits >= 8 ? b[i] : b[i] & (0xff00U >> bits));
	}
}

/*
 * Lengths of the fields of a shape's key in bytes, 0 = left out.
 *
 * Returns how many there are.
 */
unsigned map_fields(const struct map_shape *s, uint32_t len[MAP_FIELDS])
{
	unsigned bytes = s->family ? net_addr_bytes(s->family) : 0, n = 0;

	len[0] = s->is_range || s->src ? bytes : 0;
	len[1] = s->is_range || s->dst ? bytes : 0;
	len[2] = s->has_proto ? 1 : 0;
	len[3] = s->has_port ? 2 : 0;
	for (unsigned i = 0; i < MAP_FIELDS; i++)
		n += len[i] != 0;
	return n;
}

/*
 * One cell as a key: each field begins at a multiple of 4 bytes, as registers do.
 */
struct map_cell map_cell(const struct map_shape *s, size_t part, uint8_t proto,
			 const struct map_match *m)
{
	const struct net_range *addr[2] = {m->src, m->dst};
	struct map_cell c = {.part = part};
	uint32_t len[MAP_FIELDS];
	size_t at = 0;

	(void)map_fields(s, len);
	for (unsigned i = 0; i < 2; i++) {
		if (len[i] == 0)
			continue;
		memset(c.hi + at, 0xff, len[i]);
		if (addr[i]) {
			memcpy(c.lo + at, addr[i]->lo, len[i]);
			memcpy(c.hi + at, addr[i]->hi, len[i]);
		}
		if (!s->is_range) {
			map_mask(c.lo + at, len[i], i == 0 ? s->src : s->dst);
			memcpy(c.hi + at, c.lo + at, len[i]);
		}
		at += len[i];
	}
	if (len[2]) {
		c.lo[at] = c.hi[at] = proto;
		at += 4;
	}
	if (len[3]) {
		c.lo[at] = (uint8_t)(m->port->lo >> 8);
		c.lo[at + 1] = (uint8_t)m->port->lo;
		c.hi[at] = (uint8_t)(m->port->hi >> 8);
		c.hi[at + 1] = (uint8_t)m->port->hi;
	}
	return c;
}

/*
 * How an earlier cell of the same shape stands to a new one.
 */
enum map_relation map_relate(const struct map_shape *s, const struct map_cell *old,
			     const struct map_cell *new)
{
	uint32_t len[MAP_FIELDS];
	bool covers = true;
	size_t at = 0;

	(void)map_fields(s, len);
	for (unsigned i = 0; i < MAP_FIELDS; i++) {
		if (len[i] == 0)
			continue;
		if (memcmp(old->hi + at, new->lo + at, len[i]) < 0 ||
		    memcmp(new->hi + at, old->lo + at, len[i]) < 0)
			return MAP_APART;
		covers &= memcmp(old->lo + at, new->lo + at, len[i]) <= 0 &&
			  memcmp(new->hi + at, old->hi + at, len[i]) <= 0;
		at += (len[i] + 3) & ~3U;
	}
	return covers ? MAP_COVERED : MAP_MEET;
}
