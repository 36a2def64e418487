/*
 * Limits: what one rule lets through at most and until when, how long idle
 * flows are remembered, how many flows there may be.
 */
#include "cfg_int.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

/* The kernel's clock has 63 bits of nanoseconds: in 2262 it ends. */
#define TIME_MAX_S (INT64_MAX / 1000000000)

/* RFC 5382 REQ-5 and RFC 6092 REC-35 (2 h 4 min; 4 min), RFC 4787 REQ-5 and
 * RFC 6092 REC-14 (2 min, 5 min recommended), RFC 5508 REQ-2 (60 s). */
static const struct cfg_timeout_info timeouts[CFG_TIMEOUT_COUNT] = {
	[CFG_TIMEOUT_TCP] = {"tcp_established", 7440, 7440, 432000, "RFC 5382 REQ-5"},
	[CFG_TIMEOUT_TCP_TRANSITORY] = {"tcp_transitory", 240, 240, 3600,
					"RFC 5382 REQ-5"},
	[CFG_TIMEOUT_UDP] = {"udp", 300, 120, 3600, "RFC 4787 REQ-5"},
	[CFG_TIMEOUT_ICMP] = {"icmp", 60, 60, 600, "RFC 5508 REQ-2"},
};

/*
 * Key, standard value and range of an idle time.
 */
const struct cfg_timeout_info *cfg_timeout_info(enum cfg_timeout which)
{
	return &timeouts[which];
}

/*
 * Read a whole number in a range; a refusal names it.
 *
 * @why  who says so, or NULL
 */
int rd_number(struct reader *r, const json_t *j, unsigned min, unsigned max,
	      const char *why, unsigned *out)
{
	if (!json_is_integer(j) || json_integer_value(j) < (json_int_t)min ||
	    json_integer_value(j) > (json_int_t)max)
		return rd_failf(r, "write a whole number in this range, or leave it out",
				"not a whole number from %u to %u%s%s%s", min, max,
				why ? " (" : "", why ? why : "", why ? ")" : "");
	*out = (unsigned)json_integer_value(j);
	return ERR_OK;
}

static int read_timeouts(struct reader *r, const json_t *j)
{
	static const struct key keys[] = {{"tcp_established", false},
					  {"tcp_transitory", false},
					  {"udp", false},
					  {"icmp", false},
					  {NULL, false}};

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	for (unsigned i = 0; i < CFG_TIMEOUT_COUNT; i++) {
		const struct cfg_timeout_info *t = &timeouts[i];
		const json_t *v = json_object_get(j, t->key);
		size_t mark = rd_enter(r, ".%s", t->key);

		if (v && rd_number(r, v, t->min_s, t->max_s, t->source,
				   &r->cfg->timeout_s[i]) != ERR_OK)
			return ERR_REFUSED;
		rd_leave(r, mark);
	}
	return ERR_OK;
}

