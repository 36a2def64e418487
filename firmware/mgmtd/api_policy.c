/* Calls that policyd answers, and the draft, which only this memory holds. */
#include "http_server.h"

#include <string.h>
#include <mbedtls/sha256.h>
#include "hex.h"
#include "ipc.h"
#include "wipe.h"

#define CONFIRM_WORD "confirm="

static void refuse(struct http_conn *c, enum api_error error, struct span detail)
{
	http_reply_error(c, error, detail);
}

/* Ask, and refuse at once when that cannot be. */
static void ask(const struct api_call *call, enum http_ask what, unsigned kind,
		struct span body)
{
	const int r = http_ask_policy(call->conn, what, kind, body);

	if (r != ERR_OK)
		refuse(call->conn, API_ERR_BUSY, span_str(err_text(r)));
}

/* GET /api/status */
void api_status(const struct api_call *call)
{
	ask(call, HTTP_ASK_STATUS, 0, span_of(NULL, 0));
}

/* GET /api/config */
void api_config(const struct api_call *call)
{
	ask(call, HTTP_ASK_CONFIG, 0, span_of(NULL, 0));
}

/* GET /api/counters */
void api_counters(const struct api_call *call)
{
	ask(call, HTTP_ASK_COUNTERS, 0, span_of(NULL, 0));
}

/* GET /api/controls */
void api_controls(const struct api_call *call)
{
	ask(call, HTTP_ASK_CONTROLS, 0, span_of(NULL, 0));
}

static void order(const struct api_call *call, enum http_ask what, unsigned kind,
		  struct span body)
{
	http_event(call->server, HTTP_EV_ORDER, call->conn, call->account->name,
		   api_at(call->conn->api)->path);
	ask(call, what, kind, body);
}

/* POST /api/apply */
void api_apply(const struct api_call *call)
{
	order(call, HTTP_ASK_PUT, ART_CONFIG, call->body);
}

/* POST /api/keyset */
void api_keyset(const struct api_call *call)
{
	order(call, HTTP_ASK_PUT, ART_KEYSET, call->body);
}

/* POST /api/command */
void api_command(const struct api_call *call)
{
	order(call, HTTP_ASK_PUT, ART_COMMAND, call->body);
}

/* POST /api/confirm */
void api_confirm(const struct api_call *call)
{
	order(call, HTTP_ASK_CONFIRM, 0,
	      span_of(call->values[0].text, call->values[0].n));
}

/* POST /api/rollback */
void api_rollback(const struct api_call *call)
{
	order(call, HTTP_ASK_ROLLBACK, 0, span_of(NULL, 0));
}

/* Is the draft being sent to somebody? Then its bytes must not change. */
static bool draft_is_read(const struct http_server *s)
{
	for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
		const struct http_conn *c = s->conns[i];

		if (c && c->out.n && c->out.p >= s->draft &&
		    c->out.p < s->draft + sizeof(s->draft))
			return true;
	}
	return false;
}

/* GET /api/draft */
void api_draft_get(const struct api_call *call)
{
	struct http_server *s = call->server;

	if (s->draft_n)
		http_reply_span(call->conn, span_of(s->draft, s->draft_n));
	else
		refuse(call->conn, API_ERR_NOT_FOUND, span_of(NULL, 0));
}

/* POST /api/draft */
void api_draft_put(const struct api_call *call)
{
	struct http_server *s = call->server;
	uint8_t sha[32];
	char text[65];
	struct json_out o;

	if (draft_is_read(s)) {
		refuse(call->conn, API_ERR_BUSY, span_of(NULL, 0));
		return;
	}
	if (mbedtls_sha256(call->body.p, call->body.n, sha, 0) != 0) {
		refuse(call->conn, API_ERR_INTERNAL, span_of(NULL, 0));
		return;
	}
	/* the size was compared with body_max, which is the room there is */
	memcpy(s->draft, call->body.p, call->body.n);
	s->draft_n = call->body.n;
	hex_encode(sha, sizeof(sha), text);
	o = http_json(call->conn);
	json_u64(&o, "bytes", s->draft_n);
	json_str(&o, "sha256", text);
	http_reply_json(call->conn, &o, "");
}

/* DELETE /api/draft */
void api_draft_drop(const struct api_call *call)
{
	struct http_server *s = call->server;
	struct json_out o;

	if (draft_is_read(s)) {
		refuse(call->conn, API_ERR_BUSY, span_of(NULL, 0));
		return;
	}
	wipe(s->draft, s->draft_n);
	s->draft_n = 0;
	o = http_json(call->conn);
	json_bool(&o, "done", true);
	http_reply_json(call->conn, &o, "");
}

/* Next "key=value" line; false at the end. Lines of another form are skipped. */
static bool next_pair(struct span *text, struct span *key, struct span *value)
{
	struct span line;

	while (span_take_line(text, &line) == ERR_OK) {
		const uint8_t *at = line.n ? memchr(line.p, '=', line.n) : NULL;

		if (!at || at == line.p)
			continue;
		*key = span_of(line.p, (size_t)(at - line.p));
		*value = span_of(at + 1, line.n - key->n - 1);
		return true;
	}
	return false;
}

