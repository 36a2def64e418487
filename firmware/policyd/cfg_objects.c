/*
 * Named address objects and services, and the lists that use them.
 */
#include "cfg_int.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct cfg_named *find_named(struct cfg_named *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(v[i].name, name))
			return &v[i];
	}
	return NULL;
}

static int read_object(struct reader *r, struct cfg_named *object);

/* Growing list of one kind while an object or a rule is read. */
struct growing {
	struct net_range *ranges;
	struct cfg_service *services;
	size_t count;
};

static int grow(struct reader *r, struct growing *g, const void *items, size_t n,
		size_t size_bytes)
{
	size_t max = CONFIG_CFG_MAX_OBJECT_ITEMS;
	char *base = g->ranges ? (char *)g->ranges : (char *)g->services;

	if (n > max - g->count)
		return rd_failf(r, "split it, or summarise addresses into networks",
				"more than CFG_MAX_OBJECT_ITEMS = %zu entries", max);
	memcpy(base + g->count * size_bytes, items, n * size_bytes);
	g->count += n;
	return ERR_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most CFG_OBJECT_DEPTH levels */
static int add_range_item(struct reader *r, const json_t *j, struct growing *g)
{
	struct cfg_named *object;
	struct net_range range;
	const char *s;
	int err;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	object = find_named(r->cfg->objects, r->cfg->object_count, s);
	if (object) {
		if (object->state == 1)
			return rd_failf(r, "take one reference out of the circle",
					"the object \"%s\" contains itself", s);
		if (object->state == 0 && read_object(r, object) != ERR_OK)
			return ERR_REFUSED;
		return grow(r, g, object->ranges, object->count, sizeof(range));
	}
	err = net_range_parse(s, &range);
	if (err == ERR_RANGE)
		return rd_failf(r,
				"clear the host bits (10.1.2.0/24), or order first-last",
				"\"%.90s\" is not a network or range", s);
	if (err != ERR_OK)
		return rd_failf(
			r, "define the object, or write an address, network or range",
			"\"%.90s\" is neither an object nor an address", s);
	return grow(r, g, &range, 1, sizeof(range));
}

/*
 * Read a list of addresses, networks, ranges and object names.
 *
 * @out  merged and sorted, memory of the configuration; at least one range
 */
/* NOLINTNEXTLINE(misc-no-recursion): at most CFG_OBJECT_DEPTH levels */
int cfg_ranges(struct reader *r, const json_t *list, struct net_range **out,
	       size_t *count)
{
	struct growing g = {.count = 0};
	size_t n;
	int err = ERR_REFUSED;

	if (rd_array(r, list, CONFIG_CFG_MAX_OBJECT_ITEMS, "CFG_MAX_OBJECT_ITEMS", &n))
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the list is empty",
			       "add an address, or leave the key out to mean any");
	g.ranges = calloc(CONFIG_CFG_MAX_OBJECT_ITEMS, sizeof(*g.ranges));
	if (!g.ranges)
		return rd_fail(r, "out of memory", "make the configuration smaller");
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (add_range_item(r, json_array_get(list, i), &g) != ERR_OK)
			goto out;
		rd_leave(r, mark);
	}
	g.count = net_range_merge(g.ranges, g.count);
	*out = rd_take(r, g.count, sizeof(**out));
	if (!*out)
		goto out;
	memcpy(*out, g.ranges, g.count * sizeof(**out));
	*count = g.count;
	err = ERR_OK;
out:
	free(g.ranges);
	return err;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most CFG_OBJECT_DEPTH levels */
