/* Address translation: what the reader refuses, that the canonical form is stable,
 * and what decide_entry() says about translated flows. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "policyd/cfg.h"
#include "policyd/compile.h"
#include "policyd/decide.h"

#define TEXT_MAX 8192

/* ' stands for ", so that the texts can be read */
#define HEAD                                                                             \
	"{'format':'luytre-config 1','serial':7,'device':'D1','agency':'A','ports':["    \
	"{'name':'lan0','match':{'mac':'02:00:00:00:00:01'},'zone':'lan',"               \
	"'addresses':['10.1.2.1/24','2001:2:0:1::1/64']},"                               \
	"{'name':'dmz0','match':{'mac':'02:00:00:00:00:02'},'zone':'dmz',"               \
	"'addresses':['192.168.3.1/24']},"                                               \
	"{'name':'wan0','match':{'mac':'02:00:00:00:00:03'},'zone':'tslcd',"             \
	"'addresses':['10.200.1.2/24','2001:2:0:a::2/64']},"                             \
	"{'name':'wan1','match':{'mac':'02:00:00:00:00:04'},'zone':'internet',"          \
	"'addresses':['198.18.0.2/24','198.18.0.3/24']}],"                               \
	"'routes':[{'to':'10.0.0.0/8','via':'10.200.1.1'},"                              \
	"{'to':'10.5.0.0/16','via':'10.1.2.9'},{'to':'10.201.0.0/"                       \
	"16','via':'10.200.1.9'},"                                                       \
	"{'to':'0.0.0.0/0','via':'198.18.0.1'},"                                         \
	"{'to':'2001:2:0:b00::/56','via':'2001:2:0:a::1'}],"
#define RULES                                                                            \
	"'rules':[{'id':'a','from':['lan'],'to':['tslcd','internet'],"                   \
	"'action':'permit'},{'id':'b','from':['internet'],'to':['dmz'],"                 \
	"'service':['tcp/8080'],'action':'permit'},{'id':'c','from':['tslcd'],"          \
	"'to':['lan'],'action':'permit'}],"
#define NAT HEAD RULES "'nat':"
#define SRC "{'source':[{'id':'s','from':['lan'],"
#define DST "{'destination':[{'id':'d',"
#define DST_OK "'from':['internet'],'address':['198.18.0.2'],'service':['tcp/80']"
#define PFX "{'prefix':[{'id':'p','zone':'tslcd',"

struct bad {
	const char *text;
	const char *path;
	const char *reason;
};

