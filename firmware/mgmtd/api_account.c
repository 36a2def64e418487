/* Accounts and sessions of others: what an administrator may see and change. */
#include "http_server.h"

#include <string.h>
#include "wipe.h"

static void refuse(struct http_conn *c, enum api_error error, const char *detail)
{
	http_reply_error(c, error, span_str(detail));
}

static void put_account(const struct http_server *s, struct json_out *o,
			const struct account *a)
{
	int64_t days;

	json_open(o, NULL, '{');
	json_str(o, "name", a->name);
	json_str(o, "role", account_role_name(a->role));
	json_bool(o, "disabled", a->is_disabled);
	json_str(o, "must", session_must_name(http_must(s, a)));
	json_bool(o, "totp", a->has_totp);
	if (a->last_login_s)
		json_u64(o, "last_login_s", (uint64_t)a->last_login_s);
	else
		json_nil(o, "last_login_s");
	if (account_days_left(s->rules, a, s->utc_s, &days))
		json_u64(o, "password_days", (uint64_t)days);
	else
		json_nil(o, "password_days");
	json_u64(o, "locked_sources",
		 lock_count(&s->locks, span_str(a->name), s->now_ms));
	json_close(o, '}');
}

/* GET /api/accounts */
void api_accounts(const struct api_call *call)
{
	const struct http_server *s = call->server;
	struct json_out o = http_json(call->conn);

	json_open(&o, "accounts", '[');
	for (size_t i = 0; i < s->accounts.count; i++)
		put_account(s, &o, &s->accounts.list[i]);
	json_close(&o, ']');
	http_reply_json(call->conn, &o, "");
}

/* GET /api/sessions */
void api_sessions(const struct api_call *call)
{
	const struct http_server *s = call->server;
	struct json_out o = http_json(call->conn);

	json_u64(&o, "uptime_s", s->now_ms / 1000);
	json_open(&o, "sessions", '[');
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		const struct session *se = &s->sessions.list[i];
		char source[HTTP_IP_TEXT];
		const struct account *a;

		if (!se->id)
			continue;
		/* find does not change the list */
		a = accounts_find(&call->server->accounts, span_str(se->name));
		http_peer_text(se->source, source);
		json_open(&o, NULL, '{');
		json_u64(&o, "id", se->id);
		json_str(&o, "name", se->name);
		json_str(&o, "role", a ? account_role_name(a->role) : "");
		json_str(&o, "source", source);
		json_u64(&o, "age_s", (s->now_ms - se->started_ms) / 1000);
		json_u64(&o, "idle_s", (s->now_ms - se->used_ms) / 1000);
		json_bool(&o, "own", se == call->session);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	http_reply_json(call->conn, &o, "");
}

static void done(const struct api_call *call)
{
	struct json_out o = http_json(call->conn);

	json_bool(&o, "done", true);
	http_reply_json(call->conn, &o, "");
}

/* POST /api/session/end */
void api_session_end(const struct api_call *call)
{
	struct http_server *s = call->server;
	struct session *se = session_by_id(&s->sessions, call->values[0].number);

	if (!se) {
		refuse(call->conn, API_ERR_NOT_FOUND, "");
		return;
	}
	http_event(s, HTTP_EV_SESSION_END, call->conn, se->name, "administrator");
	session_end(se);
	done(call);
}

/* A first password is made and hashed; the answer shows it once. */
static void begin_first(const struct api_call *call, const char *name,
			enum account_role role, bool is_new, bool forgets_totp)
{
	struct http_server *s = call->server;
	struct http_job *job = api_job_new(call, JOB_FIRST, name);
	uint8_t random[ACCOUNT_FIRST_RANDOM];
	int r;

	if (!job) {
		refuse(call->conn, API_ERR_BUSY, "");
		return;
	}
	job->role = role;
	job->is_new = is_new;
	job->forgets_totp = forgets_totp;
	job->next.iterations = s->setup.iterations;
	r = http_random(s, random, sizeof(random));
	if (r == ERR_OK)
		r = http_random(s, job->next.salt, sizeof(job->next.salt));
	if (r == ERR_OK) {
		account_first_password(random, job->password);
		job->password_n = strlen(job->password);
		r = password_begin(&job->work, span_of(job->password, job->password_n),
				   job->next.salt, job->next.iterations);
	}
	wipe(random, sizeof(random));
	if (r == ERR_OK) {
		http_wait(call->conn);
		return;
	}
	api_job_drop(call->conn);
	refuse(call->conn, API_ERR_INTERNAL, "");
}

/* POST /api/account/create */
void api_account_create(const struct api_call *call)
{
	const struct json_value *name = &call->values[0], *role_name = &call->values[1];
	struct http_server *s = call->server;
	const struct span text = span_of(name->text, name->n);
	enum account_role role;

	if (!account_name_is_ok(text))
		refuse(call->conn, API_ERR_BAD_FIELD, "name");
	else if (account_role_find(span_of(role_name->text, role_name->n), &role) !=
		 ERR_OK)
		refuse(call->conn, API_ERR_BAD_FIELD, "role");
	else if (accounts_find(&s->accounts, text))
		refuse(call->conn, API_ERR_EXISTS, "");
	else if (s->accounts.count == ACCOUNTS_MAX)
		refuse(call->conn, API_ERR_REFUSED, "no place for another account");
	else
		begin_first(call, name->text, role, true, false);
}

/* The account a call names; NULL when there is none, which is answered. */
static struct account *target(const struct api_call *call)
{
	struct account *a =
		accounts_find(&call->server->accounts,
			      span_of(call->values[0].text, call->values[0].n));

	if (!a)
		refuse(call->conn, API_ERR_NOT_FOUND, "");
	return a;
}

