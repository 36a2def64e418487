/* Change of the own password, and the second factor. */
#include "http_server.h"

#include <stdio.h>
#include <string.h>
#include "wipe.h"

static void refuse(struct http_conn *c, enum api_error error, const char *detail)
{
	http_reply_error(c, error, span_str(detail));
}

/* POST /api/password */
void api_password(const struct api_call *call)
{
	struct http_server *s = call->server;
	const struct json_value *old = &call->values[0], *next = &call->values[1];
	const struct account *a = call->account;
	enum account_flaw flaw = account_judge(s->rules, s->setup.min_chars, a,
					       span_of(next->text, next->n));
	struct http_job *job;

	if (flaw == FLAW_NONE &&
	    span_eq(span_of(old->text, old->n), span_of(next->text, next->n)))
		flaw = FLAW_OLD;
	if (flaw != FLAW_NONE) {
		refuse(call->conn, API_ERR_WEAK_PASSWORD, account_flaw_name(flaw));
		return;
	}
	job = api_job_new(call, JOB_PASSWORD, a->name);
	if (!job) {
		refuse(call->conn, API_ERR_BUSY, "");
		return;
	}
	memcpy(job->password, next->text, next->n);
	job->password_n = next->n;
	if (password_begin(&job->work, span_of(old->text, old->n), a->password.salt,
			   a->password.iterations) == ERR_OK) {
		http_wait(call->conn);
		return;
	}
	api_job_drop(call->conn);
	refuse(call->conn, API_ERR_INTERNAL, "");
}

/* The old password is right: hash the new one as the old ones are hashed. */
static int begin_history(struct http_server *s, struct http_job *job,
			 const struct account *a)
{
	int r = ERR_OK;

	job->step = STEP_HISTORY;
	job->history_iterations = a->history_iterations;
	memcpy(job->history_salt, a->history_salt, sizeof(job->history_salt));
	if (!job->history_iterations) {
		job->history_iterations = s->setup.iterations;
		r = http_random(s, job->history_salt, sizeof(job->history_salt));
	}
	if (r == ERR_OK)
		r = password_begin(&job->work, span_of(job->password, job->password_n),
				   job->history_salt, job->history_iterations);
	return r;
}

static int begin_new(struct http_server *s, struct http_job *job)
{
	int r = http_random(s, job->next.salt, sizeof(job->next.salt));

	job->step = STEP_NEW;
	job->next.iterations = s->setup.iterations;
	if (r == ERR_OK)
		r = password_begin(&job->work, span_of(job->password, job->password_n),
				   job->next.salt, job->next.iterations);
	return r;
}

static bool is_old(const struct account *a, const uint8_t *hash)
{
	bool found = false;

	for (size_t i = 0; i < a->history_count; i++)
		found = password_equal(hash, a->history[i]) || found;
	return found;
}

static void store(struct http_server *s, struct http_job *job, struct account *a)
{
	struct http_conn *c = job->conn;

	http_accounts_begin(s);
	memcpy(a->history_salt, job->history_salt, sizeof(a->history_salt));
	a->history_iterations = job->history_iterations;
	account_set_password(a, &job->next, job->history, s->utc_s);
	a->must_change = false;
	if (http_accounts_end(s) != ERR_OK) {
		refuse(c, API_ERR_INTERNAL, "accounts not stored");
		return;
	}
	session_end_account(&s->sessions, a->name,
			    session_by_id(&s->sessions, c->session_id));
	http_event(s, HTTP_EV_PASSWORD, c, a->name, "");
	api_renew(c, a);
}

static void wrong_old(struct http_server *s, const struct http_job *job)
{
	struct http_conn *c = job->conn;

	http_event(s, HTTP_EV_LOGIN_FAILED, c, job->name, "password-change");
	if (lock_add_wrong(&s->locks, span_str(job->name), c->peer.addr, s->now_ms)) {
		http_event(s, HTTP_EV_LOCKED, c, job->name, "");
		session_end_account(&s->sessions, job->name, NULL);
	}
	refuse(c, API_ERR_LOGIN_FAILED, "");
}

