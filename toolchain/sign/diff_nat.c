/*
 * Address translations in words, one sentence each, numbered through the three
 * lists: source, destination, prefix.
 */
#include "sign.h"

#include <string.h>

/*
 * How many translations a configuration has.
 */
size_t nat_count(const struct cfg *cfg)
{
	return cfg->nat.source_count + cfg->nat.destination_count + cfg->nat.prefix_count;
}

/*
 * Id of translation number @i.
 */
const char *nat_id(const struct cfg *cfg, size_t i)
{
	const struct cfg_nat *nat = &cfg->nat;

	if (i < nat->source_count)
		return nat->source[i].match.id;
	i -= nat->source_count;
	if (i < nat->destination_count)
		return nat->destination[i].match.id;
	return nat->prefix[i - nat->destination_count].id;
}

/*
 * Id of the translation behind number @i in the same list; NULL for the last one.
 */
const char *nat_before(const struct cfg *cfg, size_t i)
{
	const struct cfg_nat *nat = &cfg->nat;

	if (i + 1 == nat->source_count ||
	    i + 1 == nat->source_count + nat->destination_count ||
	    i + 1 == nat_count(cfg))
		return NULL;
	return nat_id(cfg, i + 1);
}

static void source_text(struct sbuf *b, const struct cfg_snat *s)
{
	const struct cfg_rule *m = &s->match;
	char text[CFG_RANGE_TEXT_BYTES];

	sbuf_putf(b, T("translation %s: ", "chuyển đổi địa chỉ %s: "), m->id);
	put_services(b, m);
	sbuf_putf(b, T(" from ", " từ "));
	put_zones(b, m->from, m->from_any);
	put_ranges(b, m->src, m->src_count);
	sbuf_putf(b, T(" to ", " đến "));
	put_zones(b, m->to, m->to_any);
	put_ranges(b, m->dst, m->dst_count);
	cfg_range_text(&s->to, text);
	if (s->is_masquerade)
		sbuf_putf(b, T(" leaves with the address of the outgoing port",
			       " đi ra bằng địa chỉ của cổng ra"));
	else
		sbuf_putf(b, T(" leaves as %s", " đi ra bằng địa chỉ %s"), text);
}

static void destination_text(struct sbuf *b, const struct cfg_dnat *d)
{
	const struct cfg_rule *m = &d->match;
	char text[NET_TEXT_BYTES];

	sbuf_putf(b, T("translation %s: ", "chuyển đổi địa chỉ %s: "), m->id);
	put_services(b, m);
	sbuf_putf(b, T(" from ", " từ "));
	put_zones(b, m->from, m->from_any);
	sbuf_putf(b, T(" for", " gửi đến"));
	put_ranges(b, m->dst, m->dst_count);
	sbuf_putf(b, T(" goes to %s in zone ", " được chuyển tới %s trong vùng "),
		  net_addr_text(&d->to, text));
	put_zones(b, m->to, false);
	if (d->port_lo && d->port_lo == d->port_hi)
		sbuf_putf(b, T(" port %u", " cổng dịch vụ %u"), d->port_lo);
	else if (d->port_lo)
		sbuf_putf(b, T(" ports %u-%u", " cổng dịch vụ %u-%u"), d->port_lo,
			  d->port_hi);
}

static void prefix_text(struct sbuf *b, const struct cfg_pnat *p)
{
	char in[NET_TEXT_BYTES], out[NET_TEXT_BYTES];

	sbuf_putf(
		b,
		T("translation %s: zone %s knows the network %s as %s, both ways",
		  "chuyển đổi địa chỉ %s: vùng %s thấy mạng %s dưới dạng %s, hai chiều"),
		p->id, cfg_zone_name(p->zone), net_prefix_text(&p->inside, in),
		net_prefix_text(&p->outside, out));
}

/*
 * Write translation number @i as a sentence.
 */
void nat_text(struct sbuf *b, const struct cfg *cfg, size_t i)
{
	const struct cfg_nat *nat = &cfg->nat;
	size_t d = i - nat->source_count, p = d - nat->destination_count;
	const char *comment;

	if (i < nat->source_count) {
		source_text(b, &nat->source[i]);
		comment = nat->source[i].match.comment;
	} else if (d < nat->destination_count) {
		destination_text(b, &nat->destination[d]);
		comment = nat->destination[d].match.comment;
	} else {
		prefix_text(b, &nat->prefix[p]);
		comment = nat->prefix[p].comment;
	}
	if (comment[0])
		sbuf_putf(b, " [%s]", comment);
}

/*
 * Say when translations that both configurations have stand in another order: the
 * first match decides.
 *
 * Returns the number of changes, 0 or 1.
 */
unsigned nat_moved(const struct cfg *old, const struct cfg *now, FILE *f)
{
	size_t last = 0;

	for (size_t i = 0; i < nat_count(now); i++) {
		size_t k = 0;

		while (k < nat_count(old) && strcmp(nat_id(old, k), nat_id(now, i)) != 0)
			k++;
		if (k == nat_count(old))
			continue;
		if (k < last) {
			(void)fprintf(f,
				      T("  ~ the order of translations changes: %s comes "
					"later than before\n",
					"  ~ thứ tự chuyển đổi địa chỉ thay đổi: %s đứng "
					"sau so với trước\n"),
				      nat_id(now, i));
			return 1;
		}
		last = k;
	}
	return 0;
}
