/*
 * Rules in maps decide as the administrator wrote them: random policies, each
 * compiled and asked about random packets and about those at the edges of its
 * rules; decide() says what is right. A seed as argument repeats a run.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>

#include "nft_eval.h"
#include "policyd/compile.h"
#include "policyd/decide.h"

#define POLICIES 150
#define PACKETS 400
#define TEXT_BYTES (1U << 20)
#define RULES_MAX 90
#define END_YEAR 30      /* of rules with an end: this one, before or after */
#define NOW_S 1903000000 /* in April 2030 */

static uint64_t seed, state;
static unsigned hosts; /* how many hosts of a network the rules name */

static unsigned rnd(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 20) % n);
}

static bool one_in(unsigned n)
{
	return rnd(n) == 0;
}

static const char head[] =
	"{\"format\":\"luytre-config 1\",\"serial\":1,\"device\":\"D\",\"agency\":\"A\","
	"\"ports\":["
	"{\"name\":\"lan0\",\"match\":{\"mac\":\"02:00:00:00:00:01\"},\"zone\":\"lan\","
	"\"addresses\":[\"10.1.200.1/16\",\"2001:2:0:1:ffff::1/64\"]},"
	"{\"name\":\"srv0\",\"match\":{\"mac\":\"02:00:00:00:00:02\"},\"zone\":"
	"\"server\","
	"\"addresses\":[\"10.2.200.1/16\",\"2001:2:0:2:ffff::1/64\"]},"
	"{\"name\":\"wan1\",\"match\":{\"mac\":\"02:00:00:00:00:03\"},\"zone\":"
	"\"internet\","
	"\"addresses\":[\"198.18.0.2/24\",\"2001:2:0:3:ffff::2/64\"]}],"
	"\"routes\":[{\"to\":\"0.0.0.0/0\",\"via\":\"198.18.0.1\"},"
	"{\"to\":\"::/0\",\"via\":\"2001:2:0:3::1\"}],\"rules\":[";

/* Few values, so that rules meet; @style 0 = single hosts. */
static void put_addr(FILE *f, int family, unsigned zone, unsigned style)
{
	static const char *const net4[] = {"10.1", "10.2", "203.0"};
	unsigned a = rnd(3), b = rnd(hosts), kind = style == 0 ? 0 : rnd(16) % 6;
	const char *n = net4[zone];

	if (style == 5) {
		kind = 4;
		b = 0;
	}
	if (family == 4 && kind <= 1)
		fprintf(f, "\"%s.%u.%u\"", n, a, b);
	else if (family == 4 && kind == 2)
		fprintf(f, "\"%s.%u.%u/30\"", n, a, b / 4 * 4);
	else if (family == 4 && kind == 3)
		fprintf(f, "\"%s.%u.0/24\"", n, a);
	else if (family == 4 && kind == 4)
		fprintf(f, "\"%s.%u.%u-%s.%u.%u\"", n, a, b, n, a + rnd(2),
			b + 1 + rnd(3));
	else if (family == 4)
		fprintf(f, "\"%s\"", one_in(3) ? "10.0.0.0/14" : "203.0.0.0/8");
	else if (kind <= 1)
		fprintf(f, "\"2001:2:0:%u::%x:%x\"", zone + 1, a, b);
	else if (kind == 2)
		fprintf(f, "\"2001:2:0:%u::%x:0/112\"", zone + 1, a);
	else if (kind == 3)
		fprintf(f, "\"2001:2:0:%u::/64\"", zone + 1);
	else
		fprintf(f, "\"2001:2:0:%u::%x:%x-2001:2:0:%u::%x:%x\"", zone + 1, a, b,
			zone + 1, a, b + 2);
}

static void put_addrs(FILE *f, const char *key, unsigned families, unsigned zone,
		      unsigned style)
{
	const char *comma = "";

	fprintf(f, ",\"%s\":[", key);
	for (int family = 4; family <= 6; family += 2) {
		unsigned n = style == 0 ? 1 : 1 + rnd(3);

		for (unsigned i = 0; i < n && (families & (family == 4 ? 1U : 2U)); i++) {
			fputs(comma, f);
			put_addr(f, family, zone, style);
			comma = ",";
		}
	}
	fputc(']', f);
}

