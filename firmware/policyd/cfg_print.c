/*
 * The canonical form: what the reader understood, written as a configuration
 * again. Objects and services stand resolved in the rules, addresses sorted
 * and merged. Reading it gives the same policy and the same canonical form.
 */
#include "cfg_int.h"

#include <netinet/in.h>
#include <string.h>

/*
 * Write a range as the configuration does: one address, a prefix, or "lo-hi".
 */
void cfg_range_text(const struct net_range *v, char text[CFG_RANGE_TEXT_BYTES])
{
	unsigned bytes = net_addr_bytes(v->family);
	struct net_addr lo = {.family = v->family}, hi = {.family = v->family};
	char a[NET_TEXT_BYTES], b[NET_TEXT_BYTES];
	struct net_prefix p;

	memcpy(lo.b, v->lo, sizeof(lo.b));
	memcpy(hi.b, v->hi, sizeof(hi.b));
	if (net_addr_eq(&lo, &hi)) {
		(void)snprintf(text, CFG_RANGE_TEXT_BYTES, "%s", net_addr_text(&lo, a));
		return;
	}
	p.addr = lo;
	for (unsigned len = 0; len < bytes * 8; len++) {
		struct net_range whole;

		p.len = (uint8_t)len;
		whole = net_range_of(&p);
		if (memcmp(whole.lo, v->lo, 16) == 0 &&
		    memcmp(whole.hi, v->hi, 16) == 0) {
			(void)snprintf(text, CFG_RANGE_TEXT_BYTES, "%s",
				       net_prefix_text(&p, a));
			return;
		}
	}
	(void)snprintf(text, CFG_RANGE_TEXT_BYTES, "%s-%s", net_addr_text(&lo, a),
		       net_addr_text(&hi, b));
}

static json_t *range_text(const struct net_range *v)
{
	char text[CFG_RANGE_TEXT_BYTES];

	cfg_range_text(v, text);
	return json_string(text);
}

static json_t *range_list(const struct net_range *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, range_text(&v[i]));
	return list;
}

/*
 * Write a service as the configuration does.
 */
void cfg_service_text(const struct cfg_service *s, char text[CFG_SERVICE_TEXT_BYTES])
{
	const char *kind = s->proto == IPPROTO_TCP    ? "tcp"
			   : s->proto == IPPROTO_UDP  ? "udp"
			   : s->proto == IPPROTO_ICMP ? "icmp"
						      : "icmpv6";
	const size_t max = CFG_SERVICE_TEXT_BYTES;
	bool is_port = s->proto == IPPROTO_TCP || s->proto == IPPROTO_UDP;
	bool is_icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6;

	if (!is_port && !is_icmp)
		(void)snprintf(text, max, "proto/%u", s->proto);
	else if ((is_port && !s->has_ports) || (is_icmp && !s->has_type))
		(void)snprintf(text, max, "%s/*", kind);
	else if (is_port && s->lo != s->hi)
		(void)snprintf(text, max, "%s/%u-%u", kind, s->lo, s->hi);
	else if (is_port)
		(void)snprintf(text, max, "%s/%u", kind, s->lo);
	else if (s->has_code)
		(void)snprintf(text, max, "%s/%u/%u", kind, s->type, s->code);
	else
		(void)snprintf(text, max, "%s/%u", kind, s->type);
}

static json_t *service_text(const struct cfg_service *s)
{
	char text[CFG_SERVICE_TEXT_BYTES];

	cfg_service_text(s, text);
	return json_string(text);
}

static json_t *service_list(const struct cfg_service *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, service_text(&v[i]));
	return list;
}

static json_t *zone_list(uint32_t mask, bool is_any)
{
	json_t *list = json_array();

	if (is_any) {
		(void)json_array_append_new(list, json_string("any"));
		return list;
	}
	for (unsigned z = 0; z < ZONE_COUNT; z++) {
		if (mask & (1U << z))
			(void)json_array_append_new(
				list, json_string(cfg_zone_name((enum zone)z)));
	}
	return list;
}

