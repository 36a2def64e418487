/*
 * lwIP's interface on the TUN that svcd hands over.
 */
#ifndef LUYTRE_NET_TUN_H
#define LUYTRE_NET_TUN_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "span.h"

#define NET_TUN_FRAME_MAX 1500
#define NET_TUN_BURST 64 /* frames read before the connections get their turn */

struct net_tun_counts {
	uint64_t taken, refused, no_memory, not_sent;
};

bool net_tun_is_tcp(struct span packet);
int net_tun_open(int fd) MUST_CHECK;
void net_tun_read(void);
const struct net_tun_counts *net_tun_counts(void);

#endif
