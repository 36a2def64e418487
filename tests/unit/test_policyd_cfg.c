/* The configuration reader: what it refuses, and what it makes of the rest. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policyd/cfg.h"

#define HEAD                                                                             \
	"{\"format\":\"luytre-config "                                                   \
	"1\",\"serial\":7,\"device\":\"D1\",\"agency\":\"Xã\","                          \
	"\"ports\":[{\"name\":\"lan0\",\"match\":{\"mac\":\"02:00:00:00:00:01\"},"       \
	"\"zone\":\"lan\",\"addresses\":[\"192.168.1.1/24\",\"2001:2:0:1::1/64\"]},"     \
	"{\"name\":\"wan0\",\"match\":{\"mac\":\"02:00:00:00:00:02\"},"                  \
	"\"zone\":\"tslcd\",\"addresses\":[\"10.0.0.2/24\"]}],"
#define RULE "{\"id\":\"a\",\"from\":[\"lan\"],\"to\":[\"tslcd\"],\"action\":\"permit\""

struct bad {
	const char *text;
	const char *path;
	const char *reason;
};

static const struct bad table[] = {
	{"", "$", ""},
	{"[]", "$", "expected an object"},
	{"{\"format\":1}", "$", "missing"},
	{HEAD "\"rules\":[],\"rules\":[]}", "$.rules", "duplicate"},
	{HEAD "\"rules\":[]} x", "$", ""},
	{HEAD "\"rule\":[]}", "$.rule", "unknown key"},
	{HEAD "\"rules\":{}}", "$.rules", "expected a list"},
	{HEAD "\"rules\":[" RULE ",\"to\":[\"tslcd\"]}]}", "$.rules[0].to", "duplicate"},
	{HEAD "\"rules\":[" RULE ",\"x\":1}]}", "$.rules[0].x", "unknown key"},
	{HEAD "\"rules\":[" RULE ",\"source\":[]}]}", "$.rules[0].source", "empty"},
	{HEAD "\"rules\":[" RULE ",\"source\":[\"10.0.0.1/8\"]}]}",
	 "$.rules[0].source[0]", "not a network"},
	{HEAD "\"rules\":[" RULE ",\"source\":[\"9.9.9.9-1.1.1.1\"]}]}",
	 "$.rules[0].source[0]", "not a network or range"},
	{HEAD "\"rules\":[" RULE ",\"service\":[\"tcp/0\"]}]}", "$.rules[0].service[0]",
	 "not a service"},
	{HEAD "\"rules\":[" RULE ",\"service\":[\"tcp/9-8\"]}]}", "$.rules[0].service[0]",
	 "not a service"},
	{HEAD "\"rules\":[" RULE ",\"service\":[\"icmp/256\"]}]}",
	 "$.rules[0].service[0]", "not a service"},
	{HEAD "\"rules\":[" RULE ",\"service\":[\"icmp/3\"]}]}", "$.rules[0].service",
	 "cannot be permitted"},
	{HEAD "\"rules\":[" RULE ",\"in\":[\"wan0\"]}]}", "$.rules[0].in[0]",
	 "zone tslcd"},
	{HEAD "\"rules\":[" RULE ",\"log\":1}]}", "$.rules[0].log", "true or false"},
	{HEAD "\"rules\":[" RULE "}," RULE "}]}", "$.rules[1].id", "twice"},
	{HEAD "\"rules\":[{\"id\":\"built-in x\",\"from\":[\"lan\"],\"to\":[\"lan\"],"
	      "\"action\":\"drop\"}]}",
	 "$.rules[0].id", ""},
	{HEAD "\"rules\":[" RULE ",\"limit\":{}}]}", "$.rules[0].limit", "empty"},
	{HEAD "\"rules\":[" RULE ",\"limit\":{\"connections\":0}}]}",
	 "$.rules[0].limit.connections", "from 1 to"},
	{HEAD "\"rules\":[" RULE ",\"limit\":{\"per_second\":1}}]}",
	 "$.rules[0].limit.per_second", "unknown key"},
	{HEAD "\"rules\":[" RULE ",\"limit\":{\"half_open\":9}}]}",
	 "$.rules[0].limit.half_open", "no TCP port"},
	{HEAD "\"rules\":[" RULE
	      ",\"service\":[\"tcp/80\"],\"limit\":{\"half_open\":9}}]}",
	 "$.rules[0].limit.half_open", "which targets"},
	{HEAD "\"rules\":[{\"id\":\"a\",\"from\":[\"lan\"],\"to\":[\"tslcd\"],"
	      "\"action\":\"drop\",\"limit\":{\"connections\":1}}]}",
	 "$.rules[0].limit", "only a permit"},
	{HEAD "\"rules\":[" RULE ",\"valid_until\":\"2026-12-31\"}]}",
	 "$.rules[0].valid_until", "not a date"},
	{HEAD "\"rules\":[" RULE ",\"valid_until\":\"2569-11-24T00:00:00Z\"}]}",
	 "$.rules[0].valid_until", "before 2262"},
	{HEAD "\"rules\":[" RULE ",\"valid_until\":\"2027-02-29T00:00:00Z\"}]}",
	 "$.rules[0].valid_until", "not a date"},
	{HEAD "\"rules\":[" RULE ",\"valid_until\":\"2026-12-31T17:00:00+7\"}]}",
	 "$.rules[0].valid_until", "not a date"},
	{HEAD "\"timeouts\":{\"udp\":119},\"rules\":[]}", "$.timeouts.udp", "RFC 4787"},
	{HEAD "\"timeouts\":{\"tcp_established\":\"7440\"},\"rules\":[]}",
	 "$.timeouts.tcp_established", "whole number"},
	{HEAD "\"limits\":{\"connections\":10},\"rules\":[]}", "$.limits.connections",
	 "from 1024"},
	{HEAD "\"profile\":\"2026\",\"rules\":[]}", "$.profile", "no level profile"},
	{HEAD "\"profile\":\"2026-level2\",\"rules\":[]}", "$.profile", "4.12.2.4c"},
	{HEAD "\"profile\":\"2017\",\"rules\":[{\"id\":\"a\",\"from\":[\"tslcd\"],"
	      "\"to\":[\"lan\"],\"action\":\"permit\"}]}",
	 "$.rules[0]", "name destination and service"},
	{HEAD "\"management\":{\"port\":\"lan0\"},\"rules\":[]}", "$.management",
	 "\"sources\" is missing"},
	{HEAD "\"management\":{\"port\":\"wan0\",\"sources\":[\"10.0.0.9\"]},"
	      "\"rules\":[]}",
	 "$.management.port", "never managed from outside"},
	{HEAD "\"management\":{\"port\":\"x\",\"sources\":[\"10.0.0.9\"]},\"rules\":[]}",
	 "$.management.port", "no port"},
	{HEAD "\"soc\":{\"addresses\":[]},\"rules\":[]}", "$.soc.addresses", "empty"},
	{HEAD "\"soc\":{\"addresses\":[\"10.9.9.9\"]},\"rules\":[]}",
	 "$.soc.addresses[0]", "no route leads"},
	{HEAD "\"soc\":{\"addresses\":[\"224.0.0.1\"]},\"rules\":[]}",
	 "$.soc.addresses[0]", "not the address"},
	{HEAD "\"rules\":[{\"id\":\"a\",\"from\":[\"internet\"],\"to\":[\"tslcd\"],"
	      "\"action\":\"permit\"}]}",
	 "$.rules[0]", "internet and tslcd"},
	{HEAD "\"rules\":[{\"id\":\"a\",\"from\":[\"tslcd\"],\"to\":[\"lan\"],"
	      "\"action\":\"reject\"}]}",
	 "$.rules[0]", "reject"},
	{HEAD "\"routes\":[{\"to\":\"10.9.0.0/16\",\"via\":\"10.0.0.2\"}],\"rules\":[]}",
	 "$.routes[0].via", "itself"},
	{HEAD
	 "\"routes\":[{\"to\":\"192.168.1.128/25\",\"via\":\"10.0.0.1\"}],\"rules\":[]}",
	 "$.routes[0].to", "overlaps"},
	{HEAD "\"objects\":{\"a\":[\"a\"]},\"rules\":[]}", "$.objects.a[0]", "itself"},
	{HEAD "\"objects\":{\"any\":[\"1.1.1.1\"]},\"rules\":[]}", "$.objects.any",
	 "any"},
	{HEAD "\"services\":{\"a\":[\"b\"],\"b\":[\"tcp/1\"]},\"rules\":[]}",
	 "$.services.a[0]", "not defined yet"},
};

static void each_mistake_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct bad *b = &table[i];
		struct cfg_error e;
		struct cfg cfg;
		int r = cfg_parse(span_str(b->text), &cfg, &e);

		if (r == ERR_OK || strncmp(e.path, b->path, strlen(b->path)) != 0 ||
		    !strstr(e.reason, b->reason) || !e.fix[0] || !e.reason[0])
			fail_msg("case %zu: %d path %s reason %s fix %s", i, r, e.path,
				 e.reason, e.fix);
		cfg_clear(&cfg); /* legal after a refusal */
	}
}

