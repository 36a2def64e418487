/*
 * DESIGN: lwIP's callbacks only note what happened; all work is done by
 * tls_server_run(), one connection after the other, a slice each: nobody waits for
 * somebody else's handshake or slow reading. A connection is in a place:
 *
 *   free -> working (handshake, then http) -> lingering -> free
 *
 * Lingering: everything was handed to TCP, our side is closed, what still comes is
 * thrown away. Closing with unread bytes would make TCP reset the connection and
 * lose the answer on its way.
 *
 * Limits: a source has at most CONFIG_MGMT_CONNS_SOURCE places, and the last
 * CONFIG_MGMT_CONNS_RESERVED ones are for sources that have none. The link to the
 * operations centre is another process with a TUN and pools of its own: nothing that
 * happens here takes anything from it. Packets that wait to be read are bounded by
 * TCP's window and by TLS_SERVER_RX_PBUFS: more are refused to lwIP, which keeps
 * them and closes the window.
 */
#include "tls_server.h"

#include <string.h>

#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>

#include "mgmt_net.h"
#include "net_lwip.h"
#include "tls_link.h"

enum place_state { PLACE_FREE, PLACE_WORKING, PLACE_LINGERING };

struct place {
	enum place_state state;
	struct tcp_pcb *pcb; /* NULL: lwIP has given it up */
	struct pbuf *rx;     /* came, not yet read */
	bool is_eof;         /* the peer has closed its side */
	bool is_new;         /* its deadline is not set yet */
	uint64_t due_ms;     /* end of the handshake, or of lingering */
	struct http_peer peer;
	struct tls_link link;
};

static struct {
	mbedtls_ssl_config conf;
	struct tls_server_ops ops;
	struct tls_server_counts counts;
	struct place places[TLS_SERVER_CONNS];
	unsigned first; /* who begins the next turn */
} server;

static const char *const protocols[] = {"http/1.1", NULL};

static int io_send(void *ctx, const uint8_t *p, size_t n)
{
	struct place *c = ctx;
	size_t room;

	if (!c->pcb)
		return -1;
	room = tcp_sndbuf(c->pcb);
	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	switch (tcp_write(c->pcb, p, (uint16_t)n, TCP_WRITE_FLAG_COPY)) {
	case LWIP_OK:
		return (int)n;
	case ERR_MEM:
		return 0;
	default:
		return -1;
	}
}

static int io_recv(void *ctx, uint8_t *p, size_t n)
{
	struct place *c = ctx;
	uint16_t got;

	if (!c->rx)
		return c->is_eof || !c->pcb ? -1 : 0;
	got = pbuf_copy_partial(c->rx, p, (uint16_t)(n > UINT16_MAX ? UINT16_MAX : n), 0);
	c->rx = pbuf_free_header(c->rx, got);
	if (c->pcb)
		tcp_recved(c->pcb, got);
	return got;
}

static const struct tls_io io = {io_send, io_recv};

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct place *c = arg;

	(void)err;
	if (!p) {
		c->is_eof = true;
		return LWIP_OK;
	}
	if (c->state == PLACE_LINGERING) {
		tcp_recved(pcb, p->tot_len);
		(void)pbuf_free(p);
		return LWIP_OK;
	}
	if (c->rx && pbuf_clen(c->rx) >= TLS_SERVER_RX_PBUFS)
		return ERR_MEM; /* lwIP keeps it and asks again */
	if (c->rx)
		pbuf_cat(c->rx, p);
	else
		c->rx = p;
	return LWIP_OK;
}

/* lwIP has freed the pcb. */
static void on_error(void *arg, err_t err)
{
	struct place *c = arg;

	(void)err;
	c->pcb = NULL;
}

static void set_peer(struct http_peer *peer, const ip_addr_t *a)
{
	memset(peer, 0, sizeof(*peer));
	if (IP_IS_V6(a)) {
		memcpy(peer->addr, ip_2_ip6(a)->addr, sizeof(peer->addr));
		return;
	}
	peer->addr[10] = peer->addr[11] = 0xff;
	memcpy(peer->addr + 12, &ip_2_ip4(a)->addr, 4);
}

/* A place for this source, NULL when it gets none. */
static struct place *find_place(const struct http_peer *peer)
{
	unsigned same = 0, unused = 0;
	struct place *found = NULL;

	for (unsigned i = 0; i < TLS_SERVER_CONNS; i++) {
		struct place *c = &server.places[i];

		if (c->state == PLACE_FREE) {
			found = c;
			unused++;
		} else if (memcmp(&c->peer, peer, sizeof(*peer)) == 0) {
			same++;
		}
	}
	if (same >= CONFIG_MGMT_CONNS_SOURCE) {
		server.counts.over_source++;
		return NULL;
	}
	if (unused == 0 || (same > 0 && unused <= CONFIG_MGMT_CONNS_RESERVED)) {
		server.counts.over_total++;
		return NULL;
	}
	return found;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct http_peer peer;
	struct http_conn *http;
	struct place *c;
	unsigned at;

