/*
 * Address translation: the lists "source", "prefix" and "destination" of "nat".
 * What is written is read here; what must hold between it and the rest of the
 * configuration is in cfg_nat_check.c.
 */
#include "cfg_int.h"

#include <netinet/in.h>
#include <string.h>

#include "span.h"

/* Ids of rules and translations are one name space: counters and logs name
 * them. */
static int check_id(struct reader *r, const char *id)
{
	const struct cfg *cfg = r->cfg;
	const struct cfg_nat *nat = &cfg->nat;
	bool is_taken = false;

	for (size_t i = 0; i < cfg->rule_count; i++)
		is_taken |= strcmp(cfg->rules[i].id, id) == 0;
	for (size_t i = 0; i < nat->source_count; i++)
		is_taken |= strcmp(nat->source[i].match.id, id) == 0;
	for (size_t i = 0; i < nat->prefix_count; i++)
		is_taken |= strcmp(nat->prefix[i].id, id) == 0;
	for (size_t i = 0; i < nat->destination_count; i++)
		is_taken |= strcmp(nat->destination[i].match.id, id) == 0;
	if (!is_taken)
		return ERR_OK;
	(void)rd_enter(r, ".id");
	return rd_failf(r, "rename this one: rules and translations share their ids",
			"the id \"%s\" is used twice", id);
}

static int read_labels(struct reader *r, const json_t *j, struct cfg_rule *match)
{
	match->action = CFG_DROP;
	if (cfg_labels(r, j, match) != ERR_OK)
		return ERR_REFUSED;
	return check_id(r, match->id);
}