/* POST /api/account/reset */
void api_account_reset(const struct api_call *call)
{
	const struct account *a = target(call);

	if (a && a == call->account)
		/* a session that was taken over must not outlive its password */
		refuse(call->conn, API_ERR_REFUSED, "change your own password instead");
	else if (a)
		begin_first(call, a->name, a->role, false, call->values[1].number != 0);
}

static int change_first(struct http_server *s, const struct http_job *job)
{
	struct account *a = accounts_find(&s->accounts, span_str(job->name));
	struct account fresh;

	if (job->is_new) {
		int r;

		memset(&fresh, 0, sizeof(fresh));
		memcpy(fresh.name, job->name, sizeof(fresh.name));
		fresh.role = job->role;
		fresh.must_change = true;
		fresh.created_s = s->utc_s;
		fresh.password = job->next;
		r = accounts_add(&s->accounts, &fresh);
		wipe(&fresh, sizeof(fresh));
		return r;
	}
	if (!a)
		return ERR_NOENT;
	a->password = job->next;
	a->must_change = true;
	a->changed_s = s->utc_s;
	if (job->forgets_totp) {
		a->has_totp = false;
		a->totp_step = 0;
		wipe(a->totp_key, sizeof(a->totp_key));
	}
	return ERR_OK;
}

/*
 * A first password is hashed: make the account or change it, show the password.
 *
 * @hash  of the password
 */
void api_first_done(struct http_job *job, const uint8_t hash[PASSWORD_HASH_BYTES])
{
	struct http_conn *c = job->conn;
	struct http_server *s = c->server;
	struct json_out o;
	int r;

	if (!session_by_id(&s->sessions, c->session_id)) {
		refuse(c, API_ERR_NOT_LOGGED_IN, ""); /* ended meanwhile */
		return;
	}
	memcpy(job->next.hash, hash, sizeof(job->next.hash));
	http_accounts_begin(s);
	r = change_first(s, job);
	if (r == ERR_OK)
		r = http_accounts_end(s);
	if (r != ERR_OK) {
		refuse(c, r == ERR_EXIST ? API_ERR_EXISTS : API_ERR_INTERNAL,
		       "accounts not stored");
		return;
	}
	session_end_account(&s->sessions, job->name, NULL);
	lock_forget(&s->locks, span_str(job->name), NULL);
	http_event(s, HTTP_EV_ACCOUNT, c, job->name, job->is_new ? "created" : "reset");
	o = http_json(c);
	json_str(&o, "name", job->name);
	json_text(&o, "password", span_of(job->password, job->password_n));
	http_reply_json(c, &o, "");
}

/* Store a change that was made after http_accounts_begin(). */
static void finish(const struct api_call *call, const char *name, const char *what)
{
	struct http_server *s = call->server;
	char text[ACCOUNT_NAME_MAX + 1];

	memcpy(text, name, strlen(name) + 1); /* @name may move or go */
	if (http_accounts_end(s) != ERR_OK) {
		refuse(call->conn, API_ERR_INTERNAL, "accounts not stored");
		return;
	}
	http_event(s, HTTP_EV_ACCOUNT, call->conn, text, what);
	done(call);
}

/* POST /api/account/role */
void api_account_role(const struct api_call *call)
{
	const struct json_value *name = &call->values[1];
	struct http_server *s = call->server;
	struct account *a = target(call);
	enum account_role role;

	if (!a)
		return;
	if (account_role_find(span_of(name->text, name->n), &role) != ERR_OK) {
		refuse(call->conn, API_ERR_BAD_FIELD, "role");
	} else if (role != ROLE_SOC_ADMIN && accounts_is_last_admin(&s->accounts, a)) {
		refuse(call->conn, API_ERR_LAST_ADMIN, "");
	} else {
		http_accounts_begin(s);
		a->role = role;
		session_end_account(&s->sessions, a->name, NULL);
		finish(call, a->name, "role");
	}
}

/* POST /api/account/disable */
void api_account_disable(const struct api_call *call)
{
	struct http_server *s = call->server;
	struct account *a = target(call);

	if (!a)
		return;
	if (accounts_is_last_admin(&s->accounts, a)) {
		refuse(call->conn, API_ERR_LAST_ADMIN, "");
		return;
	}
	http_accounts_begin(s);
	a->is_disabled = true;
	session_end_account(&s->sessions, a->name, NULL);
	finish(call, a->name, "disabled");
}

/* POST /api/account/enable */
void api_account_enable(const struct api_call *call)
{
	struct http_server *s = call->server;
	struct account *a = target(call);

	if (!a)
		return;
	http_accounts_begin(s);
	a->is_disabled = false;
	if (s->utc_s > 0)
		a->created_s = s->utc_s; /* disuse is counted anew */
	finish(call, a->name, "enabled");
}

/* POST /api/account/unlock */
void api_account_unlock(const struct api_call *call)
{
	struct http_server *s = call->server;
	const struct account *a = target(call);

	if (!a)
		return;
	lock_forget(&s->locks, span_str(a->name), NULL);
	http_event(s, HTTP_EV_ACCOUNT, call->conn, a->name, "unlocked");
	done(call);
}

/* POST /api/account/delete */
void api_account_delete(const struct api_call *call)
{
	struct http_server *s = call->server;
	struct account *a = target(call);
	char name[ACCOUNT_NAME_MAX + 1];

	if (!a)
		return;
	memcpy(name, a->name, sizeof(name));
	http_accounts_begin(s);
	if (accounts_remove(&s->accounts, a) != ERR_OK) {
		refuse(call->conn, API_ERR_LAST_ADMIN, "");
		return;
	}
	session_end_account(&s->sessions, name, NULL);
	lock_forget(&s->locks, span_str(name), NULL);
	finish(call, name, "deleted");
}