static int read_object(struct reader *r, struct cfg_named *object)
{
	char saved[sizeof(r->path)];
	size_t saved_len = r->path_len;

	memcpy(saved, r->path, sizeof(saved));
	rd_leave(r, 0);
	(void)rd_enter(r, "$.objects.%s", object->name);
	if (++r->object_depth > CFG_OBJECT_DEPTH)
		return rd_fail(r, "objects are nested too deep",
			       "name the addresses directly; at most %d levels",
			       CFG_OBJECT_DEPTH);
	object->state = 1;
	if (cfg_ranges(r, object->json, &object->ranges, &object->count) != ERR_OK)
		return ERR_REFUSED;
	object->state = 2;
	r->object_depth--;
	memcpy(r->path, saved, sizeof(saved));
	r->path_len = saved_len;
	return ERR_OK;
}

/* "N", "N-M" or "*": ports in host byte order. */
static int parse_ports(const char *s, struct cfg_service *svc)
{
	const char *dash = strchr(s, '-');
	struct span hi = span_str(dash ? dash + 1 : s);
	struct span lo = dash ? span_of(s, (size_t)(dash - s)) : hi;
	uint64_t a, b;

	if (!strcmp(s, "*"))
		return ERR_OK;
	if (span_to_u64(lo, 65535, &a) != ERR_OK ||
	    span_to_u64(hi, 65535, &b) != ERR_OK || a == 0 || a > b)
		return ERR_FORMAT;
	svc->has_ports = true;
	svc->lo = (uint16_t)a;
	svc->hi = (uint16_t)b;
	return ERR_OK;
}

/* "type", "type/code" or "*" */
static int parse_icmp(const char *s, struct cfg_service *svc)
{
	const char *slash = strchr(s, '/');
	struct span type = slash ? span_of(s, (size_t)(slash - s)) : span_str(s);
	uint64_t v;

	if (!strcmp(s, "*"))
		return ERR_OK;
	if (span_to_u64(type, 255, &v) != ERR_OK)
		return ERR_FORMAT;
	svc->has_type = true;
	svc->type = (uint8_t)v;
	if (slash) {
		if (span_to_u64(span_str(slash + 1), 255, &v) != ERR_OK)
			return ERR_FORMAT;
		svc->has_code = true;
		svc->code = (uint8_t)v;
	}
	return ERR_OK;
}

static int parse_service(const char *s, struct cfg_service *out)
{
	static const struct {
		const char *prefix;
		uint8_t proto;
	} kinds[] = {{"tcp/", IPPROTO_TCP},
		     {"udp/", IPPROTO_UDP},
		     {"icmp/", IPPROTO_ICMP},
		     {"icmpv6/", IPPROTO_ICMPV6},
		     {"proto/", 0}};
	struct cfg_service svc = {.proto = 0};
	uint64_t v;
	int err = ERR_FORMAT;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].prefix);

		if (strncmp(s, kinds[i].prefix, n) != 0)
			continue;
		svc.proto = kinds[i].proto;
		if (i < 2) {
			err = parse_ports(s + n, &svc);
		} else if (i < 4) {
			err = parse_icmp(s + n, &svc);
		} else if (span_to_u64(span_str(s + n), 254, &v) == ERR_OK && v > 0) {
			svc.proto = (uint8_t)v;
			err = ERR_OK;
		}
		break;
	}
	if (err == ERR_OK)
		*out = svc;
	return err;
}

static int add_service_item(struct reader *r, const json_t *j, struct growing *g)
{
	struct cfg_named *named;
	struct cfg_service svc;
	const char *s;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	named = find_named(r->cfg->services, r->cfg->service_count, s);
	if (named) {
		if (named->state != 2)
			return rd_failf(r, "write the ports here, or define it earlier",
					"the service \"%s\" is not defined yet", s);
		return grow(r, g, named->services, named->count, sizeof(svc));
	}
	if (parse_service(s, &svc) != ERR_OK)
		return rd_failf(r,
				"write tcp/80, udp/1000-2000, tcp/*, icmp/8, icmp/3/4, "
				"icmpv6/128 or proto/47, or define the service",
				"\"%.40s\" is not a service", s);
	return grow(r, g, &svc, 1, sizeof(svc));
}

/*
 * Read a list of services, literal or by name, in the given order.
 */
