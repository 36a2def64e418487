/*
 * The configuration: one JSON document, complete desired state. Parsed and
 * checked here without touching the kernel; firmware/policyd/config.schema.json
 * is the published form, field by field.
 */
#ifndef LUYTRE_POL_CFG_H
#define LUYTRE_POL_CFG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "arena.h"
#include "net.h"
#include "span.h"

#define CFG_FORMAT "luytre-config 1"
#define CFG_NAME_BYTES 16          /* port name with NUL, as the kernel's IFNAMSIZ */
#define CFG_ID_BYTES 33            /* names of objects, services, rules with NUL */
#define CFG_TEXT_BYTES 257         /* agency, comments with NUL */
#define CFG_MATCH_BYTES 97         /* bus path with NUL */
#define CFG_KEY_BYTES 32           /* Curve25519 */
#define CFG_KEY_TEXT_BYTES 45      /* its base64 with NUL */
#define CFG_ENDPOINT_TEXT_BYTES 72 /* "[address]:port" */
#define CFG_VLAN_ID_MAX 4094
#define CFG_WINDOW_MIN_S 10U
#define CFG_WINDOW_MAX_S 3600U
#define CFG_RANGE_TEXT_BYTES 128 /* two addresses */
#define CFG_SERVICE_TEXT_BYTES 32
#define CFG_TIME_TEXT_BYTES 24 /* "2026-12-31T17:00:00Z" */
#define CFG_LIMIT_MAX 1000000U /* largest limit of a rule */
#define CFG_HALF_OPEN_MAX 100000U
#define CFG_SOC_ADDRS_MAX 8
#define CFG_CONNECTIONS_MIN 1024U
#define CFG_NAT_SHIFT_MAX 64 /* ports of one service that get other numbers */
#define CFG_ARENA_BYTES (24U << 20)

enum zone {
	ZONE_LAN,
	ZONE_SERVER,
	ZONE_DMZ,
	ZONE_WIRELESS,
	ZONE_MGMT,
	ZONE_TSLCD,
	ZONE_INTERNET,
	ZONE_TUNNEL,
	ZONE_COUNT
};

#define ZONE_NONE ZONE_COUNT /* a port that only carries VLANs: in no zone, no rule */

#define ZONE_ALL ((1U << ZONE_COUNT) - 1)
#define ZONE_OUTSIDE ((1U << ZONE_TSLCD) | (1U << ZONE_INTERNET))

/* Level profile: which floors a configuration keeps, data in profile.def. */
enum cfg_profile {
	PROFILE_NONE,
	PROFILE_2017,
	PROFILE_2026_LEVEL1,
	PROFILE_2026_LEVEL2,
	PROFILE_2026_LEVEL3,
	PROFILE_COUNT
};

/* What a profile wants of a control, and what a configuration does. */
enum cfg_control_want { CFG_CONTROL_FREE, CFG_CONTROL_SHOW, CFG_CONTROL_MUST };
enum cfg_met { CFG_MET, CFG_PARTLY, CFG_NOT_MET };

struct cfg_control {
	const char *name, *source, *en, *vi, *fix;
	enum cfg_control_want by_profile[PROFILE_COUNT];
};

/* Idle times of tracked flows; the value is the place in cfg_timeout_info(). */
enum cfg_timeout {
	CFG_TIMEOUT_TCP,            /* established */
	CFG_TIMEOUT_TCP_TRANSITORY, /* opening and closing */
	CFG_TIMEOUT_UDP,
	CFG_TIMEOUT_ICMP,
	CFG_TIMEOUT_COUNT
};

/* One idle time: its key, what it is without the configuration, its range, in
 * seconds, and who says the lower end. */
struct cfg_timeout_info {
	const char *key;
	unsigned standard_s, min_s, max_s;
	const char *source;
};

enum cfg_match { CFG_MATCH_BUS, CFG_MATCH_MAC, CFG_MATCH_NAME };
enum cfg_kind { CFG_HARDWARE, CFG_VLAN, CFG_BRIDGE, CFG_WIREGUARD };
enum cfg_action { CFG_PERMIT, CFG_DROP, CFG_REJECT };

