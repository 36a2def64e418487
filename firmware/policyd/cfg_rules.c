/*
 * Rules: the administrator's order is kept, the first match decides.
 */
#include "cfg_int.h"

#include <netinet/in.h>
#include <string.h>

/*
 * Name of an action as the configuration writes it.
 */
const char *cfg_action_name(enum cfg_action action)
{
	switch (action) {
	case CFG_PERMIT:
		return "permit";
	case CFG_DROP:
		return "drop";
	case CFG_REJECT:
	default:
		return "reject";
	}
}

/*
 * Read a list of zones, or ["any"].
 */
int cfg_zones(struct reader *r, const json_t *list, uint32_t *mask, bool *any)
{
	size_t n;

	if (rd_array(r, list, ZONE_COUNT, "number of zones", &n) != ERR_OK)
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the list is empty", "name a zone, or write [\"any\"]");
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);
		const char *s;
		unsigned z = 0;

		if (rd_string(r, json_array_get(list, i), &s) != ERR_OK)
			return ERR_REFUSED;
		if (!strcmp(s, "any")) {
			if (n != 1)
				return rd_fail(r, "\"any\" stands beside zones",
					       "write [\"any\"] alone");
			*any = true;
			*mask = ZONE_ALL;
			return ERR_OK;
		}
		while (z < ZONE_COUNT && strcmp(s, cfg_zone_name((enum zone)z)) != 0)
			z++;
		if (z == ZONE_COUNT)
			return rd_failf(r,
					"use lan, server, dmz, wireless, mgmt, tslcd, "
					"internet, tunnel or any",
					"the rule names the missing zone \"%.40s\"", s);
		*mask |= 1U << z;
		rd_leave(r, mark);
	}
	return ERR_OK;
}

static int read_port_list(struct reader *r, const json_t *list, uint32_t zones,
			  uint32_t *mask)
{
	const struct cfg *cfg = r->cfg;
	size_t n;

	if (rd_array(r, list, CONFIG_CFG_MAX_PORTS, "CFG_MAX_PORTS", &n) != ERR_OK)
		return ERR_REFUSED;
	if (n == 0)
		return rd_fail(r, "the list is empty",
			       "name a port or leave the key out");
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);
		const char *s;
		unsigned p = 0;

		if (rd_string(r, json_array_get(list, i), &s) != ERR_OK)
			return ERR_REFUSED;
		while (p < cfg->port_count && strcmp(s, cfg->ports[p].name) != 0)
			p++;
		if (p == cfg->port_count)
			return rd_failf(r, "use the name of a port in \"ports\"",
					"there is no port \"%.40s\"", s);
		if (cfg->ports[p].zone == ZONE_NONE)
			return rd_failf(r, "name one of its VLANs",
					"port \"%s\" is in no zone", s);
		if (!(zones & (1U << cfg->ports[p].zone)))
			return rd_failf(
				r, "name a port of the rule's zones",
				"port \"%s\" is in zone %s, which the rule does not "
				"name",
				s, cfg_zone_name(cfg->ports[p].zone));
		*mask |= 1U << p;
		rd_leave(r, mark);
	}
	return ERR_OK;
}

static int read_action(struct reader *r, const json_t *j, enum cfg_action *out)
{
	const char *s;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	for (int a = CFG_PERMIT; a <= CFG_REJECT; a++) {
		if (!strcmp(s, cfg_action_name((enum cfg_action)a))) {
			*out = (enum cfg_action)a;
			return ERR_OK;
		}
	}
	return rd_failf(r, "use permit, drop or reject", "\"%.40s\" is not an action", s);
}

static unsigned families(const struct net_range *v, size_t n)
{
	unsigned mask = 0;

	for (size_t i = 0; i < n; i++)
		mask |= v[i].family == 4 ? 1U : 2U;
	return n ? mask : 3U;
}

/*
 * Refuse a rule that cannot match anything: a mistake, not a rule.
 *
 * @mask  gets the families it matches, bit 0 IPv4, bit 1 IPv6; may be NULL
 */
int cfg_families(struct reader *r, const struct cfg_rule *rule, unsigned *mask)
{
	unsigned fam = families(rule->src, rule->src_count) &
		       families(rule->dst, rule->dst_count);
	bool any = rule->svc_count == 0;

	if (mask)
		*mask = fam;
	if (fam == 0)
		return rd_fail(r, "source and destination are of different families",
			       "give both an IPv4 or both an IPv6 address");
	for (size_t i = 0; i < rule->svc_count; i++) {
		uint8_t proto = rule->svc[i].proto;

		any |= proto == IPPROTO_ICMP     ? (fam & 1U) != 0
		       : proto == IPPROTO_ICMPV6 ? (fam & 2U) != 0
						 : true;
	}
	if (!any)
		return rd_fail(r, "the ICMP service is of the other family",
			       "use icmp/ with IPv4 and icmpv6/ with IPv6 addresses");
	return ERR_OK;
}

/* Types that open something connection tracking can follow; errors of permitted
 * connections pass without a rule, answers too. */
static bool opens_flow(const struct cfg_service *s)
{
	if (s->proto == IPPROTO_ICMP)
		return s->type == 8 || s->type == 13 || s->type == 15 || s->type == 17;
	return s->type == 128 || s->type == 139;
}

