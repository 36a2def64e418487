/* VLANs, bridges and tunnels in a configuration: every mistake is named, and
 * what is right is understood. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policyd/cfg.h"
#include "policyd/decide.h"
#include "policyd/rtnl_int.h"

#include <netinet/in.h>

#define HEAD                                                                             \
	"{\"format\":\"luytre-config "                                                   \
	"1\",\"serial\":7,\"device\":\"D1\",\"agency\":\"X\","
#define WAN                                                                              \
	"{\"name\":\"wan0\",\"match\":{\"mac\":\"02:00:00:00:00:02\"},"                  \
	"\"zone\":\"tslcd\",\"addresses\":[\"10.0.0.2/24\",\"2001:2::2/64\"]}"
#define TRUNK "{\"name\":\"trunk0\",\"match\":{\"mac\":\"02:00:00:00:00:01\"}}"
#define IN_LAN "\"zone\":\"lan\",\"addresses\":[]}"
#define PORTS(x) HEAD "\"ports\":[" WAN "," x "],\"rules\":[]}"
#define VLAN(name, of, id)                                                               \
	"{\"name\":\"" name "\",\"vlan\":{\"of\":\"" of "\",\"id\":" id "}," IN_LAN
#define BRIDGE(members) "{\"name\":\"br0\",\"bridge\":{\"members\":[" members "]}," IN_LAN
#define MAC(x) "{\"mac\":\"02:00:00:00:00:0" x "\"}"
#define KEY "8e/yHC3Thl7shuz1BL8E3fLZ5wdbSpURzpbZGnGWIVI="
#define KEY2 "EdJ4MmJE2YzU3Tl4h0Jk7rYyUYnLZWzQAhSjSPFv1U0="
#define PEER(key, rest) "{\"public_key\":\"" key "\"" rest "}"
#define END ",\"endpoint\":\"10.0.0.9:51820\""
#define ALLOWED(x) ",\"allowed\":[" x "]"
#define WG_NAMED(name, listen, rest, addr)                                               \
	"{\"name\":\"" name "\",\"wireguard\":{\"listen\":" listen "," rest              \
	"},\"zone\":\"tunnel\",\"addresses\":[" addr "]}"
#define WG(rest) WG_NAMED("wg0", "51820", rest, "\"10.8.0.1/24\"")
#define PEERS(x) "\"peers\":[" x "]"
#define NET "\"10.9.0.0/16\""
#define GOOD_PEER PEER(KEY, END ALLOWED(NET))

struct bad {
	const char *text;
	const char *path;
	const char *reason;
};

static const struct bad table[] = {
	/* a port is made of one thing */
	{PORTS("{\"name\":\"a\",\"zone\":\"lan\",\"addresses\":[]}"), "$.ports[1]",
	 "exactly one thing"},
	{PORTS("{\"name\":\"a\",\"match\":" MAC(
		 "1") ",\"vlan\":{\"of\":\"wan0\",\"id\":1}," IN_LAN),
	 "$.ports[1]", "exactly one thing"},
	/* zone and addresses */
	{PORTS(TRUNK), "$.ports[1]", "carries no VLAN"},
	{PORTS("{\"name\":\"a\",\"match\":" MAC("1") ",\"addresses\":[\"10.1.0.1/24\"]}"),
	 "$.ports[1]", "in no zone has addresses"},
	{PORTS("{\"name\":\"a\",\"match\":" MAC("1") ",\"zone\":\"lan\"}"), "$.ports[1]",
	 "\"addresses\" is missing"},
	{PORTS("{\"name\":\"a\",\"vlan\":{\"of\":\"wan0\",\"id\":1},\"addresses\":[]}"),
	 "$.ports[1]", "\"zone\" is missing"},
	{PORTS("{\"name\":\"a\",\"bridge\":{\"members\":[" MAC("1") "]}}"), "$.ports[1]",
	 "\"zone\" is missing"},
	/* VLANs */
	{PORTS(TRUNK "," VLAN("a", "trunk0", "0")), "$.ports[2].vlan.id", "1 to 4094"},
	{PORTS(TRUNK "," VLAN("a", "trunk0", "4095")), "$.ports[2].vlan.id", "1 to 4094"},
	{PORTS(TRUNK "," VLAN("a", "trunk0", "\"5\"")), "$.ports[2].vlan.id",
	 "whole number"},
	{PORTS(TRUNK "," VLAN("a", "trunk0", "5") "," VLAN("b", "trunk0", "5")),
	 "$.ports[3].vlan.id", "twice"},
	{PORTS(TRUNK "," VLAN("a", "moon", "5")), "$.ports[2].vlan.of", "no port"},
	{PORTS(TRUNK "," VLAN("a", "a", "5")), "$.ports[2].vlan.of", "is a VLAN"},
	{PORTS(TRUNK "," VLAN("a", "b", "5") "," VLAN("b", "a", "5")),
	 "$.ports[2].vlan.of", "is a VLAN"},
	{PORTS(TRUNK "," VLAN("a", "trunk0", "5") "," VLAN("b", "a", "6")),
	 "$.ports[3].vlan.of", "is a VLAN"},
	{PORTS(WG(PEERS(GOOD_PEER)) "," VLAN("a", "wg0", "6")), "$.ports[2].vlan.of",
	 "is a tunnel"},
	{PORTS("{\"name\":\"a\",\"vlan\":{\"id\":5}," IN_LAN), "$.ports[1].vlan",
	 "\"of\" is missing"},
	{PORTS("{\"name\":\"a\",\"vlan\":{\"of\":7,\"id\":5}," IN_LAN),
	 "$.ports[1].vlan.of", "expected a text"},
	{PORTS("{\"name\":\"a\",\"vlan\":{\"of\":\"wan0\",\"id\":5,\"x\":1}," IN_LAN),
	 "$.ports[1].vlan.x", "unknown key"},
	{PORTS("{\"name\":\"abcdefghijklmnop\",\"vlan\":{\"of\":\"wan0\",\"id\":5}"
	       "," IN_LAN),
	 "$.ports[1].name", "port name"},
	/* bridges */
	{PORTS(BRIDGE("")), "$.ports[1].bridge.members", "no members"},
	{PORTS("{\"name\":\"br0\",\"bridge\":{}," IN_LAN), "$.ports[1].bridge",
	 "\"members\" is missing"},
	{PORTS(BRIDGE(MAC("3") "," MAC("3"))), "$.ports[1].bridge.members[1]", "twice"},
	{PORTS(BRIDGE(MAC("3") "," MAC("2"))), "$.ports[1].bridge.members[1]", "twice"},
	{PORTS(BRIDGE(MAC("1")) "," TRUNK), "$.ports[2].match", "twice"},
	{PORTS(BRIDGE("\"lan0\"")), "$.ports[1].bridge.members[0]", "expected an object"},
	{PORTS(BRIDGE("{}")), "$.ports[1].bridge.members[0]", "exactly one property"},
	{PORTS(BRIDGE("{\"mac\":\"zz\"}")), "$.ports[1].bridge.members[0].mac",
	 "not a valid match"},
	{PORTS("{\"name\":\"a\",\"match\":{\"mac\":\"02:00:00:00:00:02\"}," IN_LAN),
	 "$.ports[1].match", "twice"},
	/* tunnels */
	{PORTS(WG(PEERS(""))), "$.ports[1].wireguard.peers", "no peers"},
	{PORTS(WG_NAMED("wg0", "0", PEERS(GOOD_PEER), "")), "$.ports[1].wireguard.listen",
	 "1 to 65535"},
	{PORTS(WG(PEERS(PEER("abc", END ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].public_key", "public key"},
	{PORTS(WG(PEERS(PEER("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			     END ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].public_key", "public key"},
	{PORTS(WG(PEERS(PEER(KEY, ALLOWED(NET))))), "$.ports[1].wireguard.peers[0]",
	 "no endpoint"},
	{PORTS(WG(PEERS(PEER(KEY, END)))), "$.ports[1].wireguard.peers[0]",
	 "\"allowed\" is missing"},
	{PORTS(WG(PEERS(PEER(KEY, END ALLOWED(""))))),
	 "$.ports[1].wireguard.peers[0].allowed", "empty"},
	{PORTS(WG(PEERS(PEER(KEY, END ALLOWED("\"10.9.0.1/16\""))))),
	 "$.ports[1].wireguard.peers[0].allowed[0]", "host bits"},
	{PORTS(WG(PEERS(PEER(KEY, END ALLOWED(NET "," NET))))),
	 "$.ports[1].wireguard.peers[0].allowed[1]", "twice"},
	{PORTS(WG(PEERS(GOOD_PEER "," PEER(KEY2, END ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[1].allowed[0]", "twice"},
	{PORTS(WG(PEERS(GOOD_PEER "," GOOD_PEER))),
	 "$.ports[1].wireguard.peers[1].public_key", "same key"},
	{PORTS(WG(PEERS(PEER(KEY, END ALLOWED("\"10.0.0.128/25\""))))),
	 "$.ports[1].wireguard.peers[0].allowed[0]", "overlaps"},
	{HEAD "\"ports\":[" WAN
	      "," WG(PEERS(GOOD_PEER)) "],\"routes\":[{\"to\":\"10.9.0.0/"
				       "16\",\"via\":\"10.0.0.1\"}],"
				       "\"rules\":[]}",
	 "$.ports[1].wireguard.peers[0].allowed[0]", "routed twice"},
	{HEAD "\"ports\":[" WAN
	      "," WG(PEERS(GOOD_PEER)) "],\"routes\":[{\"to\":\"10.7.0.0/"
				       "16\",\"via\":\"10.8.0.2\"}],"
				       "\"rules\":[]}",
	 "$.routes[0].via", "behind the tunnel"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"10.0.0.9\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "UDP port"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"2001:2::9:80\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "UDP port"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"[10.0.0.9]:80\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "UDP port"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"[\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "UDP port"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"[:80\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "UDP port"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"10.0.0.9:65536\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "UDP port"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"224.0.0.9:80\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "cannot be the address"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"10.0.0.2:80\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "itself"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"172.16.0.2:80\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "no route"},
	{PORTS(WG(PEERS(PEER(KEY, ",\"endpoint\":\"10.9.0.2:80\"" ALLOWED(NET))))),
	 "$.ports[1].wireguard.peers[0].endpoint", "through the tunnel wg0"},
	{PORTS(WG(PEERS(PEER(KEY, END ALLOWED(NET) ",\"keepalive\":0")))),
	 "$.ports[1].wireguard.peers[0].keepalive", "1 to 65535"},
	{PORTS(WG("\"roaming\":1," PEERS(GOOD_PEER))), "$.ports[1].wireguard.roaming",
	 "true or false"},
	{PORTS(WG(PEERS(GOOD_PEER)) "," WG_NAMED(
		 "wg1", "51820", PEERS(PEER(KEY2, END ALLOWED("\"10.7.0.0/16\""))), "")),
	 "$.ports[2].wireguard.listen", "same UDP port"},
	/* a port in no zone cannot stand in a rule */
	{HEAD "\"ports\":[" TRUNK "," VLAN(
		 "a", "trunk0",
		 "5") "],\"rules\":[{\"id\":\"a\",\"from\":[\"any\"],\"to\":[\"any\"],"
		      "\"in\":[\"trunk0\"],\"action\":\"drop\"}]}",
	 "$.rules[0].in[0]", "in no zone"},
};

static void each_mistake_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct bad *b = &table[i];
		struct cfg_error e;
		struct cfg cfg;
		int r = cfg_parse(span_str(b->text), &cfg, &e);

		if (r == ERR_OK || strcmp(e.path, b->path) != 0 ||
		    !strstr(e.reason, b->reason) || !e.fix[0])
			fail_msg("case %zu: %d path %s reason %s fix %s\n%s", i, r,
				 e.path, e.reason, e.fix, b->text);
		cfg_clear(&cfg);
	}
}

static const char good[] = PORTS(VLAN(
	"lan5", "trunk0",
	"5") "," TRUNK
	     "," BRIDGE(MAC("3") ",{\"bus\":\"pci/x\"}") "," VLAN("lan6", "br0", "5") "," WG(
		     "\"roaming\":true," PEERS(PEER(
			     KEY,
			     ",\"endpoint\":\"[2001:2::9]:"
			     "7\"" ALLOWED(NET
					   ",\"10.8.0.7/"
					   "32\",\"2001:2:9::/"
					   "48\"") ",\"keepalive"
						   "\":25") "," PEER(KEY2,
								     ALLOWED("\"10.8.0.9/"
									     "32\"")))));

static void a_good_one_is_understood(void **state)
{
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	if (cfg_parse(span_str(good), &cfg, &e) != ERR_OK)
		fail_msg("%s: %s", e.path, e.reason);
	assert_int_equal(cfg.port_count, 6);
	/* the port that carries a VLAN may be written behind it */
	assert_int_equal(cfg.ports[1].kind, CFG_VLAN);
	assert_int_equal(cfg.ports[1].vlan_of, 2);
	assert_int_equal(cfg.ports[1].vlan_id, 5);
	assert_int_equal(cfg.ports[2].zone, ZONE_NONE);
	assert_int_equal(cfg.ports[3].member_count, 2);
	assert_int_equal(cfg.ports[3].members[1].match, CFG_MATCH_BUS);
	assert_int_equal(cfg.ports[5].listen, 51820);
	assert_true(cfg.ports[5].is_roaming);
	assert_int_equal(cfg.ports[5].peers[0].endpoint.family, 6);
	assert_int_equal(cfg.ports[5].peers[0].endpoint_port, 7);
	assert_int_equal(cfg.ports[5].peers[0].keepalive_s, 25);
	/* what lies in the tunnel's own network needs no route */
	assert_int_equal(cfg.route_count, 2);
	assert_true(cfg.routes[0].is_allowed);
	assert_int_equal(cfg.routes[0].port, 5);
	assert_int_equal(cfg.routes[0].via.family, 0);
	cfg_clear(&cfg);
}

/* What comes out of a tunnel is in its port's zone. */
static void tunnels_have_a_zone(void **state)
{
	static const char text[] = HEAD "\"ports\":[" WAN "," WG(
		PEERS(GOOD_PEER)) "],\"rules\":[{\"id\":\"a\",\"from\":[\"tunnel\"],"
				  "\"to\":[\"tslcd\"],\"service\":[\"tcp/80\"],"
				  "\"action\":\"permit\"}]}";
	struct flow f = {.proto = IPPROTO_TCP, .dst_port = 80};
	struct cfg_error e;
	struct cfg cfg;

	(void)state;
	if (cfg_parse(span_str(text), &cfg, &e) != ERR_OK)
		fail_msg("%s: %s", e.path, e.reason);
	assert_int_equal(net_addr_parse("10.9.4.4", &f.src), ERR_OK);
	assert_int_equal(net_addr_parse("10.0.0.80", &f.dst), ERR_OK);
	assert_int_equal(decide(&cfg, &f, NULL), DECIDE_PERMIT);
	assert_int_equal(net_addr_parse("10.8.0.4", &f.src), ERR_OK);
	assert_int_equal(decide(&cfg, &f, NULL), DECIDE_PERMIT);
	assert_int_equal(net_addr_parse("10.7.0.4", &f.src), ERR_OK);
	assert_int_equal(decide(&cfg, &f, NULL), DECIDE_DENY);
	cfg_clear(&cfg);
}

static void parse(const char *text, struct cfg *cfg)
{
	struct cfg_error e;

	if (cfg_parse(span_str(text), cfg, &e) != ERR_OK)
		fail_msg("%s: %s", e.path, e.reason);
}

#define LAN(name, addrs)                                                                 \
	"{\"name\":\"" name "\",\"match\":{\"mac\":\"02:00:00:00:00:07\"},"              \
	"\"zone\":\"lan\",\"addresses\":[" addrs "]}"

/* During a trial a port keeps what it had, unless another port has it now. */
static void addresses_may_stay(void **state)
{
	static const char was[] =
		PORTS(LAN("lan0", "\"10.1.0.1/24\",\"10.2.0.1/24\","
				  "\"10.3.0.1/24\",\"2001:2:3::1/64\""));
	static const char is[] = PORTS(
		LAN("lan0",
		    "\"10.4.0.1/24\",\"10.3.0.1/16\"") ",{\"name\":\"srv0\","
						       "\"match\":" MAC("8") ",\"zone\":"
									     "\"server\","
									     "\"addresses"
									     "\":[\"10.2."
									     "0.129/"
									     "25\"]}");
	struct rtnl_wanted want;
	char text[NET_TEXT_BYTES];
	struct cfg old, now;

	(void)state;
	parse(was, &old);
	parse(is, &now);
	rtnl_want_addrs(&now, NULL, 1, &want);
	assert_int_equal(want.count, 2);
	rtnl_want_addrs(&now, &old, 1, &want);
	assert_int_equal(want.must, 2);
	assert_int_equal(want.count, 4);
	assert_string_equal(net_prefix_text(&want.v[2], text), "10.1.0.1/24");
	assert_string_equal(net_prefix_text(&want.v[3], text), "2001:2:3::1/64");
	/* a port of another name keeps nothing */
	rtnl_want_addrs(&now, &old, 2, &want);
	assert_int_equal(want.count, 1);
	cfg_clear(&old);
	cfg_clear(&now);
}

/* Longer lists than their limits are refused, by the limit's name. */
static void lists_are_bounded(void **state)
{
	size_t room = 200000;
	char *text = malloc(room);
	struct cfg_error e;
	struct cfg cfg;
	size_t n;

	(void)state;
	assert_non_null(text);
	n = (size_t)snprintf(text, room, "%s",
			     HEAD
			     "\"ports\":[{\"name\":\"br0\",\"bridge\":{\"members\":[");
	for (unsigned i = 0; i <= CONFIG_CFG_MAX_MEMBERS; i++)
		n += (size_t)snprintf(text + n, room - n, "%s{\"bus\":\"p/%u\"}",
				      i ? "," : "", i);
	(void)snprintf(text + n, room - n, "]}," IN_LAN "],\"rules\":[]}");
	assert_int_equal(cfg_parse(span_str(text), &cfg, &e), ERR_REFUSED);
	assert_non_null(strstr(e.reason, "CFG_MAX_MEMBERS"));

	n = (size_t)snprintf(text, room, "%s",
			     HEAD "\"ports\":[" WAN ",{\"name\":\"wg0\",\"wireguard\":{"
				  "\"listen\":1,\"peers\":[{\"public_key\":\"" KEY
				  "\"" END ",\"allowed\":[");
	for (unsigned i = 0; i <= CONFIG_CFG_MAX_ALLOWED; i++)
		n += (size_t)snprintf(text + n, room - n, "%s\"10.9.%u.0/24\"",
				      i ? "," : "", i);
	(void)snprintf(text + n, room - n,
		       "]}]},\"zone\":\"tunnel\",\"addresses\":[]}],"
		       "\"rules\":[]}");
	assert_int_equal(cfg_parse(span_str(text), &cfg, &e), ERR_REFUSED);
	assert_non_null(strstr(e.reason, "CFG_MAX_ALLOWED"));

	n = (size_t)snprintf(text, room, "%s",
			     HEAD "\"ports\":[" WAN ",{\"name\":\"wg0\",\"wireguard\":{"
				  "\"listen\":1,\"peers\":[");
	for (unsigned i = 0; i <= CONFIG_CFG_MAX_PEERS; i++)
		n += (size_t)snprintf(text + n, room - n, "%s{}", i ? "," : "");
	(void)snprintf(text + n, room - n,
		       "]},\"zone\":\"tunnel\",\"addresses\":[]}],"
		       "\"rules\":[]}");
	assert_int_equal(cfg_parse(span_str(text), &cfg, &e), ERR_REFUSED);
	assert_non_null(strstr(e.reason, "CFG_MAX_PEERS"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_named),
		cmocka_unit_test(a_good_one_is_understood),
		cmocka_unit_test(tunnels_have_a_zone),
		cmocka_unit_test(addresses_may_stay),
		cmocka_unit_test(lists_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
