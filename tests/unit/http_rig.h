/*
 * A web server in memory: requests as text, a policyd that answers at once when it
 * is told to, clocks that the test moves.
 */
#ifndef TESTS_UNIT_HTTP_RIG_H
#define TESTS_UNIT_HTTP_RIG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mgmtd/http_server.h"

#define RIG_WORD "Tre-Xanh-2026"
#define RIG_KEY "12345678901234567890"
#define RIG_T0 INT64_C(1800000000)
#define RIG_OUT_BYTES (1U << 21)

struct rig {
	struct http_server server;
	struct http_conn conn;
	struct http_peer peer;
	uint64_t now_ms;
	int64_t utc_s;
	uint8_t seed;
	/* policyd */
	unsigned asks;
	uint32_t ask_id;
	enum http_ask ask;
	uint8_t asked[256];
	size_t asked_n;
	bool is_busy;
	const char *doc;
	int open_docs;
	/* the store */
	bool save_fails;
	unsigned saves;
	uint8_t file[ACCOUNTS_FILE_MAX];
	size_t file_n;
	unsigned events[HTTP_EV_COUNT];
	/* what came back */
	char out[RIG_OUT_BYTES];
	size_t out_n;
	char csrf[SESSION_TOKEN_TEXT], cookie[SESSION_TOKEN_TEXT];
};

static struct rig rig; /* megabytes */

static inline int rig_ask(void *ctx, uint32_t id, enum http_ask what, unsigned kind,
			  struct span body)
{
	struct rig *g = ctx;

	(void)kind;
	if (g->is_busy)
		return ERR_BUSY;
	g->asks++;
	g->ask_id = id;
	g->ask = what;
	g->asked_n = body.n < sizeof(g->asked) ? body.n : sizeof(g->asked);
	if (g->asked_n)
		memcpy(g->asked, body.p, g->asked_n);
	return ERR_OK;
}

static inline int rig_doc_read(void *ctx, struct http_doc doc, size_t at, uint8_t *out,
			       size_t n)
{
	const struct rig *g = ctx;

	if (at + n > doc.n || !g->doc)
		return ERR_RANGE;
	memcpy(out, g->doc + at, n);
	return ERR_OK;
}

static inline void rig_doc_close(void *ctx, struct http_doc doc)
{
	struct rig *g = ctx;

	(void)doc;
	g->open_docs--;
}

static inline int rig_random(void *ctx, uint8_t *out, size_t n)
{
	struct rig *g = ctx;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(g->seed + i * 3);
	g->seed = (uint8_t)(g->seed + 41);
	return ERR_OK;
}

static inline int rig_save(void *ctx, struct span text)
{
	struct rig *g = ctx;

	if (g->save_fails)
		return ERR_SYS;
	g->saves++;
	memcpy(g->file, text.p, text.n);
	g->file_n = text.n;
	return ERR_OK;
}

static inline void rig_event(void *ctx, enum http_event event, const char *text)
{
	struct rig *g = ctx;

	(void)text;
	g->events[event]++;
}

/* Hash of RIG_WORD, computed once. */
static inline void rig_hash(const char *text, struct password_hash *out)
{
	static struct password_hash known;
	struct password_work w;

	if (known.iterations) {
		*out = known;
		return;
	}
	out->iterations = PASSWORD_ITERATIONS_MIN;
	memset(out->salt, 7, sizeof(out->salt));
	if (password_begin(&w, span_str(text), out->salt, out->iterations) != ERR_OK)
		abort();
	while (!password_step(&w, PASSWORD_STEP))
		;
	password_end(&w, out->hash);
	known = *out;
}

static inline struct account *rig_account(struct rig *g, const char *name,
					  enum account_role role)
{
	static struct account a;

	memset(&a, 0, sizeof(a));
	memcpy(a.name, name, strlen(name) + 1);
	a.role = role;
	a.created_s = a.changed_s = RIG_T0;
	rig_hash(RIG_WORD, &a.password);
	if (account_role_changes(role)) {
		a.has_totp = true;
		memcpy(a.totp_key, RIG_KEY, TOTP_KEY_BYTES);
	}
	if (accounts_add(&g->server.accounts, &a) != ERR_OK)
		abort();
	return accounts_find(&g->server.accounts, span_str(name));
}

static inline void rig_tick(struct rig *g, uint64_t ms)
{
	const int64_t before = (int64_t)(g->now_ms / 1000);

	g->now_ms += ms;
	if (g->utc_s)
		g->utc_s += (int64_t)(g->now_ms / 1000) - before;
	http_tick(&g->server, g->now_ms, g->utc_s);
}

static inline void rig_connect(struct rig *g)
{
	http_clear(&g->conn);
	http_init(&g->conn, &g->server, &g->peer);
}