	(void)arg;
	if (err != LWIP_OK || !pcb)
		return ERR_VAL; /* out of pcbs: nothing was accepted */
	set_peer(&peer, &pcb->remote_ip);
	c = find_place(&peer);
	if (!c) {
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	at = (unsigned)(c - server.places);
	http = server.ops.open(server.ops.ctx, at, &peer);
	if (tls_link_open(&c->link, &server.conf, http, &io, c) != ERR_OK) {
		server.ops.close(server.ops.ctx, at);
		server.counts.no_memory++;
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	server.counts.accepted++;
	c->state = PLACE_WORKING;
	c->pcb = pcb;
	c->rx = NULL;
	c->is_eof = false;
	c->is_new = true;
	c->peer = peer;
	tcp_arg(pcb, c);
	tcp_recv(pcb, on_recv);
	tcp_err(pcb, on_error);
	tcp_nagle_disable(pcb);
	ip_set_option(pcb, SOF_KEEPALIVE);
	return LWIP_OK;
}

static void drop_rx(struct place *c)
{
	if (!c->rx)
		return;
	if (c->pcb)
		tcp_recved(c->pcb, c->rx->tot_len);
	(void)pbuf_free(c->rx);
	c->rx = NULL;
}

static void set_free(struct place *c)
{
	drop_rx(c);
	if (c->pcb) {
		struct tcp_pcb *pcb = c->pcb;

		c->pcb = NULL;
		tcp_arg(pcb, NULL);
		tcp_recv(pcb, NULL);
		tcp_err(pcb, NULL);
		if (!c->is_eof || tcp_close(pcb) != LWIP_OK)
			tcp_abort(pcb);
	}
	c->state = PLACE_FREE;
}

/* The http side is over: hand the rest to TCP and wait for the peer's end. */
static void end_working(struct place *c, uint64_t now_ms)
{
	tls_link_close(&c->link);
	server.ops.close(server.ops.ctx, (unsigned)(c - server.places));
	c->state = PLACE_LINGERING;
	c->due_ms = now_ms + TLS_SERVER_LINGER_MS;
	drop_rx(c);
	if (!c->pcb || tcp_shutdown(c->pcb, 0, 1) != LWIP_OK)
		set_free(c);
}

/* Returns whether there is more to do at once. */
static bool work(struct place *c, uint64_t now_ms)
{
	bool was_open = c->link.is_open;
	enum tls_result r;

	if (c->is_new) {
		c->is_new = false;
		c->due_ms = now_ms + UINT64_C(1000) * CONFIG_MGMT_HANDSHAKE_S;
	}
	r = c->pcb ? tls_link_run(&c->link) : TLS_DONE;
	if (!was_open && c->link.is_open)
		server.counts.handshakes++;
	if (r != TLS_DONE && !c->link.is_open && now_ms >= c->due_ms) {
		server.counts.late++;
		r = TLS_DONE;
	}
	if (r == TLS_DONE)
		end_working(c, now_ms);
	else if (c->pcb)
		(void)tcp_output(c->pcb); /* no memory now: lwIP's timer does it */
	return r == TLS_MORE;
}

static bool serve_place(struct place *c, uint64_t now_ms)
{
	switch (c->state) {
	case PLACE_WORKING:
		return work(c, now_ms);
	case PLACE_LINGERING:
		if (!c->pcb || c->is_eof || now_ms >= c->due_ms)
			set_free(c);
		return false;
	case PLACE_FREE:
	default:
		return false;
	}
}

/*
 * Give every connection its slice.
 *
 * Returns true when one of them has more to do at once.
 */
bool tls_server_run(uint64_t now_ms)
{
	bool more = false;

	server.first = (server.first + 1) % TLS_SERVER_CONNS;
	for (unsigned i = 0; i < TLS_SERVER_CONNS; i++)
		more |= serve_place(&server.places[(server.first + i) % TLS_SERVER_CONNS],
				    now_ms);
	return more;
}

static int configure(const struct tls_key *key)
{
	mbedtls_ssl_config *conf = &server.conf;
	/* mbedTLS only reads both */
	mbedtls_x509_crt *cert = (mbedtls_x509_crt *)(uintptr_t)&key->cert;
	mbedtls_pk_context *pk = (mbedtls_pk_context *)(uintptr_t)&key->key;

	mbedtls_ssl_config_init(conf);
	if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_SERVER,
					MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return ERR_INTERNAL;
	mbedtls_ssl_conf_rng(conf, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
#if CONFIG_MGMT_TLS12
	mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
#endif
	if (mbedtls_ssl_conf_own_cert(conf, cert, pk) != 0 ||
	    mbedtls_ssl_conf_alpn_protocols(conf, (const char **)(uintptr_t)protocols) !=
		    0)
		return ERR_NOMEM;
	return ERR_OK;
}

/*
 * Listen on the management port, IPv4 and IPv6. lwIP runs already.
 *
 * @key  must outlive the server
 *
 * Returns ERR_OK, ERR_NOMEM or ERR_INTERNAL.
 */
int tls_server_open(const struct tls_key *key, const struct tls_server_ops *ops)
{
	struct tcp_pcb *pcb, *listening;
	int r = configure(key);

	server.ops = *ops;
	if (r != ERR_OK)
		return r;
	pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
	if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, MGMT_NET_PORT) != LWIP_OK)
		return ERR_INTERNAL;
	listening = tcp_listen_with_backlog(pcb, CONFIG_MGMT_HALF_OPEN);
	if (!listening)
		return ERR_INTERNAL;
	tcp_accept(listening, on_accept);
	return ERR_OK;
}

/*
 * What was accepted and refused so far.
 */
const struct tls_server_counts *tls_server_counts(void)
{
	return &server.counts;
}