static json_t *port_names(const struct cfg *cfg, uint32_t mask)
{
	json_t *list = json_array();

	for (size_t p = 0; p < cfg->port_count; p++) {
		if (mask & (1U << p))
			(void)json_array_append_new(list,
						    json_string(cfg->ports[p].name));
	}
	return list;
}

static json_t *hw_object(const struct cfg_hw *hw)
{
	return json_pack("{s:s}", cfg_hw_kind(hw), hw->text);
}

static json_t *prefix_list(const struct net_prefix *v, size_t n)
{
	json_t *list = json_array();
	char text[NET_TEXT_BYTES];

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list,
					    json_string(net_prefix_text(&v[i], text)));
	return list;
}

static json_t *peer_object(const struct cfg_peer *peer)
{
	char key[CFG_KEY_TEXT_BYTES], endpoint[CFG_ENDPOINT_TEXT_BYTES];
	json_t *j = json_object();

	cfg_key_text(peer->key, key);
	(void)json_object_set_new(j, "public_key", json_string(key));
	if (peer->has_endpoint) {
		cfg_endpoint_text(peer, endpoint);
		(void)json_object_set_new(j, "endpoint", json_string(endpoint));
	}
	(void)json_object_set_new(j, "allowed",
				  prefix_list(peer->allowed, peer->allowed_count));
	if (peer->keepalive_s)
		(void)json_object_set_new(j, "keepalive",
					  json_integer(peer->keepalive_s));
	return j;
}

static json_t *tunnel_object(const struct cfg_port *p)
{
	json_t *peers = json_array();
	json_t *j;

	for (size_t i = 0; i < p->peer_count; i++)
		(void)json_array_append_new(peers, peer_object(&p->peers[i]));
	j = json_pack("{s:i, s:o}", "listen", (int)p->listen, "peers", peers);
	if (p->is_roaming)
		(void)json_object_set_new(j, "roaming", json_true());
	return j;
}

static json_t *bridge_object(const struct cfg_port *p)
{
	json_t *members = json_array();

	for (size_t i = 0; i < p->member_count; i++)
		(void)json_array_append_new(members, hw_object(&p->members[i]));
	return json_pack("{s:o}", "members", members);
}

static json_t *port_object(const struct cfg *cfg, const struct cfg_port *p)
{
	json_t *j = json_pack("{s:s}", "name", p->name);

	switch (p->kind) {
	case CFG_VLAN:
		(void)json_object_set_new(j, "vlan",
					  json_pack("{s:s, s:i}", "of",
						    cfg->ports[p->vlan_of].name, "id",
						    (int)p->vlan_id));
		break;
	case CFG_BRIDGE:
		(void)json_object_set_new(j, "bridge", bridge_object(p));
		break;
	case CFG_WIREGUARD:
		(void)json_object_set_new(j, "wireguard", tunnel_object(p));
		break;
	case CFG_HARDWARE:
	default:
		(void)json_object_set_new(j, "match", hw_object(&p->hw));
		break;
	}
	if (p->zone != ZONE_NONE)
		(void)json_object_set_new(j, "zone", json_string(cfg_zone_name(p->zone)));
	(void)json_object_set_new(j, "addresses", prefix_list(p->addrs, p->addr_count));
	return j;
}

static void put_number(json_t *j, const char *key, uint32_t n)
{
	if (n)
		(void)json_object_set_new(j, key, json_integer((json_int_t)n));
}

static void put_limits(json_t *j, const struct cfg_rule *r)
{
	const struct cfg_rule_limit *l = &r->limit;
	char text[CFG_TIME_TEXT_BYTES];
	json_t *limit = json_object();

	put_number(limit, "connections", l->connections);
	put_number(limit, "connections_per_source", l->source_connections);
	put_number(limit, "new_per_source", l->source_new);
	put_number(limit, "half_open", l->half_open);
	if (json_object_size(limit))
		(void)json_object_set(j, "limit", limit);
	json_decref(limit);
	if (r->valid_until_s) {
		cfg_time_text(r->valid_until_s, text);
		(void)json_object_set_new(j, "valid_until", json_string(text));
	}
}