static unsigned port(void)
{
	static const unsigned ports[] = {1,    2,    22,   79,   80,    81,    82,
					 3543, 3544, 3545, 1024, 65534, 65535, 443};

	return ports[rnd(sizeof(ports) / sizeof(ports[0]))];
}

static void put_service(FILE *f, unsigned style)
{
	unsigned lo = port(), hi = port(), kind = style == 0 ? 0 : rnd(12);
	const char *proto = one_in(2) ? "tcp" : "udp";

	if (kind <= 4)
		fprintf(f, "\"%s/%u\"", proto, lo);
	else if (kind <= 8 && lo != hi)
		fprintf(f, "\"%s/%u-%u\"", proto, lo < hi ? lo : hi, lo < hi ? hi : lo);
	else if (kind == 9)
		fprintf(f, "\"proto/%u\"", one_in(2) ? 6U : 17U);
	else if (kind == 10)
		fputs("\"icmp/8\",\"icmpv6/128\"", f);
	else
		fprintf(f, "\"proto/%u\"", one_in(2) ? 47U : 50U);
}

/* What keeps a rule out of the maps: ports, an end, limits. */
static void put_more(FILE *f, unsigned zone, unsigned action)
{
	static const char *const in[] = {"lan0", "wan1"};

	if (one_in(5))
		fputs(",\"out\":[\"srv0\"]", f);
	if (one_in(5))
		fprintf(f, ",\"in\":[\"%s\"]", in[zone == 2 ? rnd(2) : zone]);
	if (one_in(5))
		fprintf(f, ",\"valid_until\":\"20%02u-01-01T00:00:00Z\"",
			END_YEAR - 1 + rnd(3));
	if (action == 0 && one_in(4))
		fprintf(f, ",\"limit\":{\"%s\":%u}",
			one_in(2)   ? "connections"
			: one_in(2) ? "connections_per_source"
				    : "new_per_source",
			1 + rnd(9));
}

static void put_rule(FILE *f, unsigned index, unsigned style)
{
	static const char *const from[] = {"lan", "internet", "any"};
	static const char *const action[] = {"permit", "drop", "reject"};
	unsigned families = 1 + rnd(3), n = one_in(12) ? 0 : 1 + rnd(3), zone = rnd(3);
	unsigned act;

	if (style == 4) {
		n = one_in(4);
		style = 0;
	}

	fprintf(f, "%s{\"id\":\"n%u\",\"from\":[\"%s\"],\"to\":[\"server\"]",
		index ? "," : "", index, from[zone]);
	if (style == 0 || !one_in(8))
		put_addrs(f, "source", families, zone == 2 ? rnd(2) * 2 : zone * 2,
			  style);
	if (style == 0 || !one_in(8))
		put_addrs(f, "destination", families, 1, style);
	if (n > 0) {
		fputs(",\"service\":[", f);
		for (unsigned i = 0; i < n; i++) {
			fputs(i ? "," : "", f);
			put_service(f, style);
		}
		fputc(']', f);
	}
	act = rnd(zone == 1 ? 2 : 3);
	if (style == 3)
		put_more(f, zone, act);
	fprintf(f, ",\"action\":\"%s\",\"log\":%s}", action[act],
		one_in(2) ? "true" : "false");
}

/* Styles: 0 hosts and single ports, 1 and 2 everything, 3 also rules with ports,
 * ends and limits, 4 hosts and all services, 5 ranges that are almost prefixes. */