static int check_icmp(struct reader *r, const struct cfg_rule *rule)
{
	for (size_t i = 0; rule->action == CFG_PERMIT && i < rule->svc_count; i++) {
		const struct cfg_service *s = &rule->svc[i];

		if ((s->proto != IPPROTO_ICMP && s->proto != IPPROTO_ICMPV6) ||
		    !s->has_type || opens_flow(s))
			continue;
		(void)rd_enter(r, ".service");
		return rd_failf(r,
				"leave it out: errors and answers of permitted "
				"connections pass by themselves, other types never cross",
				"ICMP type %u opens no connection and cannot be "
				"permitted",
				s->type);
	}
	return ERR_OK;
}

/* Internet and TSLCD are never joined (PF-22); outside gets no rejects. */
static int check_zones(struct reader *r, const struct cfg_rule *rule)
{
	const uint32_t tslcd = 1U << ZONE_TSLCD, internet = 1U << ZONE_INTERNET;

	if (rule->action == CFG_PERMIT && !rule->from_any && !rule->to_any &&
	    (((rule->from & internet) && (rule->to & tslcd)) ||
	     ((rule->from & tslcd) && (rule->to & internet))))
		return rd_fail(
			r, "the rule permits traffic between internet and tslcd",
			"remove one of the two zones: these are never forwarded to "
			"each other");
	if (rule->action == CFG_REJECT && !rule->from_any && (rule->from & ZONE_OUTSIDE))
		return rd_fail(r, "reject answers packets from tslcd or internet",
			       "use drop: the appliance stays silent to the outside");
	return ERR_OK;
}

/*
 * Read what a rule matches beside its zones, from the keys that are there.
 */
int cfg_selectors(struct reader *r, const json_t *j, struct cfg_rule *rule)
{
	const json_t *v;
	size_t mark;

	if ((v = json_object_get(j, "in"))) {
		mark = rd_enter(r, ".in");
		if (read_port_list(r, v, rule->from, &rule->in_ports) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	if ((v = json_object_get(j, "out"))) {
		mark = rd_enter(r, ".out");
		if (read_port_list(r, v, rule->to, &rule->out_ports) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	if ((v = json_object_get(j, "source"))) {
		mark = rd_enter(r, ".source");
		if (cfg_ranges(r, v, &rule->src, &rule->src_count) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	if ((v = json_object_get(j, "destination"))) {
		mark = rd_enter(r, ".destination");
		if (cfg_ranges(r, v, &rule->dst, &rule->dst_count) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	if ((v = json_object_get(j, "service"))) {
		mark = rd_enter(r, ".service");
		if (cfg_service_list(r, v, &rule->svc, &rule->svc_count) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	return ERR_OK;
}

/*
 * Read the id of a rule, and its comment and log mark when they are there.
 */
int cfg_labels(struct reader *r, const json_t *j, struct cfg_rule *rule)
{
	const json_t *v;
	size_t mark = rd_enter(r, ".id");

	if (rd_id(r, json_object_get(j, "id"), rule->id) != ERR_OK)
		return ERR_REFUSED;
	if (!strncmp(rule->id, "built-in", 8))
		return rd_fail(r, "names beginning with built-in are the product's",
			       "choose another id");
	rd_leave(r, mark);
	if ((v = json_object_get(j, "comment"))) {
		mark = rd_enter(r, ".comment");
		if (rd_text(r, v, rule->comment) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	if ((v = json_object_get(j, "log"))) {
		mark = rd_enter(r, ".log");
		if (!json_is_boolean(v))
			return rd_fail(r, "expected true or false",
				       "write true or false");
		rule->log = json_is_true(v);
		rd_leave(r, mark);
	}
	return ERR_OK;
}

static int read_rule(struct reader *r, const json_t *j, struct cfg_rule *rule)
{
	static const struct key keys[] = {
		{"id", true},           {"from", true},         {"to", true},
		{"action", true},       {"in", false},          {"out", false},
		{"source", false},      {"destination", false}, {"service", false},
		{"log", false},         {"comment", false},     {"limit", false},
		{"valid_until", false}, {NULL, false}};
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK || cfg_labels(r, j, rule) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".from");
	if (cfg_zones(r, json_object_get(j, "from"), &rule->from, &rule->from_any))
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".to");
	if (cfg_zones(r, json_object_get(j, "to"), &rule->to, &rule->to_any))
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".action");
	if (read_action(r, json_object_get(j, "action"), &rule->action) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	if (cfg_selectors(r, j, rule) != ERR_OK || check_zones(r, rule) != ERR_OK)
		return ERR_REFUSED;
	if (check_icmp(r, rule) != ERR_OK || cfg_read_rule_limits(r, j, rule) != ERR_OK)
		return ERR_REFUSED;
	return cfg_families(r, rule, NULL);
}

/*
 * Read the rules in order; ids must be unique.
 */
int cfg_read_rules(struct reader *r, const json_t *list)
{
	struct cfg *cfg = r->cfg;
	size_t n;

	if (rd_array(r, list, CONFIG_CFG_MAX_RULES, "CFG_MAX_RULES", &n) != ERR_OK)
		return ERR_REFUSED;
	cfg->rules = rd_take(r, n, sizeof(*cfg->rules));
	if (!cfg->rules)
		return ERR_REFUSED;
	for (size_t i = 0; i < n; i++) {
		size_t mark = rd_enter(r, "[%zu]", i);

		if (read_rule(r, json_array_get(list, i), &cfg->rules[i]) != ERR_OK)
			return ERR_REFUSED;
		for (size_t k = 0; k < i; k++) {
			if (strcmp(cfg->rules[i].id, cfg->rules[k].id) != 0)
				continue;
			(void)rd_enter(r, ".id");
			return rd_fail(r, "the rule id is used twice",
				       "rename this one; rules[%zu] has it", k);
		}
		rd_leave(r, mark);
	}
	cfg->rule_count = n;
	return ERR_OK;
}
