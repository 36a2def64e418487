/* What holds for every compiled program, and corners of the compiler that the golden
 * examples do not show. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "policyd/cfg.h"
#include "policyd/compile.h"

#define HEAD                                                                             \
	"{\"format\":\"luytre-config "                                                   \
	"1\",\"serial\":1,\"device\":\"D\",\"agency\":\"A\","
#define PORT(name, mac, zone, addrs)                                                     \
	"{\"name\":\"" name "\",\"match\":{\"mac\":\"02:00:00:00:00:0" mac               \
	"\"},\"zone\":\"" zone "\",\"addresses\":[" addrs "]}"
#define TWO_PORTS                                                                        \
	"\"ports\":[" PORT("lan0", "1", "lan", "\"10.1.0.1/24\"") "," PORT(              \
		"dmz0", "2", "dmz", "\"10.2.0.1/24\"") "],"
#define PROTECT(from)                                                                    \
	"{\"id\":\"p\",\"from\":[\"" from "\"],\"to\":[\"dmz\"],\"destination\":["       \
	"\"10.2.0.9\"],\"service\":[\"tcp/80\"],\"action\":\"permit\",\"limit\":{"       \
	"\"half_open\":5}}"

static void compile(const char *text, struct prog *p)
{
	struct cfg_error e;
	struct cfg cfg;

	if (cfg_parse(span_str(text), &cfg, &e) != ERR_OK)
		fail_msg("%s: %s", e.path, e.reason);
	assert_int_equal(compile_cfg(&cfg, p), ERR_OK);
	cfg_clear(&cfg);
}

static unsigned rules_in(const struct prog *p, const char *chain)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->rule_count; i++)
		n += !strcmp(p->rules[i].chain, chain);
	return n;
}

/* The kernel keeps an element once: twice would be a difference for ever. */
static void no_element_twice(const struct prog *p)
{
	for (size_t i = 0; i < p->set_count; i++) {
		const struct prog_set *s = &p->sets[i];

		for (size_t k = 0; k < s->count; k++) {
			for (size_t j = 0; j < k; j++) {
				if (!prog_elem_cmp(&s->elems[j], &s->elems[k]))
					fail_msg("set %s has an element twice", s->name);
			}
		}
	}
}

static void addresses_of_one_network(void **state)
{
	struct prog p;

	(void)state;
	compile(HEAD
		"\"ports\":[" PORT("lan0", "1", "lan",
				   "\"10.1.0.1/24\",\"10.1.0.2/24\","
				   "\"2001:2::1/64\",\"2001:2::2/64\","
				   "\"fd00::1/64\",\"fd00::2/64\"") "],\"rules\":[]}",
		&p);
	no_element_twice(&p);
	prog_clear(&p);
}

/* A protected target counts the SYNs of its rule's zones, nobody else's. */
static void half_open_of_missing_zone(void **state)
{
	struct prog p;

	(void)state;
	compile(HEAD TWO_PORTS "\"rules\":[" PROTECT("lan") "]}", &p);
	assert_int_equal(rules_in(&p, "syn"), 2);
	prog_clear(&p);
	compile(HEAD TWO_PORTS "\"rules\":[" PROTECT("wireless") "]}", &p);
	assert_int_equal(rules_in(&p, "syn"), 0);
	prog_clear(&p);
}

/* Many limits share the memory that an attacker can fill. */
static void limits_share_their_places(void **state)
{
	static char text[1U << 20];
	size_t n = 0, places = 0, sets = 0;
	struct prog p;

	(void)state;
	n += (size_t)snprintf(text, sizeof(text), HEAD TWO_PORTS "\"rules\":[");
	for (unsigned i = 0; i < 500; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%s{\"id\":\"n%u\",\"from\":[\"lan\"],\"to\":["
				      "\"dmz\"],\"service\":[\"tcp/%u\"],\"action\":"
				      "\"permit\",\"limit\":{\"new_per_source\":9}}",
				      i ? "," : "", i, i + 1);
	(void)snprintf(text + n, sizeof(text) - n, "]}");
	compile(text, &p);
	for (size_t i = 0; i < p.set_count; i++) {
		sets += p.sets[i].timeout_ms != 0;
		places += p.sets[i].timeout_ms ? p.sets[i].size : 0;
	}
	assert_int_equal(sets, 1000);
	assert_in_range(places, CONFIG_LIMIT_TOTAL_MAX / 4, CONFIG_LIMIT_TOTAL_MAX);
	prog_clear(&p);
	compile(HEAD TWO_PORTS "\"rules\":[" PROTECT("lan") "]}", &p);
	for (size_t i = 0; i < p.set_count; i++) {
		if (p.sets[i].timeout_ms)
			assert_int_equal(p.sets[i].size, CONFIG_LIMIT_SOURCES_MAX);
	}
	prog_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_one_network),
		cmocka_unit_test(half_open_of_missing_zone),
		cmocka_unit_test(limits_share_their_places),
	};

	return cmocka_run_group_tests_name("policyd_compile", tests, NULL, NULL);
}