/* Keys that STATUS may have; what is not here is not passed on. */
static const struct {
	const char *key;
	bool is_number;
} status_keys[] = {
	{"state", false},         {"serial", true},       {"sha256", false},
	{"device", false},        {"agency", false},      {"rules", true},
	{"ports", true},          {"kernel_rules", true}, {"generation", true},
	{"device_serial", false}, {"keyset", true},       {"no_trust", false},
	{"trial_left", true},     {"profile", false},     {"management", false},
	{"soc", false},           {"connections", true},  {"connections_max", true},
	{"refused", true},
};

#define STATUS_KEYS (sizeof(status_keys) / sizeof(status_keys[0]))

static void put_status(struct json_out *o, struct span key, struct span value)
{
	uint64_t number;

	for (size_t i = 0; i < STATUS_KEYS; i++) {
		const char *name = status_keys[i].key;

		if (!span_eq_str(key, name))
			continue;
		if (!status_keys[i].is_number)
			json_text(o, name, value);
		else if (span_to_u64(value, UINT64_MAX, &number) == ERR_OK)
			json_u64(o, name, number);
	}
}

static void put_tunnels(struct json_out *o, struct span text)
{
	static const char word[] = "wireguard.";
	const size_t n = sizeof(word) - 1;
	struct span key, value;

	json_open(o, "tunnels", '[');
	while (next_pair(&text, &key, &value)) {
		if (key.n <= n || memcmp(key.p, word, n) != 0)
			continue;
		json_open(o, NULL, '{');
		json_text(o, "port", span_of(key.p + n, key.n - n));
		json_text(o, "key", value);
		json_close(o, '}');
	}
	json_close(o, ']');
}

static void status_answer(struct http_conn *c, struct span text)
{
	struct json_out o = http_json(c);
	struct span left = text, key, value;

	while (next_pair(&left, &key, &value))
		put_status(&o, key, value);
	json_u64(&o, "uptime_s", c->server->now_ms / 1000);
	put_tunnels(&o, text);
	http_reply_json(c, &o, "");
}

/* The confirmation code in policyd's words: digits after "confirm=". */
static struct span find_code(struct span text)
{
	const size_t n = strlen(CONFIRM_WORD);
	const uint8_t *at = text.n ? memmem(text.p, text.n, CONFIRM_WORD, n) : NULL;
	struct span code = {NULL, 0};

	if (!at)
		return code;
	code.p = at + n;
	while (code.p + code.n < text.p + text.n && code.p[code.n] >= '0' &&
	       code.p[code.n] <= '9')
		code.n++;
	return code;
}

static void put_answer(struct http_conn *c, const struct http_answer *a)
{
	struct json_out o = http_json(c);
	const struct span code = find_code(a->text);

	if (c->api == API_APPLY || c->api == API_KEYSET || c->api == API_COMMAND) {
		json_u64(&o, "version", a->version);
		json_text(&o, "text", a->text);
		if (code.n && c->api == API_APPLY)
			json_text(&o, "confirm", code);
		else
			json_nil(&o, "confirm");
	} else {
		json_text(&o, "text", a->text);
	}
	c->server->own_ask_ms = 0; /* the state may be another now */
	http_reply_json(c, &o, "");
}

static enum api_error error_of(int code)
{
	if (code == ERR_NOENT)
		return API_ERR_NOT_FOUND;
	return code == ERR_BUSY ? API_ERR_BUSY : API_ERR_REFUSED;
}

/*
 * policyd's answer to a request that waits.
 *
 * @a  its document moves into the answer
 */
void api_policy_answer(struct http_conn *c, const struct http_answer *a)
{
	const struct http_ops *ops = &c->server->setup.ops;
	const bool is_doc =
		c->api == API_CONFIG || c->api == API_COUNTERS || c->api == API_CONTROLS;
	/* the same file once more is in force already: its code is told again */
	const bool is_done = a->code == ERR_OK || (a->code == ERR_ALREADY &&
						   api_at(c->api)->flags & API_BYTES);

	if (a->code == ERR_OK && is_doc && a->doc.id >= 0) {
		http_reply_doc(c, a->doc);
		return;
	}
	if (a->doc.id >= 0)
		ops->doc_close(ops->ctx, a->doc);
	if (!is_done || is_doc)
		refuse(c, error_of(a->code), a->text);
	else if (c->api == API_STATUS)
		status_answer(c, a->text);
	else
		put_answer(c, a);
}

/* policyd's answer to the server itself: health, and whose password rules hold. */
void api_policy_own(struct http_server *s, const struct http_answer *a)
{
	struct span left = a->text, key, value;
	enum http_health health = HEALTH_UNKNOWN;
	bool needs_care = false;

	while (a->code == ERR_OK && next_pair(&left, &key, &value)) {
		if (span_eq_str(key, "state"))
			health = span_eq_str(value, "enforced") ? HEALTH_OK
				 : span_eq_str(value, "closed") ? HEALTH_CLOSED
								: HEALTH_ATTENTION;
		if (span_eq_str(key, "trial_left") || span_eq_str(key, "no_trust"))
			needs_care = true;
		if (span_eq_str(key, "profile"))
			s->rules = account_rules_find(value);
	}
	if (health == HEALTH_OK && needs_care)
		health = HEALTH_ATTENTION;
	s->health = health;
}