/*
 * A hash of a password change is there: check the old one, compare the new one with
 * the last ones, store it.
 *
 * @hash  of the step the job is at
 */
void api_password_done(struct http_job *job, const uint8_t hash[PASSWORD_HASH_BYTES])
{
	struct http_conn *c = job->conn;
	struct http_server *s = c->server;
	struct account *a = accounts_find(&s->accounts, span_str(job->name));
	int r = ERR_OK;

	if (!a || a->is_disabled || !session_by_id(&s->sessions, c->session_id)) {
		refuse(c, API_ERR_NOT_LOGGED_IN, "");
	} else if (job->step == STEP_CHECK && !password_equal(hash, a->password.hash)) {
		wrong_old(s, job);
	} else if (job->step == STEP_CHECK) {
		r = begin_history(s, job, a);
	} else if (job->step == STEP_HISTORY && is_old(a, hash)) {
		refuse(c, API_ERR_WEAK_PASSWORD, account_flaw_name(FLAW_OLD));
	} else if (job->step == STEP_HISTORY) {
		memcpy(job->history, hash, sizeof(job->history));
		r = begin_new(s, job);
	} else {
		memcpy(job->next.hash, hash, sizeof(job->next.hash));
		store(s, job, a);
	}
	if (r != ERR_OK)
		refuse(c, API_ERR_INTERNAL, "");
}

/* POST /api/totp/begin */
void api_totp_begin(const struct api_call *call)
{
	struct session *se = call->session;
	char secret[TOTP_BASE32_BYTES], uri[200];
	struct json_out o;

	if (call->account->has_totp) {
		/* who took over a session must not take the second factor as well */
		refuse(call->conn, API_ERR_REFUSED, "an administrator resets it");
		return;
	}
	if (http_random(call->server, se->new_key, sizeof(se->new_key)) != ERR_OK) {
		refuse(call->conn, API_ERR_INTERNAL, "");
		return;
	}
	se->has_new_key = true;
	totp_base32(se->new_key, secret);
	(void)snprintf(
		uri, sizeof(uri),
		"otpauth://totp/LuyTre:%s?secret=%s&issuer=LuyTre&digits=%d&period=%d",
		call->account->name, secret, TOTP_DIGITS,
		TOTP_PERIOD_S); /* fits: all parts are bounded */
	o = http_json(call->conn);
	json_str(&o, "secret", secret);
	json_str(&o, "uri", uri);
	http_reply_json(call->conn, &o, "");
	wipe(secret, sizeof(secret));
	wipe(uri, sizeof(uri));
}

/* POST /api/totp/confirm */
void api_totp_confirm(const struct api_call *call)
{
	struct http_server *s = call->server;
	const struct json_value *code = &call->values[0];
	struct session *se = call->session;
	struct account *a = call->account;
	uint64_t step = 0;
	struct json_out o;
	int r = ERR_REFUSED;

	if (se->has_new_key && !a->has_totp)
		r = totp_check(span_of(se->new_key, sizeof(se->new_key)), s->utc_s,
			       span_of(code->text, code->n), &step);
	if (r != ERR_OK) {
		refuse(call->conn, r == ERR_TIME ? API_ERR_CLOCK_UNSET : API_ERR_BAD_CODE,
		       "");
		return;
	}
	http_accounts_begin(s);
	a->has_totp = true;
	a->totp_step = step;
	memcpy(a->totp_key, se->new_key, sizeof(a->totp_key));
	if (http_accounts_end(s) != ERR_OK) {
		refuse(call->conn, API_ERR_INTERNAL, "accounts not stored");
		return;
	}
	wipe(se->new_key, sizeof(se->new_key));
	se->has_new_key = false;
	http_event(s, HTTP_EV_TOTP, call->conn, a->name, "");
	o = http_json(call->conn);
	json_str(&o, "must", session_must_name(http_must(s, a)));
	http_reply_json(call->conn, &o, "");
}
