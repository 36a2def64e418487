/*
 * DESIGN: everything that can refuse a call is asked before its body is read, in
 * one place and one order: call, source rate, session, origin, CSRF token, what must
 * be done first, role, session rate, size and type. Handlers ask nothing of that
 * again.
 */
#include "http_server.h"

#include <string.h>
#include "wipe.h"

/* What the account has to do before anything else (AC-01, AC-03, AC-09). */
enum session_must http_must(const struct http_server *s, const struct account *a)
{
	int64_t days;

	if (a->must_change ||
	    (account_days_left(s->rules, a, s->utc_s, &days) && days <= 0))
		return MUST_PASSWORD;
	if (account_role_changes(a->role) && !a->has_totp)
		return MUST_TOTP;
	return MUST_NOTHING;
}

/*
 * Session of the request, when its account may still be used.
 *
 * @account  filled with its account
 *
 * Returns NULL when nobody is logged in.
 */
struct session *http_session(struct http_conn *c, struct account **account)
{
	struct http_server *s = c->server;
	struct session *found = session_find(
		&s->sessions, session_cookie(c->request.cookie), c->peer.addr, s->now_ms);

	if (!found)
		return NULL;
	*account = accounts_find(&s->accounts, span_str(found->name));
	if (*account && !(*account)->is_disabled)
		return found;
	session_end(found);
	return NULL;
}

/* Does the request come from a page of ours? Programs send no Origin. */
static bool is_own_origin(const struct http_request *q)
{
	static const char scheme[] = "https://";
	const size_t n = sizeof(scheme) - 1;

	if (q->fetch_site.n && !span_eq_str(q->fetch_site, "same-origin"))
		return false;
	if (q->origin.n == 0)
		return true;
	return q->origin.n > n && memcmp(q->origin.p, scheme, n) == 0 &&
	       span_eq(span_of(q->origin.p + n, q->origin.n - n), q->host);
}

/* May the session's account make this call now? */
static enum api_error judge_session(struct http_conn *c, const struct session *se,
				    const struct account *a)
{
	const struct api *api = api_at(c->api);
	const enum session_must must = http_must(c->server, a);

	if (c->request.method != HTTP_GET && !session_is_csrf(se, c->request.csrf))
		return API_ERR_CSRF;
	if (must == MUST_PASSWORD && c->api != API_PASSWORD && c->api != API_LOGOUT &&
	    c->api != API_SESSION)
		return API_ERR_MUST_CHANGE;
	if (must == MUST_TOTP && !(api->roles & API_TO_SESSION))
		return API_ERR_MUST_ENROL;
	if (!api_may(c->api, a->role)) {
		http_event(c->server, HTTP_EV_DENIED, c, a->name, api->path);
		return API_ERR_DENIED;
	}
	return API_ERR_COUNT;
}

static bool begins(struct span text, const char *word)
{
	const size_t n = strlen(word);

	return text.n >= n && memcmp(text.p, word, n) == 0 &&
	       (text.n == n || text.p[n] == ';');
}

static enum api_error judge_body(const struct http_conn *c)
{
	const struct api *api = api_at(c->api);
	const struct span type = c->request.content_type;
	const bool is_json = begins(type, "application/json");

	if (c->request.length > api->body_max)
		return API_ERR_TOO_LARGE;
	if (!(api->flags & (API_JSON | API_BYTES)))
		return API_ERR_COUNT;
	if (c->request.length == 0)
		return API_ERR_BAD_REQUEST;
	if (!is_json &&
	    ((api->flags & API_JSON) || !begins(type, "application/octet-stream")))
		return API_ERR_BAD_TYPE;
	if ((api->flags & API_BYTES) && c->server->big_owner)
		return API_ERR_BUSY;
	return API_ERR_COUNT;
}

/* API_ERR_COUNT: nothing stands in the way. */
static enum api_error judge(struct http_conn *c)
{
	struct http_server *s = c->server;
	const int r = api_find(c->request.path, c->request.method, &c->api);
	const struct api *api;
	struct session *se = NULL;
	struct account *a = NULL;
	enum api_error e;

	if (r != ERR_OK)
		return r == ERR_TYPE ? API_ERR_NO_METHOD : API_ERR_NOT_FOUND;
	api = api_at(c->api);
	if (c->request.method != HTTP_GET && !is_own_origin(&c->request))
		return API_ERR_CSRF;
	if (api->roles & API_TO_ANYONE) {
		if (!rate_take(&s->rates, c->peer.addr, c->api, api->rate, s->now_ms))
			return API_ERR_RATE;
		return judge_body(c);
	}
	se = http_session(c, &a);
	if (!se)
		return API_ERR_NOT_LOGGED_IN;
	e = judge_session(c, se, a);
	if (e == API_ERR_COUNT && !session_take_rate(se, c->api, api->rate, s->now_ms))
		e = API_ERR_RATE;
	if (e == API_ERR_COUNT)
		e = judge_body(c);
	if (e != API_ERR_COUNT)
		return e;
	c->session_id = se->id;
	if (!(api->flags & API_IDLE))
		se->used_ms = s->now_ms;
	return API_ERR_COUNT;
}

/* A head was read: answer, refuse, or make ready for the body. */
void http_route_head(struct http_conn *c)
{
	enum api_error e;

	if (strncmp(c->request.path, "/api/", 5) != 0) {
		http_static(c);
		return;
	}
	e = judge(c);
	if (e != API_ERR_COUNT) {
		if (c->request.length)
			c->is_last = true; /* its body is not read */
		http_reply_error(c, e, span_of(NULL, 0));
		return;
	}
	if (c->request.length == 0) {
		http_route_body(c);
		return;
	}
	if (api_at(c->api)->flags & API_BYTES)
		c->server->big_owner = c;
	c->body_n = 0;
	c->state = HTTP_READ_BODY;
	c->deadline_ms = c->server->now_ms + HTTP_BODY_MS;
}

static void run_json(const struct api_call *call)
{
	struct json_value values[JSON_FIELDS_MAX];
	const struct json_field *fields;
	const size_t n = api_fields(call->conn->api, &fields);
	struct api_call with = *call;
	int r = json_read(call->body, fields, n, values);

	if (r == ERR_OK) {
		with.values = values;
		api_at(call->conn->api)->handler(&with);
	} else {
		http_reply_error(call->conn,
				 r == ERR_RANGE || r == ERR_NOENT || r == ERR_LIMIT
					 ? API_ERR_BAD_FIELD
					 : API_ERR_BAD_REQUEST,
				 span_str(err_text(r)));
	}
	wipe(values, n * sizeof(values[0]));
}

/* Head and body are there: make the call. */
void http_route_body(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct api_call call = {.server = s, .conn = c};
	const struct api *api = api_at(c->api);

	if (c->session_id) {
		call.session = session_by_id(&s->sessions, c->session_id);
		if (call.session)
			call.account =
				accounts_find(&s->accounts, span_str(call.session->name));
		if (!call.account) { /* ended while the body came */
			http_reply_error(c, API_ERR_NOT_LOGGED_IN, span_of(NULL, 0));
			return;
		}
	}
	call.body = span_of(s->big_owner == c ? s->big : c->json, c->body_n);
	if (api->flags & API_JSON)
		run_json(&call);
	else
		api->handler(&call);
}
