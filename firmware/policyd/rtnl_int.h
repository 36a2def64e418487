/*
 * Shared by the rtnl*.c files only.
 */
#ifndef LUYTRE_POL_RTNL_INT_H
#define LUYTRE_POL_RTNL_INT_H

#include "rtnl.h"

#define RTNL_MSG_BYTES 1024
#define RTNL_ADDRS_MAX (2 * CONFIG_CFG_MAX_ADDRS) /* own and kept ones of a port */

struct nlmsghdr;

/* Which interface is what: indices into r->links, -1 for none (yet). */
struct rtnl_plan {
	int port[CONFIG_CFG_MAX_PORTS];
	int member[CONFIG_CFG_MAX_PORTS][CONFIG_CFG_MAX_MEMBERS];
};

/* The addresses that a port shall or may have. */
struct rtnl_wanted {
	struct net_prefix v[RTNL_ADDRS_MAX];
	size_t must; /* the first ones are the configuration's */
	size_t count;
};

/* rtnl.c */
struct nlmsghdr *rtnl_request(uint8_t *buf, uint16_t type, uint16_t flags, size_t size,
			      void **extra);
int rtnl_run(struct rtnl *r, struct nlmsghdr *h,
	     int (*cb)(const struct nlmsghdr *, void *), void *data) MUST_CHECK;
int rtnl_plan(struct rtnl *r, const struct cfg *cfg, struct rtnl_plan *plan) MUST_CHECK;
int rtnl_free_name(struct rtnl *r, const char *name, int but_index) MUST_CHECK;

/* rtnl_link.c */
bool rtnl_hw_matches(const struct rtnl_link *l, const struct cfg_hw *hw,
		     const char *port_name);
const struct rtnl_link *rtnl_by_index(const struct rtnl *r, int index);
bool rtnl_is_made_for(const struct rtnl_link *l, const struct cfg_port *port);
bool rtnl_is_port(const struct rtnl *r, const struct cfg *cfg, size_t p,
		  const struct rtnl_link *l);
bool rtnl_is_member(const struct rtnl *r, const struct cfg *cfg,
		    const struct rtnl_link *l);
int rtnl_set_link(struct rtnl *r, const struct rtnl_link *l, bool up,
		  const char *name) MUST_CHECK;
int rtnl_can_make(struct rtnl *r, const struct cfg *cfg) MUST_CHECK;
int rtnl_clear_links(struct rtnl *r, const struct cfg *cfg,
		     const struct rtnl_plan *plan) MUST_CHECK;
int rtnl_make_links(struct rtnl *r, const struct cfg *cfg,
		    struct rtnl_plan *plan) MUST_CHECK;

/* rtnl_mgmt.c */
bool rtnl_is_mgmt(const struct rtnl_link *l, const struct cfg *cfg);
int rtnl_apply_mgmt(struct rtnl *r, const struct cfg *cfg) MUST_CHECK;
int rtnl_verify_mgmt(struct rtnl *r, const struct rtnl_link *l) MUST_CHECK;

/* rtnl_addr.c */
void rtnl_want_addrs(const struct cfg *cfg, const struct cfg *also, size_t p,
		     struct rtnl_wanted *out);
int rtnl_set_addrs(struct rtnl *r, const struct rtnl_link *l,
		   const struct rtnl_wanted *want) MUST_CHECK;
int rtnl_set_routes(struct rtnl *r, const struct cfg *cfg) MUST_CHECK;
int rtnl_verify_addrs(struct rtnl *r, const struct rtnl_link *l,
		      const struct rtnl_wanted *want) MUST_CHECK;
int rtnl_verify_routes(struct rtnl *r, const struct cfg *cfg) MUST_CHECK;

#endif
