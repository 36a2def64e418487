/*
 * DESIGN: tls_link_run() moves what can be moved and returns. Order: handshake;
 * then what was taken from http goes out before more is taken; then input, as far
 * as http takes it. So a peer that does not read stops its own answers, a peer
 * whose request must wait stops its own sending, and each holds no more than the
 * two buffers of the structure. mbedTLS wants a write that it could not finish to
 * be repeated with the same bytes: that is why `out` stays as it is until then.
 */
#include "tls_link.h"

#include <string.h>

/* mbedTLS asks for bytes. */
static int bio_recv(void *ctx, unsigned char *p, size_t n)
{
	struct tls_link *l = ctx;
	int got = l->io->recv(l->ctx, p, n);

	if (got < 0)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	return got == 0 ? MBEDTLS_ERR_SSL_WANT_READ : got;
}

static int bio_send(void *ctx, const unsigned char *p, size_t n)
{
	struct tls_link *l = ctx;
	int took = l->io->send(l->ctx, p, n);

	if (took < 0)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	return took == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : took;
}

/*
 * Begin: the peer is to send its hello.
 *
 * @conf  of the server, must outlive the link
 * @http  initialised by the caller, who also clears it after tls_link_close()
 * @ctx   handed to the functions of @io
 *
 * Returns ERR_OK, or ERR_NOMEM when the memory of TLS is used up: then nothing is
 * to be closed.
 */
int tls_link_open(struct tls_link *l, const mbedtls_ssl_config *conf,
		  struct http_conn *http, const struct tls_io *io, void *ctx)
{
	l->http = http;
	l->io = io;
	l->ctx = ctx;
	l->is_open = l->is_over = false;
	l->in_at = l->in_n = l->out_at = l->out_n = 0;
	mbedtls_ssl_init(&l->ssl);
	if (mbedtls_ssl_setup(&l->ssl, conf) != 0) {
		mbedtls_ssl_free(&l->ssl);
		return ERR_NOMEM;
	}
	mbedtls_ssl_set_bio(&l->ssl, l, bio_send, bio_recv, NULL);
	return ERR_OK;
}

static bool must_wait(int r)
{
	return r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* Returns TLS_MORE when it was complete, or what tls_link_run() returns. */
static enum tls_result handshake(struct tls_link *l)
{
	int r = mbedtls_ssl_handshake(&l->ssl);

	if (must_wait(r))
		return TLS_WAIT;
	if (r != 0)
		return TLS_DONE; /* mbedTLS has sent the alert */
	l->is_open = true;
	return TLS_MORE;
}

/* http's answers to the transport. TLS_MORE: there was nothing, or all of it. */
static enum tls_result put_out(struct tls_link *l, size_t *moved)
{
	while (*moved < TLS_LINK_SLICE) {
		int r;

		if (l->out_at == l->out_n) {
			l->out_at = 0;
			l->out_n = http_output(l->http, l->out, sizeof(l->out));
			if (l->out_n == 0)
				return TLS_MORE;
		}
		r = mbedtls_ssl_write(&l->ssl, l->out + l->out_at, l->out_n - l->out_at);
		if (must_wait(r))
			return TLS_WAIT;
		if (r <= 0)
			return TLS_DONE;
		l->out_at += (size_t)r;
		*moved += (size_t)r;
	}
	return TLS_MORE;
}

/* Fill the empty buffer. TLS_MORE: there is something in it. */
static enum tls_result fill_in(struct tls_link *l)
{
	int r;

	if (l->is_over || !http_wants_input(l->http))
		return TLS_WAIT;
	r = mbedtls_ssl_read(&l->ssl, l->in, sizeof(l->in));
	if (must_wait(r))
		return TLS_WAIT;
	if (r == 0 || r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		l->is_over = true;
		return TLS_WAIT;
	}
	if (r < 0)
		return TLS_DONE;
	l->in_at = 0;
	l->in_n = (size_t)r;
	return TLS_MORE;
}

/* What came to http. TLS_MORE: http took some; TLS_WAIT: nothing to do. */
static enum tls_result take_in(struct tls_link *l)
{
	enum tls_result r = l->in_at == l->in_n ? fill_in(l) : TLS_MORE;
	size_t n;

	if (r != TLS_MORE)
		return r;
	n = http_input(l->http, span_of(l->in + l->in_at, l->in_n - l->in_at));
	l->in_at += n;
	return n > 0 ? TLS_MORE : TLS_WAIT;
}

/*
 * Move what can be moved now, at most TLS_LINK_SLICE bytes each way.
 */
enum tls_result tls_link_run(struct tls_link *l)
{
	size_t out = 0;

	if (!l->is_open) {
		enum tls_result r = handshake(l);

		if (r != TLS_MORE)
			return r;
	}
	for (unsigned i = 0; i < TLS_LINK_SLICE / TLS_LINK_IN_BYTES; i++) {
		enum tls_result r = put_out(l, &out);

		if (r != TLS_MORE)
			return r;
		if (out >= TLS_LINK_SLICE)
			return TLS_MORE;
		if (http_wants_close(l->http))
			return TLS_DONE;
		r = take_in(l);
		if (r == TLS_WAIT && l->is_over && l->in_at == l->in_n)
			return TLS_DONE; /* nobody is left who asks */
		if (r != TLS_MORE)
			return r;
	}
	return TLS_MORE;
}

/*
 * End: say so to the peer if there is room for it, give the memory back.
 */
void tls_link_close(struct tls_link *l)
{
	if (l->is_open)
		(void)mbedtls_ssl_close_notify(&l->ssl); /* the peer may be gone */
	mbedtls_ssl_free(&l->ssl);
}
