/*
 * The seam between the network side of mgmtd (lwIP, TLS, event loop) and what it
 * serves: bytes in, bytes out, a clock, and a table of callbacks to policyd.
 * Nothing here knows sockets, TLS or messages; nothing here allocates.
 *
 * Use:
 *	http_server_init(server, &setup);
 *	http_init(conn, server, &peer);            a connection was accepted
 *	n = http_input(conn, bytes);               takes n of them; the rest must wait
 *	n = http_output(conn, buf, sizeof(buf));   what to send now
 *	http_wants_close(conn)                     everything was given out, close it
 *	http_clear(conn);                          it is gone, for whatever reason
 *	http_tick(server, now_ms, utc_s);          at least once a second; deadlines
 *	http_work(server)                          one slice of work; true: call again
 *soon http_policy_answer(server, &answer);       policyd has answered a question
 */
#ifndef LUYTRE_HTTP_H
#define LUYTRE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bounds.h"
#include "span.h"

/* Limits of a request (bytes, counts). */
#define HTTP_LINE_MAX 1024    /* request line, without CR LF */
#define HTTP_HEAD_MAX 8192    /* request line and header fields, with their line ends */
#define HTTP_FIELDS_MAX 32    /* header fields */
#define HTTP_PATH_MAX 64      /* path, without NUL */
#define HTTP_JSON_MAX 4096    /* body of a JSON request */
#define HTTP_REQUESTS_MAX 200 /* requests of one connection */
#define HTTP_ANSWER_MAX 16384 /* JSON answer made here */
#define HTTP_HEAD_OUT_MAX 1024
#define HTTP_BIG_MAX MAN_CONFIG_FILE_MAX /* largest body: a signed configuration */

/* Deadlines (ms). */
#define HTTP_HEADER_MS 10000  /* from the first byte of a request to its last header */
#define HTTP_BODY_MS 60000    /* whole body */
#define HTTP_IDLE_MS 30000    /* between requests, and before the first one */
#define HTTP_SEND_MS 30000    /* without a byte of the answer taken */
#define HTTP_POLICY_MS 120000 /* policyd's answer; an apply takes long */

#define HTTP_CONNS_MAX 24 /* connections of one server */

/* Static files, made by toolchain/uipack. The pack, little endian:
 *   "LUYTREUI" u32 version (1), u32 count, then each entry:
 *   u16 bytes of the name, u8 type (enum http_type), u8 flags (HTTP_ASSET_*),
 *   u32 bytes of the data, sha256 of the data (32 bytes), name, data.
 * Names begin with "/", are 2 to HTTP_PATH_MAX bytes of [a-z0-9./_-], and ascend
 * strictly. Data is a gzip stream. Nothing follows the last entry. */
#define HTTP_PACK_MAGIC "LUYTREUI"
#define HTTP_PACK_VERSION 1U
#define HTTP_PACK_MAX (1U << 20)
#define HTTP_ASSETS_MAX 64
#define HTTP_ASSET_PUBLIC 1U /* served before login: the login page and what it needs */
#define HTTP_ETAG_BYTES 67   /* quoted hex of a SHA-256, with NUL */

enum http_type {
	HTTP_TYPE_HTML = 1,
	HTTP_TYPE_CSS,
	HTTP_TYPE_JS,
	HTTP_TYPE_JSON,
	HTTP_TYPE_SVG,
	HTTP_TYPE_PNG,
	HTTP_TYPE_TEXT,
	HTTP_TYPE_ICO,
	HTTP_TYPE_COUNT
};

struct http_asset {
	char name[HTTP_PATH_MAX + 1];
	enum http_type type;
	bool is_public;
	struct span gzip; /* borrows from the pack */
	char etag[HTTP_ETAG_BYTES];
};

struct http_pack {
	struct http_asset assets[HTTP_ASSETS_MAX];
	size_t count;
};

/* Who is at the other end. */
struct http_peer {
	uint8_t addr[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
};

/* What can be asked of policyd. */
enum http_ask {
	HTTP_ASK_STATUS = 1, /* answer: text, "key=value" lines */
	HTTP_ASK_CONFIG,     /* answer: doc, the document in force */
	HTTP_ASK_COUNTERS,   /* answer: doc, JSON of the counters */
	HTTP_ASK_CONTROLS,   /* answer: doc, JSON of the level profile's controls */
	HTTP_ASK_PUT,        /* body: an artifact, kind: enum art_kind; answer: code,
			      * version, text */
	HTTP_ASK_CONFIRM,    /* body: the code; answer: code, text */
	HTTP_ASK_ROLLBACK    /* answer: code, text */
};

/* A document that policyd made, read in pieces; id is the owner's (a descriptor). */
struct http_doc {
	int id; /* negative: none */
	size_t n;
};

struct http_answer {
	uint32_t id;         /* of the question */
	int code;            /* enum err, from policyd or from the way to it */
	uint64_t version;    /* HTTP_ASK_PUT */
	struct span text;    /* borrowed during the call */
	struct http_doc doc; /* moves to the server, which gives it back by doc_close() */
};

/* What the web side may be told about, for the log; see http_event_name(). */
enum http_event {
	HTTP_EV_LOGIN,
	HTTP_EV_LOGIN_FAILED,
	HTTP_EV_LOCKED,
	HTTP_EV_LOGOUT,
	HTTP_EV_SESSION_END,
	HTTP_EV_PASSWORD,
	HTTP_EV_TOTP,
	HTTP_EV_ACCOUNT,
	HTTP_EV_DENIED,
	HTTP_EV_ORDER,
	HTTP_EV_COUNT
};

/* What the server needs of its surroundings. All functions return at once. */
struct http_ops {
	/* Ask policyd; the answer comes later by http_policy_answer() with @id.
	 * @body is borrowed during the call. ERR_BUSY: try again later. */
	int (*ask)(void *ctx, uint32_t id, enum http_ask what, unsigned kind,
		   struct span body);
	/* Read a piece of a document; ERR_OK only when all @n bytes were read. */
	int (*doc_read)(void *ctx, struct http_doc doc, size_t at, uint8_t *out,
			size_t n);
	void (*doc_close)(void *ctx, struct http_doc doc);
	/* Random bytes of the kernel (getrandom). */
	int (*random)(void *ctx, uint8_t *out, size_t n);
	/* Keep the account file: @text replaces it, whole or not at all. */
	int (*accounts_save)(void *ctx, struct span text);
	/* For the log: ASCII key=value text, untrusted parts escaped. May be NULL. */
	void (*event)(void *ctx, enum http_event event, const char *text);
	void *ctx;
};

struct http_server;
struct http_conn;

/* The structures themselves, for whoever stores them: http_server.h. */
void http_init(struct http_conn *c, struct http_server *s, const struct http_peer *peer);
size_t http_input(struct http_conn *c, struct span in);
size_t http_output(struct http_conn *c, uint8_t *out, size_t max);
bool http_wants_close(const struct http_conn *c);
bool http_wants_input(const struct http_conn *c);
void http_clear(struct http_conn *c);
void http_tick(struct http_server *s, uint64_t now_ms, int64_t utc_s);
bool http_work(struct http_server *s);
void http_policy_answer(struct http_server *s, const struct http_answer *answer);
int http_pack_read(struct span pack, struct http_pack *out) MUST_CHECK;
const char *http_event_name(enum http_event event);

#endif
