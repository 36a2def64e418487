#include "http_server.h"

#include <stdio.h>
#include <string.h>
#include "wipe.h"

/* Fill the limits of @setup from the build options. */
void http_setup_limits(struct http_setup *setup)
{
	setup->idle_s = CONFIG_SESSION_IDLE_S;
	setup->absolute_s = CONFIG_SESSION_ABSOLUTE_S;
	setup->iterations = CONFIG_PASSWORD_ITERATIONS;
	setup->min_chars = CONFIG_PASSWORD_MIN_CHARS;
}

/*
 * Make a server.
 *
 * @s         caller's storage
 * @setup     copied; the pack is borrowed
 * @accounts  text of the account file; empty: there are no accounts
 *
 * Returns ERR_OK, ERR_RANGE for limits of time or work that are no limits, an error
 * of the random source or of accounts_parse().
 */
int http_server_init(struct http_server *s, const struct http_setup *setup,
		     struct span accounts)
{
	int r = ERR_OK;

	memset(s, 0, sizeof(*s));
	s->setup = *setup;
	if (setup->idle_s < SESSION_IDLE_MIN_S || setup->idle_s > SESSION_IDLE_MAX_S ||
	    setup->absolute_s < setup->idle_s ||
	    setup->absolute_s > SESSION_ABSOLUTE_MAX_S ||
	    setup->iterations < PASSWORD_ITERATIONS_MIN ||
	    setup->iterations > PASSWORD_ITERATIONS_MAX ||
	    setup->min_chars > ACCOUNT_PASSWORD_MIN_MAX)
		return ERR_RANGE;
	s->sessions.idle_s = setup->idle_s;
	s->sessions.absolute_s = setup->absolute_s;
	s->rules = account_rules_find(span_str(""));
	if (accounts.n)
		r = accounts_parse(accounts, &s->accounts);
	if (r == ERR_OK)
		r = http_random(s, s->dummy_salt, sizeof(s->dummy_salt));
	return r;
}

/* Random bytes of the kernel. Returns ERR_OK or the error of its owner. */
int http_random(struct http_server *s, void *out, size_t n)
{
	return s->setup.ops.random(s->setup.ops.ctx, out, n);
}

/* A change of the accounts begins: http_accounts_end() stores it or undoes it. */
void http_accounts_begin(struct http_server *s)
{
	s->before = s->accounts;
}

/* Store the accounts. Returns ERR_OK, or an error; then nothing has changed. */
int http_accounts_end(struct http_server *s)
{
	struct sbuf b;
	int r = ERR_LIMIT;

	sbuf_init(&b, s->file, sizeof(s->file));
	accounts_print(&s->accounts, &b);
	if (!b.is_full)
		r = s->setup.ops.accounts_save(s->setup.ops.ctx, span_of(s->file, b.n));
	if (r != ERR_OK)
		s->accounts = s->before;
	wipe(s->file, b.n);
	wipe(&s->before, sizeof(s->before));
	return r;
}

/* Address as people write it. */
void http_peer_text(const uint8_t addr[16], char text[HTTP_IP_TEXT])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct sbuf b;

	sbuf_init(&b, text, HTTP_IP_TEXT - 1);
	if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
		sbuf_putf(&b, "%u.%u.%u.%u", addr[12], addr[13], addr[14], addr[15]);
	} else {
		for (size_t i = 0; i < 16; i += 2)
			sbuf_putf(&b, "%s%x", i ? ":" : "",
				  (unsigned)(addr[i] << 8 | addr[i + 1]));
	}
	text[b.n] = '\0';
}

/* Name of @event in the log. */
const char *http_event_name(enum http_event event)
{
	static const char *const names[HTTP_EV_COUNT] = {
		[HTTP_EV_LOGIN] = "login",
		[HTTP_EV_LOGIN_FAILED] = "login-failed",
		[HTTP_EV_LOCKED] = "login-locked",
		[HTTP_EV_LOGOUT] = "logout",
		[HTTP_EV_SESSION_END] = "session-end",
		[HTTP_EV_PASSWORD] = "password-changed",
		[HTTP_EV_TOTP] = "second-factor-set",
		[HTTP_EV_ACCOUNT] = "account-changed",
		[HTTP_EV_DENIED] = "denied",
		[HTTP_EV_ORDER] = "order",
	};

	return names[event];
}

/*
 * Tell the log.
 *
 * @c      whose request; NULL: the server itself
 * @name   of an account, as somebody may have typed it
 * @extra  of this program, plain ASCII; may be ""
 */
void http_event(struct http_server *s, enum http_event event, const struct http_conn *c,
		const char *name, const char *extra)
{
	char source[HTTP_IP_TEXT] = "-", text[160];

	if (!s->setup.ops.event)
		return;
	if (c)
		http_peer_text(c->peer.addr, source);
	if (!account_name_is_ok(span_str(name)))
		name = "?";
	(void)snprintf(text, sizeof(text), "source=%s account=%s%s%s", source, name,
		       *extra ? " what=" : "", extra); /* cut when too long */
	s->setup.ops.event(s->setup.ops.ctx, event, text);
}