static int read_limits(struct reader *r, const json_t *j)
{
	static const struct key keys[] = {{"connections", false}, {NULL, false}};
	const json_t *v;
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	v = json_object_get(j, "connections");
	mark = rd_enter(r, ".connections");
	if (v && rd_number(r, v, CFG_CONNECTIONS_MIN, CONFIG_CONNTRACK_MAX,
			   "CONNTRACK_MAX of this build", &r->cfg->max_connections))
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

/*
 * Read "timeouts" and "limits"; what they leave out has its standard value.
 */
int cfg_read_limits(struct reader *r, const json_t *times, const json_t *limits)
{
	size_t mark = rd_enter(r, ".timeouts");

	for (unsigned i = 0; i < CFG_TIMEOUT_COUNT; i++)
		r->cfg->timeout_s[i] = timeouts[i].standard_s;
	r->cfg->max_connections = CONFIG_CONNTRACK_MAX;
	if (times && read_timeouts(r, times) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".limits");
	if (limits && read_limits(r, limits) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

/* Two or four digits at @s. */
static bool digits(const char *s, unsigned n, int *out)
{
	*out = 0;
	for (unsigned i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

/* "Z", or "+07:00": seconds to take away. */
static bool parse_zone(const char *s, int *offset_s)
{
	int h, m;

	*offset_s = 0;
	if (!strcmp(s, "Z"))
		return true;
	if ((s[0] != '+' && s[0] != '-') || !digits(s + 1, 2, &h) || s[3] != ':' ||
	    !digits(s + 4, 2, &m) || s[6] != '\0' || h > 14 || m > 59)
		return false;
	*offset_s = (s[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

/* A time as RFC 3339 5.6 writes it, without fractions of a second. */
static bool parse_time(const char *s, int64_t *out)
{
	struct tm tm = {.tm_isdst = 0}, back;
	int offset_s;
	time_t t;

	if (strlen(s) < 20 || !digits(s, 4, &tm.tm_year) || s[4] != '-' ||
	    !digits(s + 5, 2, &tm.tm_mon) || s[7] != '-' ||
	    !digits(s + 8, 2, &tm.tm_mday) || s[10] != 'T' ||
	    !digits(s + 11, 2, &tm.tm_hour) || s[13] != ':' ||
	    !digits(s + 14, 2, &tm.tm_min) || s[16] != ':' ||
	    !digits(s + 17, 2, &tm.tm_sec) || !parse_zone(s + 19, &offset_s))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	t = timegm(&back);
	/* timegm() makes 1 March of 29 February: such a day does not exist */
	if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
	    back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min ||
	    back.tm_sec != tm.tm_sec)
		return false;
	*out = (int64_t)t - offset_s;
	return *out > 0 && *out <= TIME_MAX_S;
}

/*
 * Write a time as the configuration does, in UTC.
 */
void cfg_time_text(int64_t utc_s, char text[CFG_TIME_TEXT_BYTES])
{
	time_t t = (time_t)utc_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    strftime(text, CFG_TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
}

static int read_until(struct reader *r, const json_t *j, struct cfg_rule *rule)
{
	const char *s;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	if (!parse_time(s, &rule->valid_until_s))
		return rd_failf(r,
				"write it like 2026-12-31T17:00:00+07:00, or with Z for "
				"UTC; without valid_until the rule stays",
				"\"%.40s\" is not a date and time before 2262", s);
	return ERR_OK;
}

static bool has_tcp(const struct cfg_rule *rule)
{
	for (size_t i = 0; i < rule->svc_count; i++) {
		if (rule->svc[i].proto == IPPROTO_TCP && rule->svc[i].has_ports)
			return true;
	}
	return false;
}

static int check_half_open(struct reader *r, const struct cfg_rule *rule)
{
	if (rule->limit.half_open == 0)
		return ERR_OK;
	(void)rd_enter(r, ".half_open");
	if (!has_tcp(rule))
		return rd_fail(r, "the rule names no TCP port",
			       "add a service like tcp/443, or remove half_open");
	if (rule->dst_count == 0)
		return rd_fail(r, "the rule does not say which targets to protect",
			       "add \"destination\", or remove half_open");
	return ERR_OK;
}

static int read_limit(struct reader *r, const json_t *j, struct cfg_rule *rule)
{
	static const struct key keys[] = {{"connections", false},
					  {"connections_per_source", false},
					  {"new_per_source", false},
					  {"half_open", false},
					  {NULL, false}};
	uint32_t *const to[] = {&rule->limit.connections, &rule->limit.source_connections,
				&rule->limit.source_new, &rule->limit.half_open};
	size_t mark;

	if (rd_object(r, j, keys) != ERR_OK)
		return ERR_REFUSED;
	if (json_object_size(j) == 0)
		return rd_fail(r, "the limit is empty",
			       "write a limit, or leave the key out");
	if (rule->action != CFG_PERMIT)
		return rd_fail(r, "only a permit can have a limit",
			       "remove the limit, or make the rule a permit");
	for (size_t i = 0; keys[i].name; i++) {
		const json_t *v = json_object_get(j, keys[i].name);
		unsigned n = 0;

		mark = rd_enter(r, ".%s", keys[i].name);
		if (v && rd_number(r, v, 1,
				   to[i] == &rule->limit.half_open ? CFG_HALF_OPEN_MAX
								   : CFG_LIMIT_MAX,
				   NULL, &n) != ERR_OK)
			return ERR_REFUSED;
		*to[i] = n;
		rd_leave(r, mark);
	}
	return check_half_open(r, rule);
}

/*
 * Read "limit" and "valid_until" of a rule whose other members were read.
 */
int cfg_read_rule_limits(struct reader *r, const json_t *j, struct cfg_rule *rule)
{
	const json_t *v = json_object_get(j, "limit");
	size_t mark = rd_enter(r, ".limit");

	if (v && read_limit(r, v, rule) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	v = json_object_get(j, "valid_until");
	mark = rd_enter(r, ".valid_until");
	if (v && read_until(r, v, rule) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return ERR_OK;
}

/*
 * Say for which time the configuration is to be compiled and decided on.
 *
 * @now_s  UTC. A clock before the time of signing is wrong: temporary permits
 *         are then over, temporary refusals are not.
 */
void cfg_judge(struct cfg *cfg, int64_t now_s)
{
	cfg->judged_s = now_s;
}

static bool is_clock_wrong(const struct cfg *cfg, int64_t now_s)
{
	return now_s < cfg->issued_s;
}

static bool is_over_at(const struct cfg *cfg, const struct cfg_rule *rule, int64_t now_s)
{
	if (rule->valid_until_s == 0)
		return false;
	if (is_clock_wrong(cfg, now_s))
		return rule->action == CFG_PERMIT;
	return now_s >= rule->valid_until_s;
}

/*
 * Whether a temporary rule counts no more, at the time of cfg_judge().
 */
bool cfg_rule_is_over(const struct cfg *cfg, const struct cfg_rule *rule)
{
	return is_over_at(cfg, rule, cfg->judged_s);
}

/*
 * Whether at @now_s other rules are over than at the time of cfg_judge().
 */
bool cfg_is_outdated(const struct cfg *cfg, int64_t now_s)
{
	for (size_t i = 0; i < cfg->rule_count; i++) {
		if (is_over_at(cfg, &cfg->rules[i], now_s) !=
		    cfg_rule_is_over(cfg, &cfg->rules[i]))
			return true;
	}
	return false;
}

/*
 * Whether the rule counts connections.
 */
bool cfg_rule_is_limited(const struct cfg_rule *rule)
{
	return rule->limit.connections || rule->limit.source_connections ||
	       rule->limit.source_new;
}

/*
 * Whether any rule protects its targets from half-open connections.
 */
bool cfg_has_half_open(const struct cfg *cfg)
{
	for (size_t i = 0; i < cfg->rule_count; i++) {
		if (cfg->rules[i].limit.half_open &&
		    !cfg_rule_is_over(cfg, &cfg->rules[i]))
			return true;
	}
	return false;
}
