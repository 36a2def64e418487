/*
 * Links, addresses and routes over rtnetlink.
 */
#ifndef LUYTRE_POL_RTNL_H
#define LUYTRE_POL_RTNL_H

#include <stdbool.h>
#include <stdint.h>
#include "cfg.h"

#define RTNL_LINKS_MAX 128
#define RTNL_ANSWER_S 10 /* the kernel answers within this or the request failed */
#define RTNL_PROTO 76    /* rtm_protocol of our routes: only these are ours to delete */
#define RTNL_GROUP 76    /* group of interfaces that we made: only these are deleted */
#define RTNL_KIND_BYTES 16

struct mnl_socket;

struct rtnl_link {
	int index;
	char name[CFG_NAME_BYTES];
	uint8_t mac[6];
	bool is_up;
	bool has_carrier;
	bool is_ether;
	bool is_mute;               /* makes no IPv6 link-local address */
	char kind[RTNL_KIND_BYTES]; /* "vlan", "bridge" ...; empty for hardware */
	uint32_t group;
	int master;       /* index of its bridge, 0 for none */
	int parent;       /* VLANs: index of the interface that carries it */
	uint16_t vlan_id; /* VLANs */
	bool is_talking;  /* bridges: spanning tree or multicast snooping is on */
	char bus[160];    /* below /sys/devices; empty for virtual interfaces */
};

struct rtnl {
	struct mnl_socket *nl;
	uint32_t seq;
	char why[200];
	struct rtnl_link links[RTNL_LINKS_MAX];
	size_t link_count;
};

int rtnl_open(struct rtnl *r) MUST_CHECK;
void rtnl_close(struct rtnl *r);
int rtnl_read_links(struct rtnl *r) MUST_CHECK;
int rtnl_check(struct rtnl *r, const struct cfg *cfg) MUST_CHECK;
int rtnl_isolate(struct rtnl *r, const struct cfg *cfg) MUST_CHECK;
int rtnl_apply(struct rtnl *r, const struct cfg *cfg, const struct cfg *also) MUST_CHECK;
int rtnl_verify(struct rtnl *r, const struct cfg *cfg, const struct cfg *also) MUST_CHECK;
int rtnl_way(struct rtnl *r, const struct net_addr *to, int *index,
	     struct net_addr *hop) MUST_CHECK;
uint16_t rtnl_neighbour(struct rtnl *r, int index, const struct net_addr *addr);
int rtnl_ask_neighbour(struct rtnl *r, int index, const struct net_addr *addr,
		       uint16_t state) MUST_CHECK;

#endif