/* Give the room for a large body back, when @c has it. */
void http_drop_big(struct http_conn *c)
{
	struct http_server *s = c->server;

	if (s->big_owner != c)
		return;
	wipe(s->big, c->body_n);
	s->big_owner = NULL;
}

/* Nothing is read or sent until an answer comes from inside. */
void http_wait(struct http_conn *c)
{
	c->state = HTTP_WAIT;
	c->deadline_ms = c->server->now_ms + HTTP_POLICY_MS;
}

static uint32_t next_ask(struct http_server *s)
{
	if (++s->last_ask == 0)
		s->last_ask = 1;
	return s->last_ask;
}

/*
 * Ask policyd on behalf of a request, which waits for the answer.
 *
 * Returns ERR_OK, or why policyd cannot be asked.
 */
int http_ask_policy(struct http_conn *c, enum http_ask what, unsigned kind,
		    struct span body)
{
	struct http_server *s = c->server;
	int r;

	c->ask_id = next_ask(s);
	http_wait(c);
	r = s->setup.ops.ask(s->setup.ops.ctx, c->ask_id, what, kind, body);
	if (r != ERR_OK)
		c->ask_id = 0;
	return r;
}

/* A deadline has passed. */
static void give_up(struct http_conn *c)
{
	struct http_server *s = c->server;

	c->is_last = true;
	api_job_drop(c);
	c->ask_id = 0;
	if (c->state == HTTP_WAIT) {
		http_reply_error(c, API_ERR_TIMEOUT, span_of(NULL, 0));
		return;
	}
	if (c->doc.id >= 0)
		s->setup.ops.doc_close(s->setup.ops.ctx, c->doc);
	c->doc.id = -1;
	http_drop_big(c);
	c->state = HTTP_CLOSED;
}

/* Ask for the state: health, and the profile whose rules hold for passwords. */
static void ask_own(struct http_server *s)
{
	if (s->own_ask_ms && s->now_ms - s->own_ask_ms < HTTP_STATUS_MS)
		return;
	if (s->own_ask) /* the last one was not answered */
		s->health = HEALTH_UNKNOWN;
	s->own_ask_ms = s->now_ms;
	s->own_ask = next_ask(s);
	if (s->setup.ops.ask(s->setup.ops.ctx, s->own_ask, HTTP_ASK_STATUS, 0,
			     span_of(NULL, 0)) != ERR_OK)
		s->own_ask = 0;
}

static void disable_unused(struct http_server *s)
{
	if (s->utc_s <= 0 || (s->unused_ms && s->now_ms - s->unused_ms < HTTP_UNUSED_MS))
		return;
	s->unused_ms = s->now_ms;
	http_accounts_begin(s);
	if (accounts_disable_unused(&s->accounts, s->utc_s) == 0)
		return;
	/* not stored: undone, and tried again at the next look */
	if (http_accounts_end(s) == ERR_OK)
		http_event(s, HTTP_EV_ACCOUNT, NULL, "", "unused-disabled");
}

/*
 * Time passes: deadlines of connections, sessions, questions.
 *
 * @now_ms  monotonic, above 0, never goes back
 * @utc_s   seconds since 1970; 0 when the clock is not set
 */
void http_tick(struct http_server *s, uint64_t now_ms, int64_t utc_s)
{
	s->now_ms = now_ms;
	s->utc_s = utc_s;
	for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
		struct http_conn *c = s->conns[i];

		if (c && c->state != HTTP_CLOSED && now_ms >= c->deadline_ms)
			give_up(c);
	}
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *se = &s->sessions.list[i];

		if (!se->id || !session_is_over(&s->sessions, se, now_ms))
			continue;
		http_event(s, HTTP_EV_SESSION_END, NULL, se->name, "time");
		session_end(se);
	}
	disable_unused(s);
	ask_own(s);
}

/*
 * Do one slice of what takes long.
 *
 * Returns true when there is more: call again after other work was done.
 */
bool http_work(struct http_server *s)
{
	bool has_more = false;

	for (size_t i = 0; i < HTTP_JOBS_MAX; i++) {
		struct http_job *job = &s->jobs[(s->next_job + i) % HTTP_JOBS_MAX];

		if (!job->conn)
			continue;
		api_job_step(s, job);
		s->next_job = (s->next_job + i + 1) % HTTP_JOBS_MAX;
		break;
	}
	for (size_t i = 0; i < HTTP_JOBS_MAX; i++)
		has_more = has_more || s->jobs[i].conn;
	return has_more;
}

/*
 * policyd has answered.
 *
 * @answer  borrowed, but for its document
 */
void http_policy_answer(struct http_server *s, const struct http_answer *answer)
{
	if (answer->id && answer->id == s->own_ask) {
		api_policy_own(s, answer);
		s->own_ask = 0;
	}
	for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
		struct http_conn *c = s->conns[i];

		if (!c || !answer->id || c->ask_id != answer->id)
			continue;
		c->ask_id = 0;
		api_policy_answer(c, answer);
		return;
	}
	if (answer->doc.id >= 0)
		s->setup.ops.doc_close(s->setup.ops.ctx, answer->doc);
}