/* A server with an account for each role, named like it. */
static inline void rig_start(struct rig *g, const struct http_pack *pack)
{
	const struct http_setup setup = {
		.ops = {rig_ask, rig_doc_read, rig_doc_close, rig_random, rig_save,
			rig_event, g},
		.pack = pack,
		.idle_s = 300,
		.absolute_s = 3600,
		.iterations = PASSWORD_ITERATIONS_MIN,
	};

	memset(g, 0, sizeof(*g));
	g->now_ms = 5000;
	g->utc_s = RIG_T0;
	g->peer = (struct http_peer){{[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}};
	if (http_server_init(&g->server, &setup, span_of(NULL, 0)) != ERR_OK)
		abort();
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		(void)rig_account(g, account_role_name((enum account_role)i),
				  (enum account_role)i);
	rig_tick(g, 1);
	http_init(&g->conn, &g->server, &g->peer);
}

/* Take what the connection gives out, at most @max bytes at a time. */
static inline void rig_drain(struct rig *g, size_t max)
{
	size_t n;

	while ((n = http_output(&g->conn, (uint8_t *)g->out + g->out_n,
				g->out_n + max < sizeof(g->out) ? max : 0)))
		g->out_n += n;
	g->out[g->out_n] = '\0';
}

/* Send bytes, do all the work, collect the answer. Returns its status; 0: none. */
static inline unsigned rig_send(struct rig *g, struct span in)
{
	size_t n = http_input(&g->conn, in);

	(void)n; /* what is not taken is lost; tests that mind look themselves */
	while (http_work(&g->server))
		;
	g->out_n = 0;
	rig_drain(g, 700);
	return g->out_n > 12 ? (unsigned)strtoul(g->out + 9, NULL, 10) : 0;
}

static inline unsigned rig_answer(struct rig *g, int code, const char *text)
{
	struct http_answer a = {.id = g->ask_id, .code = code, .version = 9};

	a.text = span_str(text);
	a.doc.id = -1;
	if (g->doc && code == ERR_OK) {
		a.doc = (struct http_doc){.id = 1, .n = strlen(g->doc)};
		g->open_docs++;
	}
	http_policy_answer(&g->server, &a);
	return rig_send(g, span_of(NULL, 0));
}

/* One request with the session's cookie and token, a JSON body when @body. */
static inline unsigned rig_call(struct rig *g, const char *method, const char *path,
				const char *body)
{
	static char text[8192];
	int n;

	if (http_wants_close(&g->conn))
		rig_connect(g);
	n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: 10.0.0.1\r\n", method,
		     path);
	if (*g->cookie)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "Cookie: __Host-luytre=%s\r\n", g->cookie);
	if (*g->csrf && strcmp(method, "GET") != 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "X-CSRF: %s\r\n",
			      g->csrf);
	if (strcmp(method, "POST") == 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			      body ? strlen(body) : 0);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n%s", body ? body : "");
	return rig_send(g, span_of(text, (size_t)n));
}

/* Does the answer hold @text? */
static inline bool rig_has(const struct rig *g, const char *text)
{
	return memmem(g->out, g->out_n, text, strlen(text)) != NULL;
}

static inline void rig_take(const struct rig *g, const char *before, char *out)
{
	const char *at = strstr(g->out, before);

	if (!at)
		return;
	memcpy(out, at + strlen(before), SESSION_TOKEN_TEXT - 1);
	out[SESSION_TOKEN_TEXT - 1] = '\0';
}

/* Keep the tokens of the last answer. */
static inline void rig_keep(struct rig *g)
{
	rig_take(g, "__Host-luytre=", g->cookie);
	rig_take(g, "\"csrf\":\"", g->csrf);
}

static inline void rig_code(const struct rig *g, char code[TOTP_DIGITS + 1])
{
	uint32_t v;

	if (totp_code(TOTP_SHA1, span_str(RIG_KEY), (uint64_t)g->utc_s / TOTP_PERIOD_S,
		      TOTP_DIGITS, &v) != ERR_OK)
		abort();
	(void)snprintf(code, TOTP_DIGITS + 1, "%06u", v % 1000000);
}

/* Try to log in. With @has_code the clock goes on so that the code is a new one. */
static inline unsigned rig_try(struct rig *g, const char *name, const char *word,
			       bool has_code)
{
	char body[400], code[TOTP_DIGITS + 1];

	g->cookie[0] = g->csrf[0] = '\0';
	if (has_code) {
		rig_tick(g, (uint64_t)TOTP_PERIOD_S * 1000);
		rig_connect(g);
		rig_code(g, code);
		(void)snprintf(body, sizeof(body),
			       "{\"name\":\"%s\",\"password\":\"%s\",\"code\":\"%s\"}",
			       name, word, code);
	} else {
		(void)snprintf(body, sizeof(body),
			       "{\"name\":\"%s\",\"password\":\"%s\"}", name, word);
	}
	return rig_call(g, "POST", "/api/login", body);
}

static inline void rig_login(struct rig *g, const char *name)
{
	const struct account *a = accounts_find(&g->server.accounts, span_str(name));

	if (!a || rig_try(g, name, RIG_WORD, a->has_totp) != 200) {
		(void)fprintf(stderr, "login of %s: %s\n", name, g->out);
		abort();
	}
	rig_keep(g);
}

#endif
