/* decide(): the same answers as the rules that the compiler makes. */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <netinet/in.h>

#include "policyd/decide.h"

static const char text[] =
	"{\"format\":\"luytre-config 1\",\"serial\":1,\"device\":\"D\",\"agency\":\"A\","
	"\"ports\":["
	"{\"name\":\"lan0\",\"match\":{\"mac\":\"02:00:00:00:00:01\"},\"zone\":\"lan\","
	"\"addresses\":[\"192.168.1.1/24\",\"2001:2:0:1::1/64\"]},"
	"{\"name\":\"wan0\",\"match\":{\"mac\":\"02:00:00:00:00:02\"},\"zone\":\"tslcd\","
	"\"addresses\":[\"10.0.0.2/24\",\"2001:2:0:2::2/64\"]},"
	"{\"name\":\"wan1\",\"match\":{\"mac\":\"02:00:00:00:00:03\"},\"zone\":"
	"\"internet\","
	"\"addresses\":[\"198.18.0.2/24\"]}],"
	"\"routes\":[{\"to\":\"10.0.0.0/8\",\"via\":\"10.0.0.1\"},"
	"{\"to\":\"0.0.0.0/0\",\"via\":\"198.18.0.1\"}],"
	"\"rules\":["
	"{\"id\":\"no-ssh\",\"from\":[\"lan\"],\"to\":[\"any\"],\"service\":[\"tcp/22\"],"
	"\"action\":\"drop\"},"
	"{\"id\":\"web\",\"from\":[\"lan\"],\"to\":[\"tslcd\"],\"source\":[\"192.168.1.0/"
	"25\","
	"\"2001:2:0:1::/64\"],\"service\":[\"tcp/80\",\"icmp/8\"],\"action\":\"permit\"},"
	"{\"id\":\"out\",\"from\":[\"any\"],\"to\":[\"internet\"],\"action\":\"permit\"}]"
	"}";

struct ask {
	const char *src, *dst;
	uint8_t proto;
	uint16_t port; /* or ICMP type */
	enum decision want;
	const char *rule; /* NULL = default */
};

static const struct ask asks[] = {
	{"192.168.1.9", "10.5.5.5", IPPROTO_TCP, 80, DECIDE_PERMIT, "web"},
	{"192.168.1.200", "10.5.5.5", IPPROTO_TCP, 80, DECIDE_DENY, NULL},
	{"192.168.1.9", "10.5.5.5", IPPROTO_UDP, 80, DECIDE_DENY, NULL},
	{"192.168.1.9", "10.5.5.5", IPPROTO_TCP, 22, DECIDE_DENY, "no-ssh"},
	{"192.168.1.9", "8.8.8.8", IPPROTO_TCP, 22, DECIDE_DENY, "no-ssh"},
	{"192.168.1.9", "8.8.8.8", IPPROTO_TCP, 23, DECIDE_PERMIT, "out"},
	{"192.168.1.9", "8.8.8.8", IPPROTO_GRE, 0, DECIDE_DENY, NULL},
	{"192.168.1.9", "8.8.8.8", IPPROTO_UDP, 3544, DECIDE_DENY, NULL},
	{"192.168.1.9", "8.8.8.8", IPPROTO_ICMP, 13, DECIDE_DENY, NULL},
	{"192.168.1.9", "8.8.8.8", IPPROTO_ICMP, 8, DECIDE_PERMIT, "out"},
	{"192.168.1.9", "10.5.5.5", IPPROTO_ICMP, 8, DECIDE_PERMIT, "web"},
	/* Internet and TSLCD stay apart under "any" */
	{"10.5.5.5", "8.8.8.8", IPPROTO_TCP, 80, DECIDE_DENY, NULL},
	{"8.8.8.8", "10.5.5.5", IPPROTO_TCP, 80, DECIDE_DENY, NULL},
	{"8.8.8.8", "192.168.1.9", IPPROTO_TCP, 80, DECIDE_DENY, NULL},
	/* IPv6 */
	{"2001:2:0:1::9", "2001:2:0:2::80", IPPROTO_TCP, 80, DECIDE_PERMIT, "web"},
	{"2001:2:0:1::9", "2001:2:0:3::80", IPPROTO_TCP, 80, DECIDE_DENY, NULL},
	/* the appliance itself */
	{"192.168.1.1", "192.168.1.9", IPPROTO_ICMP, 8, DECIDE_LOCAL, NULL},
	{"192.168.1.9", "192.168.1.1", IPPROTO_ICMP, 8, DECIDE_LOCAL, NULL},
};

static void each_flow_is_decided(void **state)
{
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	assert_int_equal(cfg_parse(span_str(text), &cfg, &e), ERR_OK);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		const struct ask *a = &asks[i];
		struct flow f = {.proto = a->proto, .dst_port = a->port};
		const struct cfg_rule *rule;
		enum decision got;

		assert_int_equal(net_addr_parse(a->src, &f.src), ERR_OK);
		assert_int_equal(net_addr_parse(a->dst, &f.dst), ERR_OK);
		f.type = (uint8_t)a->port;
		got = decide(&cfg, &f, &rule);
		if (got != a->want || (rule == NULL) != (a->rule == NULL) ||
		    (rule && a->rule && strcmp(rule->id, a->rule) != 0))
			fail_msg("%s > %s proto %u port %u: %d by %s", a->src, a->dst,
				 a->proto, a->port, (int)got,
				 rule ? rule->id : "default");
	}
	cfg_clear(&cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_flow_is_decided)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