static void size_and_depth_are_bounded(void **state)
{
	size_t n = (size_t)CONFIG_CFG_MAX_BYTES + 1;
	char *text = malloc(n);
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', n);
	assert_int_equal(cfg_parse(span_of(text, n), &cfg, &e), ERR_REFUSED);
	assert_non_null(strstr(e.reason, "CFG_MAX_BYTES"));
	memset(text, '[', n - 1);
	assert_int_equal(cfg_parse(span_of(text, n - 1), &cfg, &e), ERR_REFUSED);
	assert_non_null(strstr(e.reason, "CFG_MAX_DEPTH"));
	free(text);
}

static void a_good_one_is_understood(void **state)
{
	static const char text[] =
		HEAD "\"objects\":{\"o\":[\"192.168.1.4\",\"192.168.1.5\"]},"
		     "\"rules\":[" RULE ",\"source\":[\"o\",\"192.168.1.6-192.168.1.7\"],"
		     "\"service\":[\"tcp/80\"],\"log\":true,\"comment\":\"ghi chú\"}]}";
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	assert_int_equal(cfg_parse(span_str(text), &cfg, &e), ERR_OK);
	assert_int_equal(cfg.serial, 7);
	assert_int_equal(cfg.port_count, 2);
	assert_string_equal(cfg.rules[0].comment, "ghi chú");
	/* .4, .5 and .6-.7 touch: one range */
	assert_int_equal(cfg.rules[0].src_count, 1);
	assert_int_equal(cfg.rules[0].src[0].lo[3], 4);
	assert_int_equal(cfg.rules[0].src[0].hi[3], 7);
	assert_true(cfg.rules[0].log);
	cfg_clear(&cfg);
	cfg_clear(&cfg);
}

