/*
 * DESIGN: a TUN carries whole packets and has no neighbours. The kernel in front
 * has filtered and translated them already; all the same, only whole TCP segments
 * without IP options, extension headers or fragments go on to lwIP. lwIP keeps its
 * state in globals, so the interface is one too.
 */
#include "net_tun.h"

#include <string.h>
#include <unistd.h>

#include "mgmt_net.h"
#include "net_lwip.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define PROTO_TCP 6

static struct {
	struct netif netif;
	int fd;
	struct net_tun_counts counts;
} tun;

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/*
 * Whether a packet is a whole TCP segment over IPv4 or IPv6 without options.
 */
bool net_tun_is_tcp(struct span packet)
{
	const uint8_t *p = packet.p;

	if (packet.n >= IPV4_HEADER + TCP_HEADER && p[0] == 0x45)
		return be16(p + 2) == packet.n && (be16(p + 6) & 0x3fff) == 0 &&
		       p[9] == PROTO_TCP;
	if (packet.n >= IPV6_HEADER + TCP_HEADER && p[0] >> 4 == 6)
		return be16(p + 4) == packet.n - IPV6_HEADER && p[6] == PROTO_TCP;
	return false;
}

/* What does not fit into the TUN's queue is lost, as on any link; TCP sends again. */
static err_t put_frame(struct pbuf *p)
{
	uint8_t frame[NET_TUN_FRAME_MAX];
	uint16_t n = p->tot_len;

	if (n > sizeof(frame) || pbuf_copy_partial(p, frame, n, 0) != n)
		return ERR_BUF;
	if (write(tun.fd, frame, n) != n)
		tun.counts.not_sent++;
	return LWIP_OK;
}

static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	(void)netif;
	(void)to;
	return put_frame(p);
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	(void)netif;
	(void)to;
	return put_frame(p);
}

static err_t init_netif(struct netif *netif)
{
	netif->name[0] = 'w';
	netif->name[1] = 'b';
	netif->mtu = NET_TUN_FRAME_MAX;
	netif->output = output4;
	netif->output_ip6 = output6;
	return LWIP_OK;
}

/*
 * Start lwIP on the TUN; addresses are those of mgmt_net.h.
 *
 * @fd  non-blocking, without packet information; stays open
 *
 * Returns ERR_OK or ERR_INTERNAL.
 */
int net_tun_open(int fd)
{
	ip4_addr_t own, gateway, mask;
	ip6_addr_t own6;

	tun.fd = fd;
	lwip_init();
	if (!ip4addr_aton(MGMT_NET_WEBD4, &own) ||
	    !ip4addr_aton(MGMT_NET_KERNEL4, &gateway) ||
	    !ip6addr_aton(MGMT_NET_WEBD6, &own6))
		return ERR_INTERNAL;
	IP4_ADDR(&mask, 255, 255, 255, 252);
	if (!netif_add(&tun.netif, &own, &mask, &gateway, NULL, init_netif, ip_input))
		return ERR_INTERNAL;
	netif_ip6_addr_set(&tun.netif, 0, &own6);
	netif_ip6_addr_set_state(&tun.netif, 0, IP6_ADDR_PREFERRED);
	netif_set_default(&tun.netif);
	netif_set_up(&tun.netif);
	netif_set_link_up(&tun.netif);
	return ERR_OK;
}

static void take_frame(const uint8_t *frame, size_t n)
{
	struct pbuf *p;

	if (!net_tun_is_tcp(span_of(frame, n))) {
		tun.counts.refused++;
		return;
	}
	p = pbuf_alloc(PBUF_RAW, (uint16_t)n, PBUF_POOL);
	if (!p || pbuf_take(p, frame, (uint16_t)n) != LWIP_OK) {
		tun.counts.no_memory++;
		if (p)
			(void)pbuf_free(p);
		return;
	}
	tun.counts.taken++;
	if (tun.netif.input(p, &tun.netif) != LWIP_OK)
		(void)pbuf_free(p);
}

/*
 * Give what is in the TUN to lwIP, at most NET_TUN_BURST packets.
 */
void net_tun_read(void)
{
	uint8_t frame[NET_TUN_FRAME_MAX];

	for (int i = 0; i < NET_TUN_BURST; i++) {
		ssize_t n = read(tun.fd, frame, sizeof(frame));

		if (n <= 0)
			return; /* nothing there, or the interface is down */
		take_frame(frame, (size_t)n);
	}
}

/*
 * What went through so far.
 */
const struct net_tun_counts *net_tun_counts(void)
{
	return &tun.counts;
}