static const struct bad table[] = {
	{NAT "[]}", "$.nat", "expected an object"},
	{NAT "{'x':[]}}", "$.nat.x", "unknown key"},
	{NAT "{'source':{}}}", "$.nat.source", "expected a list"},
	{NAT SRC "'to':['tslcd'],'masquerade':true,'log':true}]}}", "$.nat.source[0].log",
	 "unknown key"},
	{NAT SRC "'to':['tslcd']}]}}", "$.nat.source[0]", "exactly one"},
	{NAT SRC "'to':['tslcd'],'masquerade':true,'address':'10.200.1.2'}]}}",
	 "$.nat.source[0]", "exactly one"},
	{NAT SRC "'to':['tslcd'],'masquerade':false}]}}", "$.nat.source[0].masquerade",
	 "not true"},
	{NAT SRC "'to':['tslcd'],'address':'wan0'}]}}", "$.nat.source[0].address",
	 "not an address"},
	{NAT SRC "'to':['dmz'],'masquerade':true}]}}", "$.nat.source[0]",
	 "toward an inside zone"},
	{NAT SRC "'to':['any'],'masquerade':true}]}}", "$.nat.source[0]",
	 "toward an inside zone"},
	{NAT SRC "'to':['tslcd','internet'],'address':'10.200.1.2'}]}}",
	 "$.nat.source[0].address", "one side"},
	{NAT SRC "'to':['internet'],'address':'10.200.1.2'}]}}",
	 "$.nat.source[0].address", "port wan0 in zone tslcd"},
	{NAT SRC "'to':['tslcd'],'address':'10.200.1.77'}]}}", "$.nat.source[0].address",
	 "in the network 10.200.1.0/24 of port wan0"},
	{NAT SRC "'to':['tslcd'],'address':'10.5.7.7'}]}}", "$.nat.source[0].address",
	 "in use behind port lan0"},
	{NAT SRC "'to':['tslcd'],'address':'10.200.255.0-10.201.0.9'}]}}",
	 "$.nat.source[0].address", "routes[2]"},
	{NAT SRC "'to':['tslcd'],'address':'224.0.0.1'}]}}", "$.nat.source[0].address",
	 "cannot be addresses of hosts"},
	{NAT SRC "'to':['tslcd'],'address':'fd00::1'}]}}", "$.nat.source[0].address",
	 "unique local"},
	{NAT SRC "'to':['tslcd'],'source':['10.1.2.9'],'address':'2001:2:0:b99::1'}]}}",
	 "$.nat.source[0].address", "other family"},
	{NAT SRC "'to':['tslcd'],'source':['10.1.2.9'],'destination':['2001:db9::1'],"
		 "'masquerade':true}]}}",
	 "$.nat.source[0]", "different families"},
	{NAT "{'source':[{'id':'s','from':['internet'],'to':['tslcd'],"
	     "'masquerade':true}]}}",
	 "$.nat.source[0]", "joins internet and tslcd"},
	{NAT "{'source':[{'id':'a','from':['lan'],'to':['tslcd'],'masquerade':true}]}}",
	 "$.nat.source[0].id", "used twice"},
	{NAT SRC "'to':['tslcd'],'masquerade':true},{'id':'s','from':['lan'],"
		 "'to':['tslcd'],'masquerade':true}]}}",
	 "$.nat.source[1].id", "used twice"},
	{NAT SRC "'to':['tslcd'],'masquerade':true}],'prefix':[{'id':'s',"
		 "'zone':'tslcd','inside':'10.1.2.0/24','outside':'10.200.99.0/24'}]}}",
	 "$.nat.prefix[0].id", "used twice"},
	{NAT "{'source':[{'id':'built-in s','from':['lan'],'to':['tslcd'],"
	     "'masquerade':true}]}}",
	 "$.nat.source[0].id", ""},
	{NAT DST DST_OK "}]}}", "$.nat.destination[0]", "\"to_address\" is missing"},
	{HEAD "'rules':[{'id':'web','from':['internet'],'to':['dmz'],"
	      "'destination':['192.168.3.0/24'],'service':['tcp/80'],'action':'permit',"
	      "'limit':{'half_open':9}}],'nat':" DST DST_OK
	      ",'to_address':'192.168.3.9'}]}}",
	 "$.nat", "rule web protects a translated target"},
	{NAT DST "'from':['internet'],'address':['198.18.0.2'],"
		 "'to_address':'192.168.3.9'}]}}",
	 "$.nat.destination[0]", "\"service\" is missing"},
	{NAT DST DST_OK ",'to_address':'192.168.3.0/24'}]}}",
	 "$.nat.destination[0].to_address", "not the address of a host"},
	{NAT DST DST_OK ",'to_address':'192.168.3.1'}]}}",
	 "$.nat.destination[0].to_address", "the appliance itself"},
	{NAT DST DST_OK ",'to_address':'2001:2:0:1::9'}]}}",
	 "$.nat.destination[0].address", "different families"},
	{NAT DST "'from':['tslcd'],'address':['2001:2:0:a::2'],'service':['tcp/80'],"
		 "'to_address':'2001:5::9'}]}}",
	 "$.nat.destination[0].to_address", "in no network"},
	{NAT DST DST_OK ",'to_address':'10.200.1.9'}]}}",
	 "$.nat.destination[0].to_address", "other outside zone"},
	{NAT DST "'from':['tslcd'],'address':['10.200.1.2'],'service':['tcp/80'],"
		 "'to_address':'8.8.8.8'}]}}",
	 "$.nat.destination[0].to_address", "other outside zone"},
	{NAT DST "'from':['internet'],'address':['198.18.0.9'],'service':['tcp/80'],"
		 "'to_address':'192.168.3.9'}]}}",
	 "$.nat.destination[0].address", "in the network 198.18.0.0/24 of port wan1"},
	{NAT DST "'from':['internet'],'address':['fd00::1'],'service':['tcp/80'],"
		 "'to_address':'2001:2:0:1::9'}]}}",
	 "$.nat.destination[0].address", "unique local"},
	{NAT DST "'from':['internet'],'address':['198.18.0.2'],'service':['icmp/8'],"
		 "'to_address':'192.168.3.9'}]}}",
	 "$.nat.destination[0].service", "only ports of tcp or udp"},
	{NAT DST "'from':['internet'],'address':['198.18.0.2'],'service':['tcp/*'],"
		 "'to_address':'192.168.3.9'}]}}",
	 "$.nat.destination[0].service", "only ports of tcp or udp"},
	{NAT DST DST_OK ",'to_address':'192.168.3.9','to_port':0}]}}",
	 "$.nat.destination[0].to_port", "not a port"},
	{NAT DST DST_OK ",'to_address':'192.168.3.9','to_port':70000}]}}",
	 "$.nat.destination[0].to_port", "not a port"},
	{NAT DST DST_OK ",'to_address':'192.168.3.9','to_port':'9-8'}]}}",
	 "$.nat.destination[0].to_port", "not a port"},
	{NAT DST DST_OK ",'to_address':'192.168.3.9','to_port':'80-81'}]}}",
	 "$.nat.destination[0].service", "1 ports cannot be mapped to 2"},
	{NAT DST "'from':['internet'],'address':['198.18.0.2'],'service':['tcp/1-65'],"
		 "'to_address':'192.168.3.9','to_port':'1001-1065'}]}}",
	 "$.nat.destination[0].service", "CFG_NAT_SHIFT_MAX"},
	{NAT DST "'from':['dmz'],'address':['198.18.0.2'],'service':['tcp/80'],"
		 "'to_address':'192.168.3.9'}]}}",
	 "$.nat.destination[0].from", "another address than they asked"},
	{NAT PFX "'inside':'10.1.2.0/24'}]}}", "$.nat.prefix[0]", "missing"},
	{NAT PFX "'inside':'10.1.2.1/24','outside':'10.200.99.0/24'}]}}",
	 "$.nat.prefix[0].inside", "not a network"},
	{NAT PFX "'inside':'10.1.2.0/24','outside':'10.200.98.0/23'}]}}",
	 "$.nat.prefix[0].outside", "lengths /24 and /23 differ"},
	{NAT PFX "'inside':'10.1.2.0/24','outside':'2001:2:0:b99::/64'}]}}",
	 "$.nat.prefix[0].outside", "different families"},
	{NAT PFX "'inside':'10.1.2.0/24','outside':'10.200.1.0/24'}]}}",
	 "$.nat.prefix[0].outside", "of port wan0"},
	{NAT PFX "'inside':'10.1.2.0/24','outside':'10.5.9.0/24'}]}}",
	 "$.nat.prefix[0].outside", "in use behind port lan0"},
	{NAT PFX "'inside':'10.1.0.0/16','outside':'10.201.0.0/16'}]}}",
	 "$.nat.prefix[0].outside", "routes[2] leads there"},
	{NAT PFX "'inside':'2001:2:0:1::/64','outside':'fd00::/64'}]}}",
	 "$.nat.prefix[0].outside", "unique local"},
	{NAT PFX "'inside':'10.77.2.0/24','outside':'10.200.99.0/24'}]}}",
	 "$.nat.prefix[0].inside", "not a network on the inside"},
	{NAT "{'prefix':[{'id':'p','zone':'internet','inside':'10.77.2.0/24',"
	     "'outside':'198.18.99.0/24'}]}}",
	 "$.nat.prefix[0].inside", "not a network on the inside"},
	{NAT "{'prefix':[{'id':'p','zone':'moon','inside':'10.1.2.0/24',"
	     "'outside':'10.200.99.0/24'}]}}",
	 "$.nat.prefix[0].zone", "no zone"},
	{NAT PFX "'inside':'10.1.2.0/24','outside':'10.200.99.0/24'},{'id':'q',"
		 "'zone':'tslcd','inside':'10.1.2.128/25','outside':'10.200.98.0/25'}]}}",
	 "$.nat.prefix[1].inside", "translates a part"},
	{NAT PFX "'inside':'10.1.2.0/25','outside':'10.200.99.0/25'},{'id':'q',"
		 "'zone':'tslcd','inside':'10.1.2.128/25','outside':'10.200.99.0/25'}]}}",
	 "$.nat.prefix[1].outside", "in use by nat.prefix[0]"},
	{NAT SRC "'to':['tslcd'],'address':'10.200.99.9'}],'prefix':[{'id':'p',"
		 "'zone':'tslcd','inside':'10.1.2.0/24','outside':'10.200.99.0/24'}]}}",
	 "$.nat.prefix[0].outside", "nat.source[0] has an address"},
	{NAT "{'destination':[{'id':'d','from':['tslcd'],'address':['10.200.99.7'],"
	     "'service':['tcp/80'],'to_address':'10.1.2.7'}],'prefix':[{'id':'p',"
	     "'zone':'tslcd','inside':'10.1.2.0/24','outside':'10.200.99.0/24'}]}}",
	 "$.nat.destination[0].address", "in use by nat.prefix[0]"},
	{NAT "{'destination':[{'id':'d','from':['tslcd'],'address':['10.200.1.2'],"
	     "'service':['tcp/80'],'to_address':'10.200.99.7'}],'prefix':[{'id':'p',"
	     "'zone':'tslcd','inside':'10.1.2.0/24','outside':'10.200.99.0/24'}]}}",
	 "$.nat.destination[0].to_address", "outside address of nat.prefix[0]"},
};