/* Every document cut short anywhere is refused, never half taken. */
static void every_cut_is_refused(void **state)
{
	static const char text[] = HEAD "\"rules\":[" RULE "}]}";
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(cfg_parse(span_of(text, n), &cfg, &e), ERR_REFUSED);
}

/* Temporary rules by the clock, and by a clock that must be wrong. */
static void time_ends_rules(void **state)
{
	static const char text[] =
		HEAD "\"rules\":[" RULE ",\"valid_until\":\"2026-12-31T17:00:00+07:00\"},"
		     "{\"id\":\"b\",\"from\":[\"lan\"],\"to\":[\"tslcd\"],\"action\":"
		     "\"drop\",\"valid_until\":\"2026-12-31T10:00:01Z\"}]}";
	const int64_t end = 1798711200; /* date -d 2026-12-31T10:00:00Z +%s */
	char again[CFG_TIME_TEXT_BYTES];
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	assert_int_equal(cfg_parse(span_str(text), &cfg, &e), ERR_OK);
	assert_int_equal(cfg.rules[0].valid_until_s, end);
	cfg_time_text(end, again);
	assert_string_equal(again, "2026-12-31T10:00:00Z");
	cfg.issued_s = end - 1000;
	cfg_judge(&cfg, end - 1);
	assert_false(cfg_rule_is_over(&cfg, &cfg.rules[0]));
	assert_false(cfg_is_outdated(&cfg, end - 1));
	assert_true(cfg_is_outdated(&cfg, end));
	cfg_judge(&cfg, end);
	assert_true(cfg_rule_is_over(&cfg, &cfg.rules[0]));
	assert_false(cfg_rule_is_over(&cfg, &cfg.rules[1]));
	/* before the time of signing: the permit is off, the drop is not */
	cfg_judge(&cfg, end - 1001);
	assert_true(cfg_rule_is_over(&cfg, &cfg.rules[0]));
	assert_false(cfg_rule_is_over(&cfg, &cfg.rules[1]));
	cfg_clear(&cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_named),
		cmocka_unit_test(size_and_depth_are_bounded),
		cmocka_unit_test(a_good_one_is_understood),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(time_ends_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
