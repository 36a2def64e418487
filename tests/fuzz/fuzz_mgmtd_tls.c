/*
 * The TLS glue between a peer's bytes and the web server: whatever comes, in whatever
 * pieces, nothing reaches the web server before a handshake, and a link that is over
 * says so. Input: u8 size of the pieces, u8 mode, then bytes. Mode 0: the bytes as they
 * are. Otherwise a good ClientHello, changed where pairs of (position, value) say, and
 * behind it what is left.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <mbedtls/memory_buffer_alloc.h>
#include <mbedtls/psa_util.h>

#include "mgmtd/http_server.h"
#include "mgmtd/tls_key.h"
#include "mgmtd/tls_link.h"

#define CHANGES_MAX 8
#define RUNS_MAX 2000

/* Of OpenSSL 3, TLS 1.3 with X25519, ALPN http/1.1. */
static const uint8_t hello[] = {
	0x16, 0x03, 0x01, 0x00, 0xeb, 0x01, 0x00, 0x00, 0xe7, 0x03, 0x03, 0x3a, 0x03,
	0x46, 0x9d, 0x98, 0x5c, 0xeb, 0x6a, 0xd8, 0x20, 0x2a, 0x9c, 0x6c, 0xdb, 0xc8,
	0xae, 0xb2, 0xf8, 0xb5, 0x6c, 0x05, 0x41, 0x7b, 0x22, 0x88, 0x0c, 0x38, 0x64,
	0x4c, 0x40, 0xd1, 0x87, 0x20, 0x87, 0xa2, 0xdc, 0x9c, 0x8b, 0x3c, 0xd9, 0x90,
	0x3e, 0xd3, 0x82, 0x0a, 0xc1, 0xf7, 0x36, 0x84, 0x79, 0xe8, 0x4e, 0x97, 0xc9,
	0x46, 0x5c, 0xc3, 0x40, 0x57, 0x33, 0xff, 0xee, 0x14, 0xb8, 0x96, 0x00, 0x08,
	0x13, 0x02, 0x13, 0x03, 0x13, 0x01, 0x00, 0xff, 0x01, 0x00, 0x00, 0x96, 0x00,
	0x0b, 0x00, 0x04, 0x03, 0x00, 0x01, 0x02, 0x00, 0x0a, 0x00, 0x16, 0x00, 0x14,
	0x00, 0x1d, 0x00, 0x17, 0x00, 0x1e, 0x00, 0x19, 0x00, 0x18, 0x01, 0x00, 0x01,
	0x01, 0x01, 0x02, 0x01, 0x03, 0x01, 0x04, 0x00, 0x23, 0x00, 0x00, 0x00, 0x10,
	0x00, 0x0b, 0x00, 0x09, 0x08, 0x68, 0x74, 0x74, 0x70, 0x2f, 0x31, 0x2e, 0x31,
	0x00, 0x16, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x1e, 0x00,
	0x1c, 0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x08, 0x08, 0x09,
	0x08, 0x0a, 0x08, 0x0b, 0x08, 0x04, 0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05,
	0x01, 0x06, 0x01, 0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04, 0x00, 0x2d, 0x00,
	0x02, 0x01, 0x01, 0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00, 0x1d, 0x00, 0x20,
	0xae, 0x0b, 0x65, 0x19, 0xf3, 0xcb, 0x19, 0x4f, 0xcd, 0xf5, 0x55, 0x50, 0x3d,
	0x8e, 0xcd, 0x41, 0xc1, 0xfe, 0x6e, 0xfe, 0x4a, 0x3b, 0xe0, 0x65, 0x44, 0x2f,
	0x3f, 0x39, 0xeb, 0x74, 0x1f, 0x3e,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct wire {
	uint8_t in[20000];
	size_t in_n, in_at, piece;
};

static mbedtls_ssl_config conf;
static struct tls_key key;
static struct http_server server;
static struct http_conn conn;
static unsigned char heap[1U << 20];

static int on_send(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	(void)p;
	return (int)n;
}

static int on_recv(void *ctx, uint8_t *p, size_t n)
{
	struct wire *w = ctx;
	size_t left = w->in_n - w->in_at;

	if (left == 0)
		return -1;
	if (n > left)
		n = left;
	if (n > w->piece)
		n = w->piece;
	memcpy(p, w->in + w->in_at, n);
	w->in_at += n;
	return (int)n;
}

static int on_random(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	return getrandom(out, n, 0) == (ssize_t)n ? ERR_OK : ERR_SYS;
}

static int on_ask(void *ctx, uint32_t id, enum http_ask what, unsigned kind,
		  struct span body)
{
	(void)ctx;
	(void)id;
	(void)what;
	(void)kind;
	(void)body;
	return ERR_BUSY;
}

static void must(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct http_pack pack;
	const struct http_setup setup = {.ops = {.random = on_random, .ask = on_ask},
					 .pack = &pack,
					 .idle_s = 300,
					 .absolute_s = 3600,
					 .iterations = PASSWORD_ITERATIONS_MIN};
	char folder[] = "/tmp/fuzz.XXXXXX";
	static const char *alpn[] = {"http/1.1", NULL};

	(void)argc;
	(void)argv;
	mbedtls_memory_buffer_alloc_init(heap, sizeof(heap));
	must(psa_crypto_init() == PSA_SUCCESS);
	must(mkdtemp(folder) != NULL);
	must(tls_key_load(&key, open(folder, O_RDONLY | O_DIRECTORY)) == ERR_OK);
	mbedtls_ssl_config_init(&conf);
	must(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_SERVER,
					 MBEDTLS_SSL_TRANSPORT_STREAM,
					 MBEDTLS_SSL_PRESET_DEFAULT) == 0);
	mbedtls_ssl_conf_rng(&conf, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	must(mbedtls_ssl_conf_own_cert(&conf, &key.cert, &key.key) == 0);
	must(mbedtls_ssl_conf_alpn_protocols(&conf, alpn) == 0);
	must(http_server_init(&server, &setup, span_of(NULL, 0)) == ERR_OK);
	return 0;
}

/* What the peer sends. */
static void write_wire(struct wire *w, const uint8_t *data, size_t size)
{
	bool is_raw = size < 2 || data[1] == 0;
	size_t at = 2;

	memset(w, 0, sizeof(*w));
	w->piece = size && data[0] ? data[0] : sizeof(w->in);
	if (!is_raw) {
		memcpy(w->in, hello, sizeof(hello));
		w->in_n = sizeof(hello);
		for (unsigned i = 0; i < CHANGES_MAX && i < data[1] % 9 && at + 2 < size;
		     i++, at += 3)
			w->in[(size_t)(data[at] << 8 | data[at + 1]) % sizeof(hello)] =
				data[at + 2];
	}
	if (at < size) {
		size_t n = size - at;

		if (n > sizeof(w->in) - w->in_n)
			n = sizeof(w->in) - w->in_n;
		memcpy(w->in + w->in_n, data + at, n);
		w->in_n += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tls_io io = {on_send, on_recv};
	static const struct http_peer peer;
	static struct tls_link link;
	static struct wire w;
	enum tls_result r = TLS_MORE;

	write_wire(&w, data, size);
	http_tick(&server, 1, 0);
	http_init(&conn, &server, &peer);
	must(tls_link_open(&link, &conf, &conn, &io, &w) == ERR_OK);
	for (unsigned i = 0; i < RUNS_MAX && r != TLS_DONE; i++)
		r = tls_link_run(&link);
	must(r == TLS_DONE);    /* the peer has gone: nothing waits for it */
	must(!link.is_open);    /* nobody guesses the end of a handshake */
	must(conn.head_n == 0); /* and nothing got through without it */
	tls_link_close(&link);
	http_clear(&conn);
	return 0;
}