static void random_policy(char *text, struct cfg *cfg)
{
	unsigned style = rnd(6), count = 1 + rnd(RULES_MAX);
	FILE *f = fmemopen(text, TEXT_BYTES, "w");
	struct cfg_error e;

	assert_non_null(f);
	fputs(head, f);
	hosts = one_in(2) ? 3 : 12;
	for (unsigned i = 0; i < count; i++)
		put_rule(f, i, one_in(4) ? rnd(6) : style);
	fputs("]}", f);
	assert_int_equal(fclose(f), 0);
	if (cfg_parse(span_str(text), cfg, &e) != ERR_OK)
		fail_msg("seed %llu: %s: %s", (unsigned long long)seed, e.path, e.reason);
	cfg_judge(cfg, NOW_S);
}

static void step(struct net_addr *a, int by)
{
	for (unsigned i = net_addr_bytes(a->family); i-- > 0;) {
		a->b[i] = (uint8_t)(a->b[i] + by);
		if (a->b[i] != (by > 0 ? 0 : 0xff))
			return;
	}
}

/* An address at or beside the edge of a range of a rule. */
static struct net_addr edge(const struct cfg_rule *r, bool is_source)
{
	const struct net_range *v = is_source ? r->src : r->dst;
	size_t n = is_source ? r->src_count : r->dst_count;
	struct net_addr a = {.family = one_in(2) ? 4 : 6};

	if (n > 0) {
		v += rnd((unsigned)n);
		a.family = v->family;
		memcpy(a.b, one_in(2) ? v->lo : v->hi, 16);
		if (one_in(5))
			step(&a, one_in(2) ? 1 : -1);
		return a;
	}
	if (a.family == 4) {
		a.b[0] = 10;
		a.b[1] = is_source ? 1 : 2;
		a.b[2] = (uint8_t)rnd(3);
		a.b[3] = (uint8_t)rnd(14);
		return a;
	}
	a.b[0] = 0x20;
	a.b[1] = 1;
	a.b[3] = 2;
	a.b[7] = is_source ? 1 : 2;
	a.b[13] = (uint8_t)rnd(3);
	a.b[15] = (uint8_t)rnd(14);
	return a;
}

/* The port behind which an address is: lan0, srv0, or wan1. */
static int behind(const struct net_addr *a)
{
	static const uint8_t net6[7] = {0x20, 1, 0, 2, 0, 0, 0};

	if (a->family == 4 && a->b[0] == 10 && (a->b[1] == 1 || a->b[1] == 2))
		return a->b[1] - 1;
	if (a->family == 6 && !memcmp(a->b, net6, 7) && (a->b[7] == 1 || a->b[7] == 2))
		return a->b[7] - 1;
	return 2;
}

static bool random_flow(const struct cfg *cfg, struct flow *f)
{
	static const uint8_t protos[] = {6, 6, 6, 17, 17, 17, 1, 47, 50, 4};
	const struct cfg_rule *r = &cfg->rules[rnd((unsigned)cfg->rule_count)];

	const struct cfg_rule *other =
		one_in(3) ? &cfg->rules[rnd((unsigned)cfg->rule_count)] : r;

	memset(f, 0, sizeof(*f));
	f->src = edge(r, true);
	f->dst = edge(other, false);
	if (f->dst.family != f->src.family)
		return false;
	f->proto = protos[rnd(sizeof(protos))];
	f->dst_port = (uint16_t)port();
	if (r->svc_count > 0 && !one_in(3)) {
		const struct cfg_service *s = &r->svc[rnd((unsigned)r->svc_count)];

		f->proto = s->proto == 58 ? 1 : s->proto;
		if (s->has_ports)
			f->dst_port =
				(uint16_t)((one_in(2) ? s->lo : s->hi) + rnd(3) - 1);
	}
	if (f->proto == 1) {
		f->proto = f->src.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		f->type = f->src.family == 4 ? 8 : 128;
	}
	return behind(&f->dst) == 1 && behind(&f->src) != 1;
}

