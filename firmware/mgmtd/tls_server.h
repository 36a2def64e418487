/*
 * The TLS server over lwIP: who may connect, how many, how long a handshake takes.
 */
#ifndef LUYTRE_TLS_SERVER_H
#define LUYTRE_TLS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "http.h"
#include "tls_key.h"

#define TLS_SERVER_CONNS CONFIG_MGMT_CONNS_MAX
#define TLS_SERVER_LINGER_MS 2000 /* for the peer to read the last answer and close */
#define TLS_SERVER_RX_PBUFS 16    /* packets of one connection that wait to be read */

struct tls_server_counts {
	uint64_t accepted, over_total, over_source, no_memory, late, handshakes;
};

/* Where the connection in a place keeps its http side. */
struct tls_server_ops {
	struct http_conn *(*open)(void *ctx, unsigned place,
				  const struct http_peer *peer);
	void (*close)(void *ctx, unsigned place);
	void *ctx;
};

int tls_server_open(const struct tls_key *key,
		    const struct tls_server_ops *ops) MUST_CHECK;
bool tls_server_run(uint64_t now_ms);
const struct tls_server_counts *tls_server_counts(void);

#endif
