/*
 * Storage and inner parts of the web server. The network side includes this to
 * own the structures; it uses only the functions of http.h and
 * http_server_init().
 */
#ifndef LUYTRE_HTTP_SERVER_H
#define LUYTRE_HTTP_SERVER_H

#include "account_lock.h"
#include "api.h"
#include "api_rate.h"
#include "http.h"
#include "http_parse.h"
#include "json_write.h"
#include "session.h"

#define HTTP_JOBS_MAX 4       /* passwords hashed at the same time */
#define HTTP_STATUS_MS 10000  /* how often policyd is asked on the server's own behalf */
#define HTTP_UNUSED_MS 600000 /* how often accounts are looked at for disuse */
#define HTTP_IP_TEXT 46       /* address as text, with NUL */

enum http_state {
	HTTP_READ_HEAD,
	HTTP_READ_BODY,
	HTTP_WAIT, /* for policyd or a password */
	HTTP_SEND,
	HTTP_CLOSED
};

enum http_health { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_ATTENTION, HEALTH_CLOSED };

struct http_conn {
	struct http_server *server;
	struct http_peer peer;
	enum http_state state;
	uint64_t deadline_ms;
	unsigned requests;
	bool is_last; /* close after this answer */

	/* the request */
	uint8_t head[HTTP_HEAD_MAX];
	size_t head_n;
	struct http_scan scan;
	struct http_request request;
	enum api_id api;     /* of a call */
	uint32_t session_id; /* whose call it is; 0: nobody's */
	uint8_t json[HTTP_JSON_MAX];
	size_t body_n;

	/* while waiting */
	uint32_t ask_id; /* 0: for no answer of policyd */

	/* the answer: head, then one of answer, file, doc */
	char out_head[HTTP_HEAD_OUT_MAX];
	size_t out_head_n, out_head_at;
	uint8_t answer[HTTP_ANSWER_MAX];
	struct span out; /* borrows from @answer, the draft or the pack */
	struct http_doc doc;
	size_t doc_at;
};

/* A password that is being hashed. */
enum http_job_kind { JOB_LOGIN, JOB_PASSWORD, JOB_FIRST };
enum http_job_step { STEP_CHECK, STEP_HISTORY, STEP_NEW };

struct http_job {
	struct http_conn *conn; /* NULL: free */
	enum http_job_kind kind;
	enum http_job_step step;
	struct password_work work;
	char name[ACCOUNT_NAME_MAX + 1];
	char password[PASSWORD_BYTES_MAX + 1]; /* the new one */
	size_t password_n;
	char code[TOTP_DIGITS + 1];
	uint8_t history[PASSWORD_HASH_BYTES];
	uint8_t history_salt[PASSWORD_SALT_BYTES];
	uint32_t history_iterations;
	struct password_hash next;
	enum account_role role; /* JOB_FIRST: of a new account */
	bool is_new;            /* JOB_FIRST: else a reset */
	bool forgets_totp;
};

/* What the owner decides; see http_server_init(). */
struct http_setup {
	struct http_ops ops;
	const struct http_pack *pack;
	uint32_t idle_s, absolute_s; /* of a session */
	uint32_t iterations;         /* of a new password hash */
	unsigned min_chars;          /* of a password, beyond the profile; 0: none */
};

struct http_server {
	struct http_setup setup;
	uint64_t now_ms;
	int64_t utc_s; /* 0: the clock is not set */
	struct http_conn *conns[HTTP_CONNS_MAX];
	uint32_t last_ask;

	struct accounts accounts;
	struct accounts before; /* while a change is being stored */
	struct sessions sessions;
	struct locks locks;
	struct rates rates;
	const struct account_rules *rules;
	uint64_t unused_ms; /* when accounts were looked at last */

	struct http_job jobs[HTTP_JOBS_MAX];
	size_t next_job;
	uint8_t dummy_salt[PASSWORD_SALT_BYTES]; /* for names that do not exist */

	uint32_t own_ask; /* a STATUS on the server's own behalf */
	uint64_t own_ask_ms;
	enum http_health health;

	struct http_conn *big_owner;
	uint8_t big[HTTP_BIG_MAX];
	uint8_t draft[MAN_CONFIG_MAX];
	size_t draft_n;
	uint8_t file[ACCOUNTS_FILE_MAX]; /* text of the account file, while it is saved */
};

void http_setup_limits(struct http_setup *setup);
int http_server_init(struct http_server *s, const struct http_setup *setup,
		     struct span accounts) MUST_CHECK;

/* http_reply.c: answers */
struct json_out http_json(struct http_conn *c);
void http_reply_json(struct http_conn *c, const struct json_out *o, const char *fields);
void http_reply_error(struct http_conn *c, enum api_error error, struct span detail);
void http_reply_span(struct http_conn *c, struct span bytes);
void http_reply_doc(struct http_conn *c, struct http_doc doc);
void http_reply_asset(struct http_conn *c, const struct http_asset *a);
void http_reply_redirect(struct http_conn *c, const char *to);

/* http_route.c */
void http_route_head(struct http_conn *c);
void http_route_body(struct http_conn *c);
struct session *http_session(struct http_conn *c, struct account **account);
enum session_must http_must(const struct http_server *s, const struct account *a);

/* http_static.c */
void http_static(struct http_conn *c);

/* http_server.c */
void http_drop_big(struct http_conn *c);
void http_wait(struct http_conn *c);
int http_ask_policy(struct http_conn *c, enum http_ask what, unsigned kind,
		    struct span body);
int http_random(struct http_server *s, void *out, size_t n) MUST_CHECK;
void http_accounts_begin(struct http_server *s);
int http_accounts_end(struct http_server *s) MUST_CHECK;
void http_event(struct http_server *s, enum http_event event, const struct http_conn *c,
		const char *name, const char *extra);
void http_peer_text(const uint8_t addr[16], char text[HTTP_IP_TEXT]);

/* api_policy.c: the second half of calls that wait for policyd */
void api_policy_answer(struct http_conn *c, const struct http_answer *a);
void api_policy_own(struct http_server *s, const struct http_answer *a);

/* api_job.c: passwords that are being hashed */
struct http_job *api_job_new(const struct api_call *call, enum http_job_kind kind,
			     const char *name);
void api_job_step(struct http_server *s, struct http_job *job);
void api_job_drop(struct http_conn *c);
void api_login_done(struct http_job *job, const uint8_t hash[PASSWORD_HASH_BYTES]);
void api_password_done(struct http_job *job, const uint8_t hash[PASSWORD_HASH_BYTES]);
void api_first_done(struct http_job *job, const uint8_t hash[PASSWORD_HASH_BYTES]);
void api_renew(struct http_conn *c, const struct account *a);

#endif
