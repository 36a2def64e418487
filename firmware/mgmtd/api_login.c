/*
 * Login. Whatever is wrong - the name, the password, the second factor, a lock, a
 * disabled account - the answer, and the work before it, are the same (AC-04).
 */
#include "http_server.h"

#include <stdio.h>
#include <string.h>
#include "hex.h"
#include "wipe.h"

#define COOKIE_FIELDS "Path=/; Secure; HttpOnly; SameSite=Strict"

static const char banner_vi[] = "Thiết bị tường lửa của cơ quan nhà nước. Chỉ người được "
				"giao quyền mới được đăng "
				"nhập; mọi thao tác đều được ghi lại. Thiết bị dùng mật "
				"mã dân sự, không dùng để bảo "
				"vệ thông tin thuộc danh mục bí mật nhà nước.";
static const char banner_en[] =
	"Firewall of a state agency. For authorized persons only; everything done here "
	"is "
	"recorded. This device uses civil cryptography and is not for state secrets.";

/* GET /api/banner */
void api_banner(const struct api_call *call)
{
	struct json_out o = http_json(call->conn);

	json_str(&o, "vi", banner_vi);
	json_str(&o, "en", banner_en);
	http_reply_json(call->conn, &o, "");
}

/* GET /api/health: all that is said before login. */
void api_health(const struct api_call *call)
{
	static const char *const names[] = {"unknown", "ok", "attention", "closed"};
	struct json_out o = http_json(call->conn);

	json_str(&o, "health", names[call->server->health]);
	http_reply_json(call->conn, &o, "");
}

static void put_may(struct json_out *o, enum account_role role)
{
	char text[HTTP_PATH_MAX + 8];

	json_open(o, "may", '[');
	for (unsigned i = 0; i < API_COUNT; i++) {
		const struct api *api = api_at((enum api_id)i);

		if (!api_may((enum api_id)i, role))
			continue;
		(void)snprintf(text, sizeof(text), "%s %s", http_method_name(api->method),
			       api->path); /* paths are short: tested */
		json_str(o, NULL, text);
	}
	json_close(o, ']');
}

static void put_csrf(struct json_out *o, const struct session *se)
{
	char text[SESSION_TOKEN_TEXT];

	hex_encode(se->csrf, sizeof(se->csrf), text);
	json_str(o, "csrf", text);
	wipe(text, sizeof(text));
}

/* What a page must know about its session. */
static void put_session(const struct http_server *s, struct json_out *o,
			const struct session *se, const struct account *a)
{
	const uint64_t idle_ms = s->now_ms - se->used_ms;
	const uint64_t age_ms = s->now_ms - se->started_ms;
	int64_t days = 0;
	const bool expires = account_days_left(s->rules, a, s->utc_s, &days);

	json_str(o, "name", a->name);
	json_str(o, "role", account_role_name(a->role));
	json_str(o, "must", session_must_name(http_must(s, a)));
	put_csrf(o, se);
	if (expires)
		json_u64(o, "password_days", (uint64_t)days);
	else
		json_nil(o, "password_days");
	json_bool(o, "password_warning", expires && days <= ACCOUNT_WARN_DAYS);
	json_u64(o, "idle_s", s->sessions.idle_s - idle_ms / 1000);
	json_u64(o, "absolute_s", s->sessions.absolute_s - age_ms / 1000);
	put_may(o, a->role);
}

static void reply_with_cookie(struct http_conn *c, const struct json_out *o,
			      const struct session *se)
{
	char token[SESSION_TOKEN_TEXT], field[160];

	hex_encode(se->token, sizeof(se->token), token);
	(void)snprintf(field, sizeof(field),
		       "Set-Cookie: __Host-luytre=%s; " COOKIE_FIELDS "\r\n",
		       token); /* fits: all parts have fixed lengths */
	http_reply_json(c, o, field);
	wipe(token, sizeof(token));
	wipe(field, sizeof(field));
}

/* POST /api/login */
void api_login(const struct api_call *call)
{
	struct http_server *s = call->server;
	const struct json_value *name = &call->values[0], *code = &call->values[2];
	const struct json_value *password = &call->values[1];
	const struct account *a =
		accounts_find(&s->accounts, span_of(name->text, name->n));
	const bool has_hash = a && a->password.iterations;
	struct http_job *job;

	if (code->is_set && s->utc_s <= 0) {
		http_reply_error(call->conn, API_ERR_CLOCK_UNSET, span_of(NULL, 0));
		return;
	}
	job = api_job_new(call, JOB_LOGIN, name->text);
	if (!job) {
		http_reply_error(call->conn, API_ERR_BUSY, span_of(NULL, 0));
		return;
	}
	memcpy(job->code, code->text, code->n);
	if (password_begin(&job->work, span_of(password->text, password->n),
			   has_hash ? a->password.salt : s->dummy_salt,
			   has_hash ? a->password.iterations : s->setup.iterations) ==
	    ERR_OK) {
		http_wait(call->conn);
		return;
	}
	api_job_drop(call->conn);
	http_reply_error(call->conn, API_ERR_INTERNAL, span_of(NULL, 0));
}