/* A rule with half_open (h) beside a translation of the same connections. */
#define HALF_OPEN                                                                        \
	HEAD "'rules':[{'id':'h','from':['internet','tslcd','lan'],'to':['dmz','lan'],"  \
	     "'destination':['192.168.3.9','10.1.2.9'],'service':['tcp/80'],"            \
	     "'action':'permit','limit':{'half_open':100}}],'nat':"

static const struct bad half_open[] = {
	{HALF_OPEN DST DST_OK ",'to_address':'192.168.3.9'}]}}",
	 "$.nat.destination[0].to_address", "half_open"},
	{HALF_OPEN PFX "'inside':'10.1.2.0/24','outside':'10.200.99.0/24'}]}}",
	 "$.nat.prefix[0].inside", "half_open"},
	{HALF_OPEN SRC "'to':['dmz'],'destination':['192.168.3.0/28'],"
		       "'masquerade':true}]}}",
	 "$.nat.source[0]", "half_open"},
};

static struct span json(const char *text, char buf[TEXT_MAX])
{
	size_t n = strlen(text);

	assert_true(n < TEXT_MAX);
	for (size_t i = 0; i <= n; i++)
		buf[i] = (char)(text[i] == '\'' ? '"' : text[i]);
	return span_of(buf, n);
}

