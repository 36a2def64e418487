/*
 * DESIGN: the web interface listens in user space, behind the TUN of mgmt_net.h.
 * "management" of the configuration opens the one way to it: TCP to port 443 on the
 * addresses of the management port, in through that port, from the listed sources, is
 * translated to webd's address. In `forward` only what was translated so may go to
 * the TUN, within limits by source; everything else to it is dropped and counted, and
 * so is everything new that comes out of it: webd answers and opens nothing. These
 * rules stand before the drop of link-local addresses, which the link uses.
 */
#include "compile_int.h"
#include "expr.h"

#include <stdio.h>
#include <string.h>

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "mgmt_net.h"

/* Of one source. A browser keeps six connections; half-open ones count, so that no
 * source alone fills webd's backlog (MGMT_HALF_OPEN). */
#define SOURCE_OPEN 20
#define SOURCE_NEW_A_MINUTE 600

/* No rule of a configuration can have this id: its sets are its own. */
static const struct cfg_rule limits = {
	.id = ".management",
	.limit = {.source_connections = SOURCE_OPEN, .source_new = SOURCE_NEW_A_MINUTE},
};

static const uint8_t web_port[2] = {MGMT_NET_PORT >> 8, MGMT_NET_PORT & 0xff};

/*
 * webd's address in one family.
 */
struct net_addr mgmt_addr(uint8_t family)
{
	struct net_addr a;

	if (net_addr_parse(family == 4 ? MGMT_NET_WEBD4 : MGMT_NET_WEBD6, &a) != ERR_OK)
		memset(&a, 0, sizeof(a)); /* the texts are constants */
	return a;
}

/* The addresses of the management port in one family, sorted. Returns how many. */
static size_t own_addrs(const struct cfg *cfg, uint8_t family,
			struct net_range v[CONFIG_CFG_MAX_ADDRS])
{
	const struct cfg_port *port = &cfg->ports[cfg->management.port];
	size_t n = 0;

	for (size_t i = 0; i < port->addr_count; i++) {
		struct net_range one = {.family = port->addrs[i].addr.family};

		if (one.family != family)
			continue;
		memcpy(one.lo, port->addrs[i].addr.b, sizeof(one.lo));
		memcpy(one.hi, port->addrs[i].addr.b, sizeof(one.hi));
		v[n++] = one;
	}
	return net_range_merge(v, n);
}

static bool has_family(const struct cfg *cfg, uint8_t family)
{
	struct net_range own[CONFIG_CFG_MAX_ADDRS];

	return cfg->management.is_set && own_addrs(cfg, family, own) > 0 &&
	       rule_has_family(cfg->management.sources, cfg->management.source_count,
			       family);
}

/*
 * Add the translations of the management plane to the chain `dstnat`, before all
 * others.
 */
void compile_mgmt_dstnat(const struct cfg *cfg, struct prog *p)
{
	const struct cfg_management *m = &cfg->management;

	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		struct ex_nat nat = {.type = NFT_NAT_DNAT,
				     .family = family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6};
		struct net_addr to = mgmt_addr(family);
		struct net_range own[CONFIG_CFG_MAX_ADDRS];
		size_t n = own_addrs(cfg, family, own);
		struct nftnl_rule *r;

		if (!has_family(cfg, family))
			continue;
		r = prog_add_rule(p, "dstnat", "built-in management");
		ex_ifname(r, NFT_META_IIFNAME, cfg->ports[m->port].name);
		ex_family(r, family);
		rule_match_addrs(p, r, m->sources, m->source_count, family, true);
		rule_match_addrs(p, r, own, n, family, false);
		ex_proto(r, IPPROTO_TCP);
		ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
		ex_cmp(r, NFT_CMP_EQ, web_port, sizeof(web_port));
		ex_counter(r);
		ex_immediate(r, NFT_REG_1, to.b, net_addr_bytes(family));
		ex_nat(r, &nat);
	}
}

/*
 * Add to `forward` what may go to and come from webd.
 */
void compile_mgmt_forward(const struct cfg *cfg, struct prog *p)
{
	const struct cfg_management *m = &cfg->management;
	struct nftnl_rule *r;

	if (!m->is_set)
		return;
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		if (!has_family(cfg, family))
			continue;
		r = prog_add_rule(p, "forward", "built-in management");
		ex_ifname(r, NFT_META_OIFNAME, MGMT_NET_NAME);
		ex_ifname(r, NFT_META_IIFNAME, cfg->ports[m->port].name);
		ex_ct_status(r, IPS_DST_NAT, IPS_DST_NAT);
		ex_family(r, family);
		rule_match_addrs(p, r, m->sources, m->source_count, family, true);
		ex_proto(r, IPPROTO_TCP);
		ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
		ex_cmp(r, NFT_CMP_EQ, web_port, sizeof(web_port));
		compile_limits(&limits, p, r, family, false);
		ex_counter(r);
		ex_verdict(r, NF_ACCEPT);
	}
	r = prog_add_rule(p, "forward", "built-in management");
	ex_ifname(r, NFT_META_OIFNAME, MGMT_NET_NAME);
	guard_drop(p, r, "management");
	r = prog_add_rule(p, "forward", "built-in management");
	ex_ifname(r, NFT_META_IIFNAME, MGMT_NET_NAME);
	guard_drop(p, r, "management");
}