static json_t *rule_object(const struct cfg *cfg, const struct cfg_rule *r)
{
	json_t *j = json_pack("{s:s, s:o, s:o}", "id", r->id, "from",
			      zone_list(r->from, r->from_any), "to",
			      zone_list(r->to, r->to_any));

	if (r->in_ports)
		(void)json_object_set_new(j, "in", port_names(cfg, r->in_ports));
	if (r->out_ports)
		(void)json_object_set_new(j, "out", port_names(cfg, r->out_ports));
	if (r->src_count)
		(void)json_object_set_new(j, "source", range_list(r->src, r->src_count));
	if (r->dst_count)
		(void)json_object_set_new(j, "destination",
					  range_list(r->dst, r->dst_count));
	if (r->svc_count)
		(void)json_object_set_new(j, "service",
					  service_list(r->svc, r->svc_count));
	(void)json_object_set_new(j, "action", json_string(cfg_action_name(r->action)));
	if (r->log)
		(void)json_object_set_new(j, "log", json_true());
	put_limits(j, r);
	if (r->comment[0])
		(void)json_object_set_new(j, "comment", json_string(r->comment));
	return j;
}

static void put_comment(json_t *j, const char *comment)
{
	if (comment[0])
		(void)json_object_set_new(j, "comment", json_string(comment));
}

static json_t *snat_object(const struct cfg_snat *s)
{
	const struct cfg_rule *m = &s->match;
	json_t *j = json_pack("{s:s, s:o, s:o}", "id", m->id, "from",
			      zone_list(m->from, m->from_any), "to",
			      zone_list(m->to, m->to_any));

	if (m->src_count)
		(void)json_object_set_new(j, "source", range_list(m->src, m->src_count));
	if (m->dst_count)
		(void)json_object_set_new(j, "destination",
					  range_list(m->dst, m->dst_count));
	if (m->svc_count)
		(void)json_object_set_new(j, "service",
					  service_list(m->svc, m->svc_count));
	if (s->is_masquerade)
		(void)json_object_set_new(j, "masquerade", json_true());
	else
		(void)json_object_set_new(j, "address", range_text(&s->to));
	put_comment(j, m->comment);
	return j;
}

static json_t *dnat_object(const struct cfg_dnat *d)
{
	const struct cfg_rule *m = &d->match;
	char to[NET_TEXT_BYTES], port[CFG_SERVICE_TEXT_BYTES];
	json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:s}", "id", m->id, "from",
			      zone_list(m->from, m->from_any), "address",
			      range_list(m->dst, m->dst_count), "service",
			      service_list(m->svc, m->svc_count), "to_address",
			      net_addr_text(&d->to, to));

	(void)snprintf(port, sizeof(port), "%u-%u", d->port_lo, d->port_hi);
	if (d->port_lo)
		(void)json_object_set_new(j, "to_port",
					  d->port_lo == d->port_hi
						  ? json_integer(d->port_lo)
						  : json_string(port));
	put_comment(j, m->comment);
	return j;
}

static json_t *pnat_object(const struct cfg_pnat *p)
{
	char in[NET_TEXT_BYTES], out[NET_TEXT_BYTES];
	json_t *j = json_pack("{s:s, s:s, s:s, s:s}", "id", p->id, "zone",
			      cfg_zone_name(p->zone), "inside",
			      net_prefix_text(&p->inside, in), "outside",
			      net_prefix_text(&p->outside, out));

	put_comment(j, p->comment);
	return j;
}

