/*
 * Shared by rtnl.c and rtnl_addr.c only.
 */
#ifndef LUYTRE_POL_RTNL_INT_H
#define LUYTRE_POL_RTNL_INT_H

#include "rtnl.h"

#define RTNL_MSG_BYTES 1024

struct nlmsghdr;

struct nlmsghdr *rtnl_request(uint8_t *buf, uint16_t type, uint16_t flags, size_t size,
			      void **extra);
int rtnl_run(struct rtnl *r, struct nlmsghdr *h,
	     int (*cb)(const struct nlmsghdr *, void *), void *data) MUST_CHECK;
int rtnl_set_addrs(struct rtnl *r, int index, const struct cfg_port *port) MUST_CHECK;
int rtnl_set_routes(struct rtnl *r, const struct cfg *cfg) MUST_CHECK;

#endif
