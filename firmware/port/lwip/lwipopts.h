/*
 * lwIP for the management plane: raw TCP over one TUN, nothing else. No sockets,
 * no threads, no UDP, no ICMP, no fragments, no forwarding: what the kernel's
 * TUN can hand over beside whole TCP segments is dropped in firmware/mgmtd/
 * net_tun.c before lwIP sees it. Sizes come from Kconfig, "Management plane".
 */
#ifndef LUYTRE_LWIPOPTS_H
#define LUYTRE_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_NETIF_API 0
#define LWIP_SINGLE_NETIF 1
#define LWIP_HAVE_LOOPIF 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_NETIF_TX_SINGLE_PBUF 1 /* one frame, one write() */

#define LWIP_IPV4 1
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_ICMP 0
#define LWIP_IGMP 0
#define LWIP_DHCP 0
#define LWIP_AUTOIP 0
#define LWIP_DNS 0
#define LWIP_RAW 0
#define LWIP_UDP 0
#define IP_FORWARD 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define IP_OPTIONS_ALLOWED 0

/* Static addresses over a link without neighbours: neighbour discovery is linked
 * in, and neither sends nor receives anything. */
#define LWIP_IPV6 1
#define LWIP_IPV6_NUM_ADDRESSES 2
#define LWIP_IPV6_FORWARD 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_DHCP6 0
#define LWIP_ICMP6 1
#define LWIP_ND6_QUEUEING 0
#define LWIP_ND6_NUM_NEIGHBORS 2
#define LWIP_ND6_NUM_DESTINATIONS 2
#define LWIP_ND6_NUM_PREFIXES 1
#define LWIP_ND6_NUM_ROUTERS 1
#define LWIP_ND6_ALLOW_RA_UPDATES 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0

/* 1220: an IPv6 packet of 1,280 bytes crosses every path (RFC 8200 5), so that no
 * path MTU has to be learned. */
#define LWIP_TCP 1
#define TCP_MSS 1220
#define TCP_WND (8 * TCP_MSS)
#define TCP_SND_BUF (8 * TCP_MSS)
#define TCP_SND_QUEUELEN 32
#define TCP_QUEUE_OOSEQ 0 /* a lost segment is sent again; no queue to fill */
#define LWIP_TCP_SACK_OUT 0
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_WND_SCALE 0
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_MSL 3000UL  /* a SYN that meets TIME_WAIT is not answered */
#define TCP_MAXRTX 8    /* about a minute without an answer */
#define TCP_SYNMAXRTX 2 /* half-open connections go after some seconds */
#define LWIP_TCP_PCB_NUM_EXT_ARGS 0
#define LWIP_RANDOMIZE_INITIAL_LOCAL_PORTS 1

/* Memory: fixed pools, no malloc. */
#define MEM_LIBC_MALLOC 0
#define MEM_ALIGNMENT 8
#define MEM_SIZE (CONFIG_MGMT_TCP_HEAP_KB * 1024)
#define MEMP_NUM_TCP_PCB (2 * CONFIG_MGMT_CONNS_MAX + CONFIG_MGMT_HALF_OPEN)
#define MEMP_NUM_TCP_PCB_LISTEN 2
#define MEMP_NUM_TCP_SEG (CONFIG_MGMT_CONNS_MAX * TCP_SND_QUEUELEN)
#define MEMP_NUM_PBUF CONFIG_MGMT_PBUFS
#define PBUF_POOL_SIZE CONFIG_MGMT_PBUFS
#define PBUF_POOL_BUFSIZE 1600 /* a whole frame of the TUN, MTU 1500 */

/* Every checksum is made and checked here: the kernel hands over what came. */
#define CHECKSUM_GEN_IP 1
#define CHECKSUM_GEN_TCP 1
#define CHECKSUM_CHECK_IP 1
#define CHECKSUM_CHECK_TCP 1
#define LWIP_CHECKSUM_ON_COPY 1

#define LWIP_STATS 0
#define LWIP_DEBUG 0

/* Initial sequence numbers nobody can guess (RFC 6528): port.c. */
#define LWIP_HOOK_FILENAME "luytre_hooks.h"
#define LWIP_HOOK_TCP_ISN luytre_tcp_isn

#endif