static void refused(const struct bad *v, size_t n)
{
	char buf[TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct bad *b = &v[i];
		struct cfg_error e;
		struct cfg cfg;
		int r = cfg_parse(json(b->text, buf), &cfg, &e);

		if (r == ERR_OK || strncmp(e.path, b->path, strlen(b->path)) != 0 ||
		    !strstr(e.reason, b->reason) || !e.fix[0] || !e.reason[0])
			fail_msg("case %zu: %d path %s reason %s fix %s", i, r, e.path,
				 e.reason, e.fix);
		cfg_clear(&cfg);
	}
}

static void each_mistake_is_named(void **state)
{
	(void)state;
	refused(table, sizeof(table) / sizeof(table[0]));
	refused(half_open, sizeof(half_open) / sizeof(half_open[0]));
}

/* UDP, or another host of the same zone, is no conflict. */
static void half_open_elsewhere_is_taken(void **state)
{
	static const char *const texts[] = {
		HALF_OPEN DST DST_OK ",'to_address':'192.168.3.8'}]}}",
		HALF_OPEN DST "'from':['internet'],'address':['198.18.0.2'],"
			      "'service':['udp/80'],'to_address':'192.168.3.9'}]}}",
		HALF_OPEN SRC "'to':['internet'],'masquerade':true}]}}",
	};
	char buf[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cfg_error e;
		struct cfg cfg;

		if (cfg_parse(json(texts[i], buf), &cfg, &e) != ERR_OK)
			fail_msg("case %zu: %s %s", i, e.path, e.reason);
		cfg_clear(&cfg);
	}
}

