/*
 * Level profiles: floors that a configuration keeps, or it is refused. The
 * table is data, profile.def; here are the checks that it names.
 */
#include "cfg_int.h"

#include <string.h>

#define IDLE_END_MAX_S 86400

static const char *const names[PROFILE_COUNT] = {
	"none", "2017", "2026-level1", "2026-level2", "2026-level3",
};

#define FREE CFG_CONTROL_FREE
#define SHOW CFG_CONTROL_SHOW
#define MUST CFG_CONTROL_MUST

#define CONTROL(name, y2017, l1, l2, l3, source, en, vi, fix)                            \
	{#name, source, en, vi, fix, {FREE, y2017, l1, l2, l3}},
static const struct cfg_control controls[] = {
#include "profile.def"
};
#undef CONTROL

#define CONTROL(name, y2017, l1, l2, l3, source, en, vi, fix) CHECK_##name,
enum check {
#include "profile.def"
	CHECK_COUNT
};
#undef CONTROL

/*
 * Name of a profile as the configuration writes it.
 */
const char *cfg_profile_name(enum cfg_profile profile)
{
	return (unsigned)profile < PROFILE_COUNT ? names[profile] : "?";
}

/*
 * All controls of the profiles.
 *
 * @count  how many there are
 */
const struct cfg_control *cfg_controls(size_t *count)
{
	*count = CHECK_COUNT;
	return controls;
}

static bool crosses(const struct cfg_rule *r, uint32_t from, uint32_t to)
{
	return r->action == CFG_PERMIT && (r->from & from) && (r->to & to);
}

static bool is_from_outside(const struct cfg_rule *r)
{
	return crosses(r, ZONE_OUTSIDE, ZONE_ALL & ~ZONE_OUTSIDE);
}

static bool rule_keeps(const struct cfg_rule *r, enum check check)
{
	switch (check) {
	case CHECK_outside_service:
		return !is_from_outside(r) || (r->dst_count && r->svc_count);
	case CHECK_inside_service:
		return !crosses(r, ZONE_ALL & ~ZONE_OUTSIDE, ZONE_OUTSIDE) ||
		       r->svc_count > 0;
	case CHECK_limits:
		return !is_from_outside(r) ||
		       (r->limit.connections && r->limit.source_connections);
	case CHECK_outside_log:
		return !is_from_outside(r) || r->log;
	case CHECK_mgmt_internet:
		return !crosses(r, 1U << ZONE_MGMT, 1U << ZONE_INTERNET);
	case CHECK_mgmt_sources:
	case CHECK_mgmt_port:
	case CHECK_idle_end:
	case CHECK_zones:
	case CHECK_soc:
	case CHECK_COUNT:
	default:
		return true;
	}
}

/* How many of the four kinds of machine have a zone of their own. */
static enum cfg_met zones_state(const struct cfg *cfg)
{
	const uint32_t wanted = (1U << ZONE_SERVER) | (1U << ZONE_DMZ) |
				(1U << ZONE_WIRELESS) | (1U << ZONE_MGMT);
	uint32_t have = 0;

	for (size_t i = 0; i < cfg->port_count; i++)
		have |= 1U << cfg->ports[i].zone;
	have &= wanted;
	return have == wanted ? CFG_MET : have ? CFG_PARTLY : CFG_NOT_MET;
}

static enum cfg_met met(bool is_met)
{
	return is_met ? CFG_MET : CFG_NOT_MET;
}

/*
 * Whether a configuration keeps a control, whatever its profile asks.
 *
 * @index  into cfg_controls()
 * @rule   NULL, or gets the index of the first rule that does not keep it,
 *         SIZE_MAX when no single rule is to blame
 */
enum cfg_met cfg_control_met(const struct cfg *cfg, size_t index, size_t *rule)
{
	size_t good = 0, bad = SIZE_MAX;

	if (rule)
		*rule = SIZE_MAX;
	switch ((enum check)index) {
	case CHECK_mgmt_sources:
		return met(cfg->management.is_set);
	case CHECK_mgmt_port:
		return met(cfg->management.is_set &&
			   cfg->ports[cfg->management.port].zone == ZONE_MGMT);
	case CHECK_idle_end:
		return met(cfg->timeout_s[CFG_TIMEOUT_TCP] <= IDLE_END_MAX_S);
	case CHECK_zones:
		return zones_state(cfg);
	case CHECK_soc:
		return met(cfg->soc.count > 0);
	case CHECK_outside_service:
	case CHECK_inside_service:
	case CHECK_limits:
	case CHECK_outside_log:
	case CHECK_mgmt_internet:
	case CHECK_COUNT:
	default:
		break;
	}
	for (size_t i = 0; i < cfg->rule_count; i++) {
		if (rule_keeps(&cfg->rules[i], (enum check)index))
			good++;
		else if (bad == SIZE_MAX)
			bad = i;
	}
	if (rule)
		*rule = bad;
	return bad == SIZE_MAX ? CFG_MET : good ? CFG_PARTLY : CFG_NOT_MET;
}

/*
 * Read "profile"; without it there is none.
 */
int cfg_read_profile(struct reader *r, const json_t *j)
{
	size_t mark = rd_enter(r, ".profile");
	const char *s;
	unsigned i = 0;

	if (j) {
		if (rd_string(r, j, &s) != ERR_OK)
			return ERR_REFUSED;
		while (i < PROFILE_COUNT && strcmp(s, names[i]) != 0)
			i++;
		if (i == PROFILE_COUNT)
			return rd_failf(r,
					"use none, 2017, 2026-level1, 2026-level2 or "
					"2026-level3",
					"there is no level profile \"%.40s\"", s);
		r->cfg->profile = (enum cfg_profile)i;
	}
	rd_leave(r, mark);
	return ERR_OK;
}

/*
 * Refuse a configuration that is below a floor of its profile.
 */
int cfg_check_profile(struct reader *r)
{
	const struct cfg *cfg = r->cfg;

	for (size_t i = 0; i < CHECK_COUNT; i++) {
		const struct cfg_control *c = &controls[i];
		size_t rule;

		if (c->by_profile[cfg->profile] != CFG_CONTROL_MUST ||
		    cfg_control_met(cfg, i, &rule) == CFG_MET)
			continue;
		if (rule != SIZE_MAX)
			(void)rd_enter(r, ".rules[%zu]", rule);
		else
			(void)rd_enter(r, ".profile");
		return rd_failf(r, c->fix, "below profile %s: %s (%s)",
				names[cfg->profile], c->en, c->source);
	}
	return ERR_OK;
}
