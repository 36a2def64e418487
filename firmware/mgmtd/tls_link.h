/*
 * One TLS connection between a byte transport and a http_conn. Knows neither TCP
 * nor the network: what carries the records is behind two functions.
 */
#ifndef LUYTRE_TLS_LINK_H
#define LUYTRE_TLS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/ssl.h>

#include "err.h"
#include "http.h"

#define TLS_LINK_IN_BYTES 2048  /* taken from TLS and not yet by http */
#define TLS_LINK_OUT_BYTES 4096 /* taken from http and not yet by TLS: one record */
#define TLS_LINK_SLICE 16384    /* most bytes of one tls_link_run() and direction */

/* The transport. Both return at once. */
struct tls_io {
	/* Take bytes to send; returns how many, 0: no room now, negative: broken. */
	int (*send)(void *ctx, const uint8_t *p, size_t n);
	/* Give bytes that came; returns how many, 0: none now, negative: no more. */
	int (*recv)(void *ctx, uint8_t *p, size_t n);
};

enum tls_result {
	TLS_WAIT, /* goes on when bytes, room or an answer are there */
	TLS_MORE, /* used up its slice: run it again after the others */
	TLS_DONE  /* over, well or not; what is to be sent was given to the transport */
};

struct tls_link {
	mbedtls_ssl_context ssl;
	struct http_conn *http;
	const struct tls_io *io;
	void *ctx;
	bool is_open; /* the handshake is complete */
	bool is_over; /* no more input: the peer has ended its side */
	uint8_t in[TLS_LINK_IN_BYTES];
	size_t in_at, in_n;
	uint8_t out[TLS_LINK_OUT_BYTES];
	size_t out_at, out_n;
};

int tls_link_open(struct tls_link *l, const mbedtls_ssl_config *conf,
		  struct http_conn *http, const struct tls_io *io, void *ctx) MUST_CHECK;
enum tls_result tls_link_run(struct tls_link *l);
void tls_link_close(struct tls_link *l);

#endif