/* The same network on both sides, PF-28. */
static void overlap_is_refused_or_longest_prefix(void **state)
{
	static const char form[] =
		"{'format':'luytre-config 1','serial':7,'device':'D1','agency':'A',"
		"'ports':[{'name':'lan0','match':{'mac':'02:00:00:00:00:01'},"
		"'zone':'lan','addresses':['%s']},{'name':'wan0',"
		"'match':{'mac':'02:00:00:00:00:03'},'zone':'tslcd',"
		"'addresses':['%s']}],'routes':[{'to':'%s','via':'%s'}],'rules':[]}";
	static const struct {
		const char *lan, *wan, *route, *via, *path; /* NULL: taken */
	} cases[] = {
		{"10.0.0.1/8", "172.16.0.2/24", "10.0.0.0/8", "172.16.0.1",
		 "$.routes[0].to"},
		{"10.0.0.1/8", "172.16.0.2/24", "10.200.0.0/16", "172.16.0.1",
		 "$.routes[0].to"},
		{"10.0.0.1/8", "10.200.1.2/24", "172.16.0.0/16", "10.200.1.1",
		 "$.ports[1].addresses[0]"},
		{"10.1.0.1/16", "172.16.0.2/24", "10.0.0.0/8", "172.16.0.1", NULL},
		{"2001:2:0:1::1/64", "2001:2:0:a::2/64", "2001:2:0:1::/64",
		 "2001:2:0:a::1", "$.routes[0].to"},
		{"2001:2:0:1::1/64", "2001:2:0:a::2/64", "2001:2::/32", "2001:2:0:a::1",
		 NULL},
	};
	char text[TEXT_MAX], buf[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cfg_error e;
		struct cfg cfg;
		int r;

		(void)snprintf(text, sizeof(text), form, cases[i].lan, cases[i].wan,
			       cases[i].route, cases[i].via);
		r = cfg_parse(json(text, buf), &cfg, &e);
		if (!cases[i].path) {
			assert_int_equal(r, ERR_OK);
		} else if (r == ERR_OK || strcmp(e.path, cases[i].path) != 0 ||
			   !strstr(e.reason, "overlaps") ||
			   !strstr(e.fix, "nat.prefix")) {
			fail_msg("case %zu: %d path %s reason %s fix %s", i, r, e.path,
				 e.reason, e.fix);
		}
		cfg_clear(&cfg);
	}
}