/* Nothing translated: no key. */
static void put_nat(json_t *root, const struct cfg_nat *nat)
{
	json_t *source = json_array(), *destination = json_array();
	json_t *prefix = json_array();

	for (size_t i = 0; i < nat->source_count; i++)
		(void)json_array_append_new(source, snat_object(&nat->source[i]));
	for (size_t i = 0; i < nat->destination_count; i++)
		(void)json_array_append_new(destination,
					    dnat_object(&nat->destination[i]));
	for (size_t i = 0; i < nat->prefix_count; i++)
		(void)json_array_append_new(prefix, pnat_object(&nat->prefix[i]));
	if (nat->source_count || nat->destination_count || nat->prefix_count)
		(void)json_object_set_new(root, "nat",
					  json_pack("{s:O, s:O, s:O}", "source", source,
						    "destination", destination, "prefix",
						    prefix));
	json_decref(source);
	json_decref(destination);
	json_decref(prefix);
}

static json_t *route_list(const struct cfg *cfg)
{
	json_t *list = json_array();
	char to[NET_TEXT_BYTES], via[NET_TEXT_BYTES];

	for (size_t i = 0; i < cfg->route_count; i++) {
		const struct cfg_route *r = &cfg->routes[i];

		if (r->is_allowed)
			continue; /* stands in its tunnel */
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s}", "to", net_prefix_text(&r->to, to),
					"via", net_addr_text(&r->via, via)));
	}
	return list;
}

static json_t *timeouts_object(const struct cfg *cfg)
{
	json_t *j = json_object();

	for (unsigned i = 0; i < CFG_TIMEOUT_COUNT; i++)
		put_number(j, cfg_timeout_info((enum cfg_timeout)i)->key,
			   cfg->timeout_s[i]);
	return j;
}

/* What may be missing: management, soc. */
static void put_plane(json_t *root, const struct cfg *cfg)
{
	const struct cfg_management *m = &cfg->management;
	json_t *addrs = json_array();
	char text[NET_TEXT_BYTES];

	if (m->is_set)
		(void)json_object_set_new(
			root, "management",
			json_pack("{s:s, s:o}", "port", cfg->ports[m->port].name,
				  "sources", range_list(m->sources, m->source_count)));
	for (size_t i = 0; i < cfg->soc.count; i++)
		(void)json_array_append_new(
			addrs, json_string(net_addr_text(&cfg->soc.addrs[i], text)));
	if (cfg->soc.count)
		(void)json_object_set_new(root, "soc",
					  json_pack("{s:O}", "addresses", addrs));
	json_decref(addrs);
}

/*
 * Print a configuration in its canonical form, as JSON.
 *
 * Without memory for it nothing is printed.
 */
void cfg_print(const struct cfg *cfg, FILE *f)
{
	json_t *ports = json_array(), *objects = json_object();
	json_t *services = json_object(), *rules = json_array();
	json_t *root;

	for (size_t i = 0; i < cfg->port_count; i++)
		(void)json_array_append_new(ports, port_object(cfg, &cfg->ports[i]));
	for (size_t i = 0; i < cfg->object_count; i++)
		(void)json_object_set_new(
			objects, cfg->objects[i].name,
			range_list(cfg->objects[i].ranges, cfg->objects[i].count));
	for (size_t i = 0; i < cfg->service_count; i++)
		(void)json_object_set_new(
			services, cfg->services[i].name,
			service_list(cfg->services[i].services, cfg->services[i].count));
	for (size_t i = 0; i < cfg->rule_count; i++)
		(void)json_array_append_new(rules, rule_object(cfg, &cfg->rules[i]));
	root = json_pack(
		"{s:s, s:I, s:s, s:s, s:i, s:s, s:o, s:{s:i}, s:o, s:o, s:o, s:o, "
		"s:o}",
		"format", CFG_FORMAT, "serial", (json_int_t)cfg->serial, "device",
		cfg->device, "agency", cfg->agency, "confirm_window",
		(int)cfg->confirm_window_s, "profile", cfg_profile_name(cfg->profile),
		"timeouts", timeouts_object(cfg), "limits", "connections",
		(int)cfg->max_connections, "ports", ports, "routes", route_list(cfg),
		"objects", objects, "services", services, "rules", rules);
	if (root) {
		put_plane(root, cfg);
		put_nat(root, &cfg->nat);
	}
	if (root && json_dumpf(root, f, JSON_INDENT(2)) == 0)
		(void)fputc('\n', f);
	json_decref(root);
}