int cfg_service_list(struct reader *r, const json_t *list, struct cfg_service **out,
		     size_t *count)
{
	struct growing g = {.count = 0};
	int err = ERR_REFUSED;
	size_t n;

	if (rd_array(r, list, CONFIG_CFG_MAX_OBJECT_ITEMS, "CFG_MAX_OBJECT_ITEMS", &n))
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the list is empty",
			       "add a service, or leave the key out to mean any");
	g.services = calloc(CONFIG_CFG_MAX_OBJECT_ITEMS, sizeof(*g.services));
	if (!g.services)
		return rd_fail(r, "out of memory", "make the configuration smaller");
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (add_service_item(r, json_array_get(list, i), &g) != ERR_OK)
			goto out;
		rd_leave(r, mark);
	}
	*out = rd_take(r, g.count, sizeof(**out));
	if (!*out)
		goto out;
	memcpy(*out, g.services, g.count * sizeof(**out));
	*count = g.count;
	err = ERR_OK;
out:
	free(g.services);
	return err;
}

/* Names of all objects (or services) first, so that order does not matter. */
static int read_names(struct reader *r, const json_t *j, size_t max, const char *limit,
		      struct cfg_named **out, size_t *count)
{
	struct cfg_named *v;
	const char *name;
	json_t *value;
	size_t n = 0;

	if (j && !json_is_object(j))
		return rd_fail(r, "expected an object", "write { \"name\": [ ... ] }");
	if (j && json_object_size(j) > max)
		return rd_failf(r, "remove some, or build with a larger limit",
				"%zu names are over the limit %s = %zu",
				json_object_size(j), limit, max);
	v = rd_take(r, j ? json_object_size(j) : 0, sizeof(*v));
	if (!v)
		return ERR_REFUSED;
	json_object_foreach((json_t *)(uintptr_t)j, name, value)
	{
		size_t mark = rd_enter(r, ".%s", name);
		struct net_range range;
		json_t *text = json_string(name);
		int err = text ? rd_id(r, text, v[n].name) : ERR_REFUSED;

		json_decref(text);
		if (err != ERR_OK)
			return ERR_REFUSED;
		if (net_range_parse(name, &range) == ERR_OK || !strcmp(name, "any"))
			return rd_fail(r, "the name reads as an address or as \"any\"",
				       "choose another name");
		v[n++].json = value;
		rd_leave(r, mark);
	}
	*out = v;
	*count = n;
	return ERR_OK;
}

/*
 * Read all named objects and services. Objects may contain other objects;
 * circles are refused.
 */
int cfg_read_objects(struct reader *r, const json_t *objects, const json_t *services)
{
	struct cfg *cfg = r->cfg;
	size_t mark = rd_enter(r, ".objects");

	if (read_names(r, objects, CONFIG_CFG_MAX_OBJECTS, "CFG_MAX_OBJECTS",
		       &cfg->objects, &cfg->object_count) != ERR_OK)
		return ERR_REFUSED;
	for (size_t i = 0; i < cfg->object_count; i++) {
		if (cfg->objects[i].state == 0 &&
		    read_object(r, &cfg->objects[i]) != ERR_OK)
			return ERR_REFUSED;
	}
	rd_leave(r, mark);
	mark = rd_enter(r, ".services");
	if (read_names(r, services, CONFIG_CFG_MAX_SERVICES, "CFG_MAX_SERVICES",
		       &cfg->services, &cfg->service_count) != ERR_OK)
		return ERR_REFUSED;
	for (size_t i = 0; i < cfg->service_count; i++) {
		struct cfg_named *named = &cfg->services[i];
		size_t inner = rd_enter(r, ".%s", named->name);

		if (cfg_service_list(r, named->json, &named->services, &named->count))
			return ERR_REFUSED;
		named->state = 2;
		rd_leave(r, inner);
	}
	rd_leave(r, mark);
	return ERR_OK;
}