/* How one piece of hardware is found. */
struct cfg_hw {
	enum cfg_match match;
	char text[CFG_MATCH_BYTES];
};

/* The other end of a tunnel. */
struct cfg_peer {
	uint8_t key[CFG_KEY_BYTES]; /* its public key */
	bool has_endpoint;
	struct net_addr endpoint;
	uint16_t endpoint_port;     /* host byte order */
	uint16_t keepalive_s;       /* 0: none */
	struct net_prefix *allowed; /* networks behind it */
	size_t allowed_count;
};

struct cfg_port {
	char name[CFG_NAME_BYTES];
	enum cfg_kind kind;
	struct cfg_hw hw;       /* CFG_HARDWARE */
	unsigned vlan_of;       /* CFG_VLAN: index of the port that carries it */
	uint16_t vlan_id;       /* 1 to 4094 */
	struct cfg_hw *members; /* CFG_BRIDGE */
	size_t member_count;    /* at least 1 */
	uint16_t listen;        /* CFG_WIREGUARD: UDP port, host byte order */
	bool is_roaming;        /* peers without endpoint may call from outside */
	struct cfg_peer *peers;
	size_t peer_count;
	enum zone zone;           /* ZONE_NONE for hardware that only carries VLANs */
	struct net_prefix *addrs; /* with host bits */
	size_t addr_count;
};

struct cfg_route {
	struct net_prefix to;
	struct net_addr via; /* family 0: straight into the tunnel @port */
	unsigned port;       /* index of the port whose network holds @via */
	bool is_allowed;     /* made from @allowed number @item of peer @peer of @port */
	unsigned peer, item;
};

/* One service: a protocol with a port range or an ICMP type, or alone. */
struct cfg_service {
	uint8_t proto; /* IP protocol number */
	bool has_ports;
	uint16_t lo, hi; /* host byte order, inclusive */
	bool has_type, has_code;
	uint8_t type, code;
};

/* What a permit allows at most; 0: no limit. Sources are counted by address,
 * IPv6 sources of outside zones by their /64. */
struct cfg_rule_limit {
	uint32_t connections;        /* open at once, all sources together */
	uint32_t source_connections; /* open at once, of one source */
	uint32_t source_new;         /* new ones a minute, of one source */
	uint32_t half_open;          /* new TCP connections a minute and target before
				      * the appliance asks the client for proof */
};

struct cfg_rule {
	char id[CFG_ID_BYTES];
	char comment[CFG_TEXT_BYTES];
	uint32_t from, to;            /* bit per enum zone */
	bool from_any, to_any;        /* written as "any" */
	uint32_t in_ports, out_ports; /* bit per port; 0 = any */
	struct net_range *src, *dst;  /* merged; count 0 = any */
	size_t src_count, dst_count;
	struct cfg_service *svc; /* count 0 = any */
	size_t svc_count;
	enum cfg_action action;
	bool log;
	struct cfg_rule_limit limit;
	int64_t valid_until_s; /* UTC, seconds since 1970; 0: for ever */
};

/* Source translation: where a flow leaves, after routing and rules. */
struct cfg_snat {
	/* what it applies to; out_ports is the port that owns @to, or 0; the
	 * action is CFG_DROP so that no service means every protocol */
	struct cfg_rule match;
	bool is_masquerade;
	struct net_range to; /* else the addresses it gets */
};

/* Destination translation: where a flow comes in, before routing and rules. */
struct cfg_dnat {
	struct cfg_rule match; /* dst: addresses before; to: zone of the target */
	struct net_addr to;
	uint16_t port_lo, port_hi; /* 0: the port stays */
};

/* 1:1 translation of a whole prefix, both ways. */
struct cfg_pnat {
	char id[CFG_ID_BYTES];
	char comment[CFG_TEXT_BYTES];
	enum zone zone; /* the side that knows @inside as @outside */
	struct net_prefix inside, outside;
};