static int read_zone_list(struct reader *r, const json_t *j, const char *key,
			  uint32_t *mask, bool *any)
{
	size_t mark = rd_enter(r, ".%s", key);

	if (cfg_zones(r, json_object_get(j, key), mask, any) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

/* "masquerade": true, or "address": one address, a network or a range. */
static int read_translation(struct reader *r, const json_t *j, struct cfg_snat *s)
{
	const json_t *masquerade = json_object_get(j, "masquerade");
	const json_t *address = json_object_get(j, "address");
	size_t mark = rd_enter(r, "%s", masquerade ? ".masquerade" : ".address");
	const char *text;

	if (!masquerade == !address) {
		rd_leave(r, mark);
		return rd_fail(r, "a source translation has exactly one result",
			       "write \"masquerade\": true or \"address\": \"...\"");
	}
	s->is_masquerade = masquerade != NULL;
	if (masquerade && !json_is_true(masquerade))
		return rd_fail(r, "not true", "write true, or use \"address\"");
	if (address) {
		if (rd_string(r, address, &text) != ERR_OK)
			return ERR_REFUSED;
		if (net_range_parse(text, &s->to) != ERR_OK)
			return rd_failf(r, "write 10.200.1.2 or 10.200.99.1-10.200.99.9",
					"\"%.90s\" is not an address or range", text);
	}
	rd_leave(r, mark);
	return ERR_OK;
}

static int read_source(struct reader *r, const json_t *j, struct cfg_snat *s)
{
	static const struct key keys[] = {{"id", true},           {"from", true},
					  {"to", true},           {"source", false},
					  {"service", false},     {"masquerade", false},
					  {"destination", false}, {"address", false},
					  {"comment", false},     {NULL, false}};

	if (rd_object(r, j, keys) != ERR_OK || read_labels(r, j, &s->match) != ERR_OK)
		return ERR_REFUSED;
	if (read_zone_list(r, j, "from", &s->match.from, &s->match.from_any) ||
	    read_zone_list(r, j, "to", &s->match.to, &s->match.to_any))
		return ERR_REFUSED;
	if (cfg_selectors(r, j, &s->match) != ERR_OK ||
	    read_translation(r, j, s) != ERR_OK)
		return ERR_REFUSED;
	return cfg_check_snat(r, s);
}

/* A port as a number, or "first-last". */
static int read_to_port(struct reader *r, const json_t *j, struct cfg_dnat *d)
{
	const char *text = json_string_value(j);
	const char *dash = text ? strchr(text, '-') : NULL;
	uint64_t lo = 0, hi = 0;
	int err = ERR_OK;

	if (json_is_integer(j) && json_integer_value(j) > 0) {
		lo = hi = (uint64_t)json_integer_value(j);
	} else if (dash) {
		err = span_to_u64(span_of(text, (size_t)(dash - text)), 65535, &lo);
		if (err == ERR_OK)
			err = span_to_u64(span_str(dash + 1), 65535, &hi);
	}
	if (err != ERR_OK || lo == 0 || lo > hi || hi > 65535)
		return rd_fail(r, "not a port", "write 8080 or \"8000-8010\"");
	d->port_lo = (uint16_t)lo;
	d->port_hi = (uint16_t)hi;
	return ERR_OK;
}

static int read_target(struct reader *r, const json_t *j, struct cfg_dnat *d)
{
	size_t mark = rd_enter(r, ".to_address");
	const json_t *port = json_object_get(j, "to_port");
	const char *text;

	if (rd_string(r, json_object_get(j, "to_address"), &text) != ERR_OK)
		return ERR_REFUSED;
	if (net_addr_parse(text, &d->to) != ERR_OK || !net_addr_is_unicast(&d->to))
		return rd_failf(r, "write the address of one inside host",
				"\"%.45s\" is not the address of a host", text);
	rd_leave(r, mark);
	mark = rd_enter(r, ".to_port");
	if (port && read_to_port(r, port, d) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

static int read_destination(struct reader *r, const json_t *j, struct cfg_dnat *d)
{
	static const struct key keys[] = {{"id", true},         {"from", true},
					  {"address", true},    {"service", true},
					  {"to_port", false},   {"comment", false},
					  {"to_address", true}, {NULL, false}};
	struct cfg_rule *m = &d->match;
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK || read_labels(r, j, m) != ERR_OK ||
	    read_zone_list(r, j, "from", &m->from, &m->from_any) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".address");
	if (cfg_ranges(r, json_object_get(j, "address"), &m->dst, &m->dst_count))
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".service");
	if (cfg_service_list(r, json_object_get(j, "service"), &m->svc, &m->svc_count))
		return ERR_REFUSED;
	rd_leave(r, mark);
	if (read_target(r, j, d) != ERR_OK)
		return ERR_REFUSED;
	return cfg_check_dnat(r, d);
}

static int read_network(struct reader *r, const json_t *j, const char *key,
			struct net_prefix *out)
{
	size_t mark = rd_enter(r, ".%s", key);
	const char *s;

	if (rd_string(r, json_object_get(j, key), &s) != ERR_OK)
		return ERR_REFUSED;
	if (net_prefix_parse(s, out) != ERR_OK || !net_prefix_is_network(out) ||
	    out->len == 0)
		return rd_failf(r, "write a network without host bits: \"10.1.2.0/24\"",
				"\"%.45s\" is not a network", s);
	rd_leave(r, mark);
	return ERR_OK;
}

static int read_prefix(struct reader *r, const json_t *j, struct cfg_pnat *p)
{
	static const struct key keys[] = {{"id", true},       {"zone", true},
					  {"inside", true},   {"outside", true},
					  {"comment", false}, {NULL, false}};
	struct cfg_rule labels;
	const char *s;
	unsigned z = 0;
	size_t mark;

	memset(&labels, 0, sizeof(labels));
	if (rd_object(r, j, keys) != ERR_OK || read_labels(r, j, &labels) != ERR_OK)
		return ERR_REFUSED;
	memcpy(p->id, labels.id, sizeof(p->id));
	memcpy(p->comment, labels.comment, sizeof(p->comment));
	mark = rd_enter(r, ".zone");
	if (rd_string(r, json_object_get(j, "zone"), &s) != ERR_OK)
		return ERR_REFUSED;
	while (z < ZONE_COUNT && strcmp(s, cfg_zone_name((enum zone)z)) != 0)
		z++;
	if (z == ZONE_COUNT)
		return rd_failf(r, "name the zone of the far side: \"tslcd\"",
				"there is no zone \"%.40s\"", s);
	p->zone = (enum zone)z;
	rd_leave(r, mark);
	if (read_network(r, j, "inside", &p->inside) != ERR_OK ||
	    read_network(r, j, "outside", &p->outside) != ERR_OK)
		return ERR_REFUSED;
	return cfg_check_pnat(r, p);
}

/* One of the three lists; @one reads one item. */
static int read_list(struct reader *r, const json_t *nat, const char *key,
		     size_t size_bytes, void **out, size_t *count,
		     int (*one)(struct reader *r, const json_t *j, void *item))
{
	const json_t *list = json_object_get(nat, key);
	size_t mark = rd_enter(r, ".%s", key);
	size_t n = 0;
	char *v;

	if (list && rd_array(r, list, CONFIG_CFG_MAX_NAT, "CFG_MAX_NAT", &n) != ERR_OK)
		return ERR_REFUSED;
	v = rd_take(r, n, size_bytes);
	if (!v)
		return ERR_REFUSED;
	*out = v;
	for (size_t i = 0; i < n; i++) {
		size_t inner = rd_enter(r, "[%zu]", i);

		if (one(r, json_array_get(list, i), v + i * size_bytes) != ERR_OK)
			return ERR_REFUSED;
		*count = i + 1; /* the next one is compared with those before it */
		rd_leave(r, inner);
	}
	rd_leave(r, mark);
	return ERR_OK;
}

static int one_source(struct reader *r, const json_t *j, void *item)
{
	return read_source(r, j, item);
}

static int one_prefix(struct reader *r, const json_t *j, void *item)
{
	return read_prefix(r, j, item);
}

static int one_destination(struct reader *r, const json_t *j, void *item)
{
	return read_destination(r, j, item);
}

/*
 * Read "nat"; ports, routes and rules were read before.
 *
 * @nat  NULL when the key is not there: nothing is translated
 */
int cfg_read_nat(struct reader *r, const json_t *nat)
{
	static const struct key keys[] = {{"source", false},
					  {"destination", false},
					  {"prefix", false},
					  {NULL, false}};
	struct cfg_nat *to = &r->cfg->nat;

	if (!nat)
		return ERR_OK;
	if (rd_object(r, nat, keys) != ERR_OK ||
	    read_list(r, nat, "source", sizeof(*to->source), (void **)&to->source,
		      &to->source_count, one_source) != ERR_OK ||
	    read_list(r, nat, "prefix", sizeof(*to->prefix), (void **)&to->prefix,
		      &to->prefix_count, one_prefix) != ERR_OK)
		return ERR_REFUSED;
	return read_list(r, nat, "destination", sizeof(*to->destination),
			 (void **)&to->destination, &to->destination_count,
			 one_destination);
}
