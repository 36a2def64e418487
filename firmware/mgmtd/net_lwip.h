/*
 * lwIP's raw interface, with those of its error names out of the way that are ours
 * too. LWIP_OK is its "ok"; the other names (ERR_MEM, ERR_ABRT ...) stay.
 */
#ifndef LUYTRE_NET_LWIP_H
#define LUYTRE_NET_LWIP_H

#define ERR_OK LWIP_OK
#define ERR_ALREADY LWIP_ALREADY
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#undef ERR_OK
#undef ERR_ALREADY

#endif