static const char good[] =
	NAT "{'source':[{'id':'s1','from':['lan'],'to':['internet'],"
	    "'service':['tcp/25'],'address':'198.18.0.2-198.18.0.3'},"
	    "{'id':'s2','from':['any'],'to':['internet'],'masquerade':true,"
	    "'comment':'x'}],"
	    "'destination':[{'id':'d1','from':['internet'],'address':['198.18.0.2'],"
	    "'service':['tcp/80','tcp/81'],'to_address':'192.168.3.9','to_port':8080},"
	    "{'id':'d2','from':['any'],'address':['198.18.0.2'],"
	    "'service':['udp/10-12'],'to_address':'10.200.7.7','to_port':'20-22'}],"
	    "'prefix':[{'id':'p','zone':'tslcd','inside':'10.1.2.0/24',"
	    "'outside':'10.200.99.0/24'},{'id':'p6','zone':'tslcd',"
	    "'inside':'2001:2:0:1::/64','outside':'2001:2:0:b99::/64'}]}}";

static char *canonical(const struct cfg *cfg)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	cfg_print(cfg, f);
	if (fclose(f) != 0)
		return NULL;
	return text;
}

static void canonical_form_is_the_same(void **state)
{
	char buf[TEXT_MAX];
	struct cfg_error e;
	struct cfg cfg, again;
	struct prog p;
	char *once, *twice;

	(void)state;
	assert_int_equal(cfg_parse(json(good, buf), &cfg, &e), ERR_OK);
	assert_int_equal(cfg.nat.source_count, 2);
	/* the target is behind tslcd: "any" leaves internet out */
	assert_false(cfg.nat.destination[1].match.from & (1U << ZONE_INTERNET));
	once = canonical(&cfg);
	assert_non_null(once);
	assert_int_equal(cfg_parse(span_str(once), &again, &e), ERR_OK);
	twice = canonical(&again);
	assert_non_null(twice);
	assert_string_equal(once, twice);
	assert_int_equal(compile_cfg(&again, &p), ERR_OK);
	assert_true(prog_has_chain(&p, "dstnat") && prog_has_chain(&p, "srcnat"));
	prog_clear(&p);
	again.nat.source_count = again.nat.destination_count = 0;
	again.nat.prefix_count = 0;
	assert_int_equal(compile_cfg(&again, &p), ERR_OK);
	assert_false(prog_has_chain(&p, "dstnat") || prog_has_chain(&p, "srcnat") ||
		     prog_has_chain(&p, "leave"));
	prog_clear(&p);
	free(once);
	free(twice);
	cfg_clear(&cfg);
	cfg_clear(&again);
}

struct ask {
	const char *src, *dst; /* as it came */
	uint8_t proto;
	uint16_t port;
	const char *from, *left; /* where it went, what it left as; NULL = the same */
	uint16_t to_port;        /* 0 = the same */
	enum decision want;
};