/* Is everything right? A wrong or used code of the second factor is as wrong as a
 * wrong password; it is computed for accounts without one, too. */
static bool is_right(struct http_server *s, const struct http_job *job,
		     const struct account *a, const uint8_t *hash, uint64_t *step)
{
	static const uint8_t no_key[TOTP_KEY_BYTES], no_hash[PASSWORD_HASH_BYTES];
	const bool has_totp = a && a->has_totp;
	const bool is_hash = password_equal(hash, a ? a->password.hash : no_hash);
	const bool is_shut = lock_is_shut(&s->locks, span_str(job->name),
					  job->conn->peer.addr, s->now_ms);
	int r;

	*step = a ? a->totp_step : 0;
	r = totp_check(span_of(has_totp ? a->totp_key : no_key, TOTP_KEY_BYTES), s->utc_s,
		       span_str(job->code), step);
	return is_hash && a && a->password.iterations && !a->is_disabled && !is_shut &&
	       (!has_totp || r == ERR_OK);
}

static void login_failed(struct http_server *s, const struct http_job *job)
{
	struct http_conn *c = job->conn;

	http_event(s, HTTP_EV_LOGIN_FAILED, c, job->name, "");
	if (lock_add_wrong(&s->locks, span_str(job->name), c->peer.addr, s->now_ms))
		http_event(s, HTTP_EV_LOCKED, c, job->name, "");
	http_reply_error(c, API_ERR_LOGIN_FAILED, span_of(NULL, 0));
}

/*
 * The password of a login is hashed.
 *
 * @job   of the login
 * @hash  of what was typed
 */
void api_login_done(struct http_job *job, const uint8_t hash[PASSWORD_HASH_BYTES])
{
	struct http_conn *c = job->conn;
	struct http_server *s = c->server;
	struct account *a = accounts_find(&s->accounts, span_str(job->name));
	uint8_t random[2 * SESSION_TOKEN_BYTES];
	struct session *se = NULL;
	struct json_out o;
	uint64_t step;

	if (!is_right(s, job, a, hash, &step)) {
		login_failed(s, job);
		return;
	}
	lock_forget(&s->locks, span_str(a->name), c->peer.addr);
	http_accounts_begin(s);
	if (a->has_totp)
		a->totp_step = step;
	if (s->utc_s > 0) {
		a->last_login_s = s->utc_s;
		if (a->changed_s == 0)
			a->changed_s = s->utc_s; /* set while the clock was not */
	}
	if (http_accounts_end(s) != ERR_OK) {
		/* a code could be used twice otherwise */
		http_reply_error(c, API_ERR_INTERNAL, span_str("accounts not stored"));
		return;
	}
	if (http_random(s, random, sizeof(random)) == ERR_OK)
		se = session_new(&s->sessions, a->name, c->peer.addr, random, s->now_ms);
	wipe(random, sizeof(random));
	if (!se) {
		http_reply_error(c, API_ERR_BUSY, span_of(NULL, 0));
		return;
	}
	http_event(s, HTTP_EV_LOGIN, c, a->name, "");
	o = http_json(c);
	put_session(s, &o, se, a);
	reply_with_cookie(c, &o, se);
}

/* GET /api/session */
void api_session(const struct api_call *call)
{
	struct json_out o = http_json(call->conn);

	put_session(call->server, &o, call->session, call->account);
	http_reply_json(call->conn, &o, "");
}

/* POST /api/logout */
void api_logout(const struct api_call *call)
{
	struct json_out o = http_json(call->conn);

	http_event(call->server, HTTP_EV_LOGOUT, call->conn, call->account->name, "");
	session_end(call->session);
	json_bool(&o, "done", true);
	http_reply_json(call->conn, &o,
			"Set-Cookie: __Host-luytre=; " COOKIE_FIELDS "; Max-Age=0\r\n"
			"Clear-Site-Data: \"cache\", \"storage\"\r\n");
}

/*
 * New tokens for the session of @c, told to the browser: after its rights have
 * changed nothing that was seen before is of use.
 *
 * @a  its account
 */
void api_renew(struct http_conn *c, const struct account *a)
{
	struct http_server *s = c->server;
	struct session *se = session_by_id(&s->sessions, c->session_id);
	uint8_t random[2 * SESSION_TOKEN_BYTES];
	struct json_out o = http_json(c);

	if (!se || http_random(s, random, sizeof(random)) != ERR_OK) {
		if (se)
			session_end(se); /* the person logs in anew */
		http_reply_error(c, API_ERR_NOT_LOGGED_IN, span_of(NULL, 0));
		return;
	}
	session_renew(se, random);
	wipe(random, sizeof(random));
	json_str(&o, "must", session_must_name(http_must(s, a)));
	put_csrf(&o, se);
	reply_with_cookie(c, &o, se);
}