static void make_packet(const struct flow *f, struct eval_packet *p)
{
	static const char *const names[] = {"lan0", "srv0", "wan1"};
	unsigned bytes = net_addr_bytes(f->src.family), at = bytes == 4 ? 12 : 8;
	uint16_t n = htons(f->dst_port);

	memset(p, 0, sizeof(*p));
	(void)snprintf(p->in, sizeof(p->in), "%s", names[behind(&f->src)]);
	(void)snprintf(p->out, sizeof(p->out), "%s", names[behind(&f->dst)]);
	p->family = f->src.family;
	p->time_ns = (uint64_t)NOW_S * 1000000000U;
	p->proto = f->proto;
	memcpy(p->net + at, f->src.b, bytes);
	memcpy(p->net + at + bytes, f->dst.b, bytes);
	memcpy(p->transport + 2, &n, 2);
	if (f->type) {
		p->transport[0] = f->type;
		p->transport[1] = f->code;
	}
}

static enum eval_end right_end(const struct cfg_rule *rule, const struct flow *f)
{
	if (!rule)
		return EVAL_NONE;
	if (rule->action == CFG_PERMIT)
		return EVAL_ACCEPT;
	if (rule->action == CFG_DROP || behind(&f->src) == 2)
		return EVAL_DROP;
	return f->proto == IPPROTO_TCP ? EVAL_RESET : EVAL_ICMP;
}

/* Does the program treat a packet as decide() does? */
static bool is_right(const struct cfg *cfg, const struct prog *prog, const struct flow *f,
		     struct eval *got)
{
	const char *chain = behind(&f->src) == 2 ? "internet_to_server" : "lan_to_server";
	const struct cfg_rule *rule;
	struct eval_packet packet;

	make_packet(f, &packet);
	packet.is_over = one_in(4);
	if (decide(cfg, f, &rule) == DECIDE_LOCAL)
		return true;
	memset(got, 0, sizeof(*got));
	got->prog = prog;
	got->packet = &packet;
	eval_chain(got, chain);
	got->packet = NULL;
	if (rule && packet.is_over && cfg_rule_is_limited(rule))
		return got->end == EVAL_DROP && got->id &&
		       !strcmp(got->id, "built-in over-limit");
	if (got->end != right_end(rule, f) || got->counted != (rule ? 1U : 0U))
		return false;
	if (!rule)
		return true;
	return got->id && !strcmp(got->id, rule->id) && (got->log != NULL) == rule->log &&
	       (!rule->log || !strcmp(got->log, rule->id));
}

static void say_wrong(const struct cfg *cfg, const struct flow *f, const struct eval *got)
{
	char src[NET_TEXT_BYTES], dst[NET_TEXT_BYTES];
	const struct cfg_rule *rule;

	(void)decide(cfg, f, &rule);
	fail_msg("seed %llu: %s > %s proto %u port %u: rule %s end %d, not %s",
		 (unsigned long long)seed, net_addr_text(&f->src, src),
		 net_addr_text(&f->dst, dst), f->proto, f->dst_port,
		 got->id ? got->id : "none", (int)got->end, rule ? rule->id : "none");
}

static size_t map_elements(const struct prog *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->set_count; i++)
		n += strncmp(p->sets[i].name, "map_", 4) ? 0 : p->sets[i].count;
	return n;
}

static void first_match_decides(void **unused)
{
	char *text = malloc(TEXT_BYTES);
	size_t elements = 0, asked = 0;

	(void)unused;
	assert_non_null(text);
	for (int i = 0; i < POLICIES; i++) {
		struct cfg cfg;
		struct prog prog;
		struct eval got;
		struct flow f;

		random_policy(text, &cfg);
		assert_int_equal(compile_cfg(&cfg, &prog), ERR_OK);
		elements += map_elements(&prog);
		for (int k = 0; k < PACKETS; k++) {
			if (!random_flow(&cfg, &f))
				continue;
			asked++;
			if (!is_right(&cfg, &prog, &f, &got))
				say_wrong(&cfg, &f, &got);
		}
		prog_clear(&prog);
		cfg_clear(&cfg);
	}
	free(text);
	print_message("# seed %llu: %zu packets, %zu elements in maps\n",
		      (unsigned long long)seed, asked, elements);
	assert_true(elements > POLICIES && asked > POLICIES * PACKETS / 8);
}

/* The comparison itself: what it must not overlook. */

