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
	if (r->comment[0])
		(void)json_object_set_new(j, "comment", json_string(r->comment));
	return j;
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
	root = json_pack("{s:s, s:I, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "format",
			 CFG_FORMAT, "serial", (json_int_t)cfg->serial, "device",
			 cfg->device, "agency", cfg->agency, "confirm_window",
			 (int)cfg->confirm_window_s, "ports", ports, "routes",
			 route_list(cfg), "objects", objects, "services", services,
			 "rules", rules);
	if (root && json_dumpf(root, f, JSON_INDENT(2)) == 0)
		(void)fputc('\n', f);
	json_decref(root);
}