static const struct ask asks[] = {
	/* prefix, both ways */
	{"10.1.2.9", "10.9.9.9", IPPROTO_TCP, 80, NULL, "10.200.99.9", 0, DECIDE_PERMIT},
	{"10.1.2.9", "10.9.9.9", IPPROTO_TCP, 80, NULL, "10.200.99.8", 0, DECIDE_DENY},
	{"10.1.2.9", "10.9.9.9", IPPROTO_TCP, 80, NULL, NULL, 0, DECIDE_DENY},
	{"10.9.9.9", "10.200.99.9", IPPROTO_UDP, 7, "10.1.2.9", NULL, 0, DECIDE_PERMIT},
	{"10.9.9.9", "10.200.99.9", IPPROTO_UDP, 7, "10.1.2.8", NULL, 0, DECIDE_DENY},
	{"10.9.9.9", "10.1.2.9", IPPROTO_UDP, 7, NULL, NULL, 0, DECIDE_PERMIT},
	{"2001:2:0:1::9", "2001:2:0:b10::9", IPPROTO_ICMPV6, 0, NULL, "2001:2:0:b99::9",
	 0, DECIDE_PERMIT},
	{"2001:2:0:1::9", "2001:2:0:b10::9", IPPROTO_ICMPV6, 0, NULL, NULL, 0,
	 DECIDE_DENY},
	/* source: first match; masquerade takes any address of the port */
	{"10.1.2.9", "8.8.8.8", IPPROTO_TCP, 25, NULL, "198.18.0.3", 0, DECIDE_PERMIT},
	{"10.1.2.9", "8.8.8.8", IPPROTO_TCP, 26, NULL, "198.18.0.2", 0, DECIDE_PERMIT},
	{"10.1.2.9", "8.8.8.8", IPPROTO_TCP, 26, NULL, "198.18.0.9", 0, DECIDE_DENY},
	{"10.1.2.9", "8.8.8.8", IPPROTO_TCP, 26, NULL, NULL, 0, DECIDE_DENY},
	/* destination: rules see the inside address and port */
	{"8.8.8.8", "198.18.0.2", IPPROTO_TCP, 80, "192.168.3.9", NULL, 8080,
	 DECIDE_PERMIT},
	{"8.8.8.8", "198.18.0.2", IPPROTO_TCP, 81, "192.168.3.9", NULL, 8080,
	 DECIDE_PERMIT},
	{"8.8.8.8", "198.18.0.2", IPPROTO_TCP, 80, "192.168.3.9", NULL, 8081,
	 DECIDE_DENY},
	{"8.8.8.8", "198.18.0.2", IPPROTO_TCP, 82, "192.168.3.9", NULL, 8080,
	 DECIDE_DENY},
	{"8.8.8.8", "198.18.0.2", IPPROTO_UDP, 80, "192.168.3.9", NULL, 8080,
	 DECIDE_DENY},
	{"8.8.8.8", "192.168.3.9", IPPROTO_TCP, 8080, NULL, NULL, 0, DECIDE_PERMIT},
	{"10.1.2.9", "198.18.0.2", IPPROTO_UDP, 11, "10.200.7.7", "10.200.99.9", 21,
	 DECIDE_PERMIT},
	{"10.1.2.9", "198.18.0.2", IPPROTO_UDP, 11, "10.200.7.7", "10.200.99.9", 20,
	 DECIDE_DENY},
	/* Internet to TSLCD, whatever the entry says */
	{"8.8.8.8", "198.18.0.2", IPPROTO_UDP, 11, "10.200.7.7", NULL, 21, DECIDE_DENY},
	/* the appliance itself */
	{"8.8.8.8", "198.18.0.2", IPPROTO_TCP, 99, NULL, NULL, 0, DECIDE_LOCAL},
};

static void each_entry_is_decided(void **state)
{
	char buf[TEXT_MAX];
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	assert_int_equal(cfg_parse(json(good, buf), &cfg, &e), ERR_OK);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		const struct ask *a = &asks[i];
		struct flow orig = {.proto = a->proto, .dst_port = a->port, .type = 128};
		struct flow reply = {.proto = a->proto,
				     .src_port = a->to_port ? a->to_port : a->port};
		enum decision got;

		assert_int_equal(net_addr_parse(a->src, &orig.src), ERR_OK);
		assert_int_equal(net_addr_parse(a->dst, &orig.dst), ERR_OK);
		assert_int_equal(net_addr_parse(a->from ? a->from : a->dst, &reply.src),
				 ERR_OK);
		assert_int_equal(net_addr_parse(a->left ? a->left : a->src, &reply.dst),
				 ERR_OK);
		got = decide_entry(&cfg, &orig, &reply);
		if (got != a->want)
			fail_msg("case %zu: %s > %s port %u: %d", i, a->src, a->dst,
				 a->port, (int)got);
	}
	cfg_clear(&cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_named),
		cmocka_unit_test(half_open_elsewhere_is_taken),
		cmocka_unit_test(overlap_is_refused_or_longest_prefix),
		cmocka_unit_test(canonical_form_is_the_same),
		cmocka_unit_test(each_entry_is_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