static struct prog_set *random_map(struct prog *p, bool is_range)
{
	for (unsigned i = 0; i < 200; i++) {
		struct prog_set *s = &p->sets[rnd((unsigned)p->set_count)];

		if (!strncmp(s->name, "map_", 4) && (s->field_count > 0) == is_range)
			return s;
	}
	return NULL;
}

static bool lose_element(struct prog *p)
{
	struct prog_set *s = random_map(p, one_in(2));

	if (!s)
		return false;
	s->elems[rnd((unsigned)s->count)] = s->elems[s->count - 1];
	s->count--;
	return true;
}

static bool other_rule(struct prog *p)
{
	struct prog_set *s = random_map(p, one_in(2));
	struct prog_elem *a, *b;

	if (!s)
		return false;
	a = &s->elems[rnd((unsigned)s->count)];
	b = &s->elems[rnd((unsigned)s->count)];
	if (!strcmp(a->jump, b->jump))
		return false;
	memcpy(a->jump, b->jump, sizeof(a->jump));
	return true;
}

/* The last byte of a range's last field: one port more. */
static bool longer_range(struct prog *p)
{
	struct prog_set *s = random_map(p, true);
	struct prog_elem *e;

	if (!s || s->field_len[s->field_count - 1] != 2)
		return false;
	e = &s->elems[rnd((unsigned)s->count)];
	if (e->key_end[s->key_len - 3] == 0xff)
		return false;
	e->key_end[s->key_len - 3]++;
	return true;
}

/* The last lookup or compare of a zone pair's chain comes first. */
static bool last_comes_first(struct prog *p)
{
	const char *chain = one_in(2) ? "lan_to_server" : "internet_to_server";
	size_t first = p->rule_count, last = 0;
	struct prog_rule moved;

	for (size_t i = p->rule_count; i-- > 0;) {
		if (strcmp(p->rules[i].chain, chain) != 0)
			continue;
		first = i;
		last = last ? last : i;
	}
	if (first >= last)
		return false;
	moved = p->rules[last];
	memmove(&p->rules[first + 1], &p->rules[first], (last - first) * sizeof(moved));
	p->rules[first] = moved;
	return true;
}

static unsigned caught(bool (*spoil)(struct prog *p), char *text, unsigned *tried)
{
	unsigned found = 0;

	*tried = 0;
	for (int i = 0; i < POLICIES && *tried < 40; i++) {
		struct cfg cfg;
		struct prog prog;
		struct eval got;
		struct flow f;
		bool is_caught = false;

		random_policy(text, &cfg);
		assert_int_equal(compile_cfg(&cfg, &prog), ERR_OK);
		if (spoil(&prog)) {
			++*tried;
			for (int k = 0; !is_caught && k < 10 * PACKETS; k++)
				is_caught = random_flow(&cfg, &f) &&
					    !is_right(&cfg, &prog, &f, &got);
			found += is_caught;
		}
		prog_clear(&prog);
		cfg_clear(&cfg);
	}
	return found;
}

static void spoiled_programs_are_noticed(void **unused)
{
	static const struct {
		const char *name;
		bool (*spoil)(struct prog *p);
		unsigned least; /* of 100; some spoil what an earlier rule hides */
	} all[] = {
		{"lost element", lose_element, 10},
		{"element of another rule", other_rule, 10},
		{"range one port longer", longer_range, 10},
		{"last stage first", last_comes_first, 10},
	};
	char *text = malloc(TEXT_BYTES);

	(void)unused;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		unsigned tried, n = caught(all[i].spoil, text, &tried);

		print_message("# %s: %u of %u noticed\n", all[i].name, n, tried);
		if (tried < 10 || n * 100 < all[i].least * tried)
			fail_msg("seed %llu: %s: only %u of %u noticed",
				 (unsigned long long)seed, all[i].name, n, tried);
	}
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_match_decides),
		cmocka_unit_test(spoiled_programs_are_noticed),
	};

	seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	state = seed * 2654435761U + 88172645463325252U;
	print_message("# seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