struct cfg_nat {
	struct cfg_snat *source;
	struct cfg_dnat *destination;
	struct cfg_pnat *prefix;
	size_t source_count, destination_count, prefix_count;
};

struct cfg_named {
	char name[CFG_ID_BYTES];
	struct net_range *ranges;
	struct cfg_service *services;
	size_t count;
	int state; /* 0 unread, 1 being read (cycle guard), 2 read */
	const void *json;
};

/* Who may manage the appliance, and through which port. */
struct cfg_management {
	bool is_set;
	unsigned port; /* index of the port */
	struct net_range *sources;
	size_t source_count;
};

/* Where the SOC is: whom the appliance must be able to reach. */
struct cfg_soc {
	struct net_addr *addrs;
	size_t count;
};

struct cfg {
	uint64_t serial;
	char sha256[65];  /* of the document's bytes, hex; set by who took it in */
	int64_t issued_s; /* when it was signed; 0: unknown */
	int64_t judged_s; /* the time for which it is compiled; see cfg_judge() */
	enum cfg_profile profile;
	unsigned timeout_s[CFG_TIMEOUT_COUNT];
	unsigned max_connections; /* size of the connection table */
	struct cfg_management management;
	struct cfg_soc soc;
	char device[CFG_ID_BYTES];
	char agency[CFG_TEXT_BYTES];
	unsigned confirm_window_s; /* 0: needs no confirmation */
	struct cfg_port *ports;
	size_t port_count;
	struct cfg_route *routes;
	size_t route_count;
	struct cfg_named *objects;
	size_t object_count;
	struct cfg_named *services;
	size_t service_count;
	struct cfg_rule *rules;
	size_t rule_count;
	struct cfg_nat nat;
	struct arena arena;
};

/* Why a document was refused: where, why, and what to do about it. */
struct cfg_error {
	char path[256];        /* JSON path, "$.rules[3].to[0]" */
	char reason[256];      /* one sentence */
	char fix[256];         /* what to change */
	unsigned line, column; /* 1-based; 0 when only the path is known */
};

const char *cfg_zone_name(enum zone zone);
const char *cfg_action_name(enum cfg_action action);
int cfg_parse(struct span text, struct cfg *out, struct cfg_error *error) MUST_CHECK;
void cfg_clear(struct cfg *cfg);
void cfg_key_text(const uint8_t key[CFG_KEY_BYTES], char text[CFG_KEY_TEXT_BYTES]);
void cfg_endpoint_text(const struct cfg_peer *peer, char text[CFG_ENDPOINT_TEXT_BYTES]);
const char *cfg_hw_kind(const struct cfg_hw *hw);
void cfg_range_text(const struct net_range *v, char text[CFG_RANGE_TEXT_BYTES]);
void cfg_time_text(int64_t utc_s, char text[CFG_TIME_TEXT_BYTES]);
const struct cfg_timeout_info *cfg_timeout_info(enum cfg_timeout which);
const char *cfg_profile_name(enum cfg_profile profile);
const struct cfg_control *cfg_controls(size_t *count);
enum cfg_met cfg_control_met(const struct cfg *cfg, size_t index, size_t *rule);
void cfg_judge(struct cfg *cfg, int64_t now_s);
bool cfg_rule_is_over(const struct cfg *cfg, const struct cfg_rule *rule);
bool cfg_is_outdated(const struct cfg *cfg, int64_t now_s);
bool cfg_rule_is_limited(const struct cfg_rule *rule);
bool cfg_has_half_open(const struct cfg *cfg);
void cfg_service_text(const struct cfg_service *s, char text[CFG_SERVICE_TEXT_BYTES]);
void cfg_print(const struct cfg *cfg, FILE *f);
bool cfg_is_own(const struct cfg *cfg, const struct net_range *v, unsigned *port);
bool cfg_is_ula(const struct net_range *v);
size_t cfg_nat_routed(const struct cfg *cfg, struct net_range *out);

#endif
