/*
 * Shared by the cfg_*.c files only: the reader's state and JSON helpers.
 */
#ifndef LUYTRE_POL_CFG_INT_H
#define LUYTRE_POL_CFG_INT_H

#include <jansson.h>
#include "cfg.h"

#define CFG_OBJECT_DEPTH 8

struct reader {
	struct cfg *cfg;
	struct cfg_error *error;
	char path[256];
	size_t path_len;
	unsigned object_depth; /* objects inside objects, at most CFG_OBJECT_DEPTH */
};

/* One allowed key of an object: its name and whether it must be there. */
struct key {
	const char *name;
	bool must;
};

int rd_fail(struct reader *r, const char *reason, const char *fix, ...)
	__attribute__((format(printf, 3, 4)));
int rd_failf(struct reader *r, const char *fix, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));
size_t rd_enter(struct reader *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void rd_leave(struct reader *r, size_t mark);
int rd_object(struct reader *r, const json_t *j, const struct key *keys) MUST_CHECK;
int rd_array(struct reader *r, const json_t *j, size_t max, const char *limit,
	     size_t *count) MUST_CHECK;
int rd_string(struct reader *r, const json_t *j, const char **out) MUST_CHECK;
int rd_id(struct reader *r, const json_t *j, char out[CFG_ID_BYTES]) MUST_CHECK;
int rd_text(struct reader *r, const json_t *j, char out[CFG_TEXT_BYTES]) MUST_CHECK;
int rd_number(struct reader *r, const json_t *j, unsigned min, unsigned max,
	      const char *why, unsigned *out) MUST_CHECK;
void *rd_take(struct reader *r, size_t count, size_t size_bytes);

void cfg_path_at(struct span text, size_t pos, char *path, size_t path_max);
size_t cfg_depth(struct span text, size_t max, size_t *pos);

int cfg_read_objects(struct reader *r, const json_t *objects,
		     const json_t *services) MUST_CHECK;
int cfg_read_rules(struct reader *r, const json_t *rules) MUST_CHECK;
int cfg_read_nat(struct reader *r, const json_t *nat) MUST_CHECK;
int cfg_check_snat(struct reader *r, struct cfg_snat *s) MUST_CHECK;
int cfg_check_dnat(struct reader *r, struct cfg_dnat *d) MUST_CHECK;
int cfg_check_pnat(struct reader *r, const struct cfg_pnat *p) MUST_CHECK;
int cfg_zones(struct reader *r, const json_t *list, uint32_t *mask, bool *any) MUST_CHECK;
int cfg_labels(struct reader *r, const json_t *j, struct cfg_rule *rule) MUST_CHECK;
int cfg_selectors(struct reader *r, const json_t *j, struct cfg_rule *rule) MUST_CHECK;
int cfg_families(struct reader *r, const struct cfg_rule *rule,
		 unsigned *mask) MUST_CHECK;
int cfg_read_ports(struct reader *r, const json_t *ports) MUST_CHECK;
int cfg_read_hw(struct reader *r, const json_t *j, struct cfg_hw *hw) MUST_CHECK;
int cfg_read_network(struct reader *r, const json_t *j, struct net_prefix *to) MUST_CHECK;
int cfg_read_u16(struct reader *r, const json_t *j, unsigned min, unsigned max,
		 uint16_t *out) MUST_CHECK;
int cfg_read_vlan(struct reader *r, const json_t *j, struct cfg_port *port) MUST_CHECK;
int cfg_read_bridge(struct reader *r, const json_t *j, struct cfg_port *port) MUST_CHECK;
int cfg_read_tunnel(struct reader *r, const json_t *j, struct cfg_port *port) MUST_CHECK;
int cfg_check_links(struct reader *r, const json_t *ports) MUST_CHECK;
size_t cfg_allowed_count(const struct cfg *cfg);
void cfg_allowed_routes(struct cfg *cfg);
int cfg_check_tunnels(struct reader *r) MUST_CHECK;
void cfg_enter_allowed(struct reader *r, const struct cfg_route *route);
int cfg_read_routes(struct reader *r, const json_t *routes) MUST_CHECK;
int cfg_ranges(struct reader *r, const json_t *list, struct net_range **out,
	       size_t *count) MUST_CHECK;
int cfg_service_list(struct reader *r, const json_t *list, struct cfg_service **out,
		     size_t *count) MUST_CHECK;
int cfg_read_limits(struct reader *r, const json_t *times,
		    const json_t *limits) MUST_CHECK;
int cfg_read_rule_limits(struct reader *r, const json_t *j,
			 struct cfg_rule *rule) MUST_CHECK;
int cfg_read_plane(struct reader *r, const json_t *management,
		   const json_t *soc) MUST_CHECK;
int cfg_read_profile(struct reader *r, const json_t *profile) MUST_CHECK;
int cfg_check_profile(struct reader *r) MUST_CHECK;
int cfg_check_networks(struct reader *r) MUST_CHECK;

#endif
