/*
 * What the policy says about one connection, computed here instead of by the
 * kernel: for flows that were opened under an earlier policy.
 */
#ifndef LUYTRE_POL_DECIDE_H
#define LUYTRE_POL_DECIDE_H

#include "cfg.h"

/* The first packet of a connection. */
struct flow {
	struct net_addr src, dst;
	uint8_t proto;
	uint16_t src_port, dst_port; /* host byte order; TCP and UDP */
	uint8_t type, code;          /* ICMP and ICMPv6 */
};

enum decision {
	DECIDE_LOCAL,  /* from or to the appliance itself: not a forwarded flow */
	DECIDE_PERMIT, /* a rule permits it */
	DECIDE_DENY,   /* a rule or the default refuses it */
};

enum decision decide_entry(const struct cfg *cfg, const struct flow *orig,
			   const struct flow *reply);
enum decision decide(const struct cfg *cfg, const struct flow *flow,
		     const struct cfg_rule **rule);

#endif
