/*
 * DESIGN: this is the way in that must always stay open, so no number of wrong
 * passwords locks it; each one makes the next wait longer, up to
 * CONSOLE_PAUSE_MAX_MS, in which nothing is read. A name that cannot be one costs
 * nothing: noise is no login. An account that does not exist takes as long as one
 * that does and is answered alike. Only technicians log in here.
 */
#include "console_int.h"

#include <stdio.h>
#include <string.h>

#include "wipe.h"

#define PAUSE_FIRST_MS 1000

static void say_event(const struct console *c, const char *what, const char *name)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "%s account=%s failures=%u", what, name,
		       c->failures);
	c->ops->event(c->ops->ctx, text);
}

/* What anybody may read. */
void login_banner(struct console *c)
{
	con_newline(c);
	con_say(c, TEXT_BANNER);
	con_say(c, TEXT_BANNER2);
	con_say(c, TEXT_CIVIL);
	con_go(c, AT_NAME);
}

/* Forget secrets and what was under way. */
void login_forget(struct console *c)
{
	if (c->at == AT_HASH)
		password_clear(&c->work);
	if (c->at == AT_YMODEM)
		ymodem_cancel(&c->ymodem);
	wipe(c->fresh, sizeof(c->fresh));
	wipe(c->line, sizeof(c->line));
	c->fresh_n = 0;
	c->line_n = 0;
	c->file_n = 0;
	c->seq++; /* an answer on its way is nobody's any more */
}

/* The session ends, or a login is given up. */
void login_end(struct console *c, enum text why)
{
	login_forget(c);
	if (c->is_in) {
		con_say(c, why);
		say_event(c, why == TEXT_TIMED_OUT ? "timeout" : "logout", c->who->name);
	}
	c->is_in = false;
	c->who = NULL;
	login_banner(c);
}

/* The name was typed. */
void login_name(struct console *c, uint64_t now_ms)
{
	struct span name = span_of(c->line, c->line_n);

	if (c->accounts->count == 0 || name.n == 0) {
		login_banner(c);
		return;
	}
	if (c->is_long || !account_name_is_ok(name)) {
		con_go(c, AT_NAME);
		return;
	}
	memcpy(c->name, name.p, name.n);
	c->name[name.n] = '\0';
	c->who = accounts_find(c->accounts, name);
	c->due_ms = now_ms + CONSOLE_LOGIN_MS;
	con_go(c, AT_PASSWORD);
}

/* Hash what was typed, or the new password; AT_HASH goes on with it. */
static int begin_hash(struct console *c, enum console_hash hash_for)
{
	static const uint8_t no_salt[PASSWORD_SALT_BYTES];
	struct span password = span_of(c->line, c->line_n);
	const struct account *a = c->who;
	const uint8_t *salt = no_salt;
	uint32_t iterations = 0;

	if (hash_for == HASH_HISTORY || hash_for == HASH_NEW)
		password = span_of(c->fresh, c->fresh_n);
	if (hash_for == HASH_NEW) {
		salt = c->made.salt;
		iterations = c->made.iterations;
	} else if (a) {
		salt = hash_for == HASH_HISTORY ? a->history_salt : a->password.salt;
		iterations = hash_for == HASH_HISTORY ? a->history_iterations
						      : a->password.iterations;
	}
	if (iterations == 0)
		iterations = CONFIG_PASSWORD_ITERATIONS;
	c->hash_for = hash_for;
	c->at = AT_HASH;
	return password_begin(&c->work, password, salt, iterations);
}

static void login_failed(struct console *c, uint64_t now_ms)
{
	uint64_t pause_ms = PAUSE_FIRST_MS;

	for (unsigned i = 0; i < c->failures && pause_ms < CONSOLE_PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > CONSOLE_PAUSE_MAX_MS)
		pause_ms = CONSOLE_PAUSE_MAX_MS;
	if (c->failures < 1000)
		c->failures++;
	say_event(c, "login-failed", c->who ? c->who->name : "?");
	con_say(c, TEXT_WRONG_LOGIN);
	c->who = NULL;
	c->due_ms = now_ms + pause_ms;
	c->at = AT_PAUSE;
}

static void ask_new(struct console *c)
{
	con_say(c, TEXT_PASSWORD_RULE);
	con_say(c, TEXT_PASSWORD_RULE2);
	con_go(c, AT_NEW);
}

static void login_done(struct console *c, uint64_t now_ms)
{
	c->is_in = true;
	c->idle_ms = now_ms + CONSOLE_IDLE_MS;
	c->session_ms = now_ms + CONSOLE_SESSION_MS;
	say_event(c, "login", c->who->name);
	c->failures = 0;
	if (c->who->must_change) {
		con_say(c, TEXT_MUST_CHANGE);
		ask_new(c);
		return;
	}
	menu_show(c);
	con_go(c, AT_MENU);
}

/* A new password: nobody has a second factor here, so the rules are those without
 * one, whatever the role. */
static bool is_good_new(const struct console *c, struct span password)
{
	const struct account_rules *rules = account_rules_find(span_of(NULL, 0));
	struct account plain = *c->who;

	plain.role = ROLE_VIEWER;
	plain.has_totp = false;
	return !c->is_long && account_judge(rules, CONSOLE_PASSWORD_CHARS, &plain,
					    password) == FLAW_NONE;
}

static int begin_change(struct console *c)
{
	struct account *a = c->who;
	int r = ERR_INTERNAL;

	if (!a)
		return r;
	r = c->ops->random(c->ops->ctx, c->made.salt, sizeof(c->made.salt));

	c->made.iterations = CONFIG_PASSWORD_ITERATIONS;
	if (r == ERR_OK && a->history_iterations == 0) {
		r = c->ops->random(c->ops->ctx, a->history_salt, sizeof(a->history_salt));
		a->history_iterations = CONFIG_PASSWORD_ITERATIONS;
	}
	return r == ERR_OK ? begin_hash(c, HASH_HISTORY) : r;
}

static void change_failed(struct console *c)
{
	login_forget(c);
	con_say(c, TEXT_NOT_SAVED);
	if (c->who->must_change)
		con_go(c, AT_NEW);
	else
		con_go(c, AT_MENU);
}

static void new_again(struct console *c)
{
	if (!span_eq(span_of(c->line, c->line_n), span_of(c->fresh, c->fresh_n))) {
		con_say(c, TEXT_NOT_EQUAL);
		con_go(c, AT_NEW);
		return;
	}
	con_say(c, TEXT_CHECKING);
	if (begin_change(c) != ERR_OK)
		change_failed(c);
}

/* A password was typed. */
void login_line(struct console *c, uint64_t now_ms)
{
	struct span typed = span_of(c->line, c->line_n);
	enum console_at at = c->at;

	if (at == AT_AGAIN) {
		new_again(c);
	} else if (at == AT_NEW && !is_good_new(c, typed)) {
		ask_new(c);
	} else if (at == AT_NEW) {
		memcpy(c->fresh, typed.p, typed.n);
		c->fresh_n = typed.n;
		con_go(c, AT_AGAIN);
	} else {
		con_say(c, TEXT_CHECKING);
		if (begin_hash(c, at == AT_OLD ? HASH_OLD : HASH_LOGIN) != ERR_OK)
			login_failed(c, now_ms);
	}
	wipe(c->line, sizeof(c->line));
	c->line_n = 0;
}

/* Write the accounts; the room for files is free while passwords are changed. */
static int save(const struct console *c)
{
	struct sbuf b;

	sbuf_init(&b, c->file, c->file_max);
	accounts_print(c->accounts, &b);
	return b.is_full ? ERR_LIMIT : c->ops->save(c->ops->ctx, span_of(b.p, b.n));
}

static void put_new(struct console *c)
{
	struct account before = *c->who;
	bool was_first = c->who->must_change;

	account_set_password(c->who, &c->made, c->history, 0);
	c->who->must_change = false;
	if (save(c) != ERR_OK) {
		*c->who = before;
		change_failed(c);
	} else {
		login_forget(c);
		say_event(c, "password-changed", c->who->name);
		con_say(c, TEXT_CHANGED);
		if (was_first)
			menu_show(c);
		con_go(c, AT_MENU);
	}
	wipe(&before, sizeof(before));
}

static bool was_used(const struct account *a, const uint8_t hash[PASSWORD_HASH_BYTES])
{
	bool is_old = false;

	for (size_t i = 0; i < a->history_count; i++)
		is_old |= password_equal(a->history[i], hash);
	return is_old;
}

static bool may_log_in(const struct account *a)
{
	return a && !a->is_disabled && a->role == ROLE_TECHNICIAN;
}

/* The next step of changing a password. */
static void go_on_changing(struct console *c, const uint8_t hash[PASSWORD_HASH_BYTES])
{
	if (c->hash_for == HASH_NEW) {
		memcpy(c->made.hash, hash, sizeof(c->made.hash));
		put_new(c);
		return;
	}
	if (was_used(c->who, hash)) {
		login_forget(c);
		ask_new(c);
		return;
	}
	memcpy(c->history, hash, sizeof(c->history));
	if (begin_hash(c, HASH_NEW) != ERR_OK)
		change_failed(c);
}

/* One slice of the hash. Returns true while there is more. */
bool login_work(struct console *c, uint64_t now_ms)
{
	uint8_t hash[PASSWORD_HASH_BYTES];
	bool is_same;

	if (!password_step(&c->work, PASSWORD_STEP))
		return true;
	password_end(&c->work, hash);
	is_same = c->who && c->who->password.iterations != 0 &&
		  password_equal(hash, c->who->password.hash);
	if (c->hash_for == HASH_LOGIN && is_same && may_log_in(c->who)) {
		login_done(c, now_ms);
	} else if (c->hash_for == HASH_LOGIN) {
		login_failed(c, now_ms);
	} else if (c->hash_for == HASH_OLD && is_same) {
		ask_new(c);
	} else if (c->hash_for == HASH_OLD) {
		con_say(c, TEXT_WRONG_PASSWORD);
		con_go(c, AT_MENU);
	} else if (c->who) {
		go_on_changing(c, hash);
	}
	wipe(hash, sizeof(hash));
	return c->at == AT_HASH;
}

#if CONFIG_PROFILE_DEV
/*
 * Make the first account of a development image and show its password, once.
 *
 * Returns ERR_OK, or the error of random() or save(): then there is no account.
 */
int console_make_first(struct console *c)
{
	uint8_t random[ACCOUNT_FIRST_RANDOM];
	char text[ACCOUNT_FIRST_BYTES];
	struct account *a = &c->accounts->list[0];
	int r = c->ops->random(c->ops->ctx, random, sizeof(random));

	memset(a, 0, sizeof(*a));
	(void)snprintf(a->name, sizeof(a->name), CONSOLE_FIRST_NAME);
	a->role = ROLE_TECHNICIAN;
	a->must_change = true;
	a->password.iterations = CONFIG_PASSWORD_ITERATIONS;
	if (r == ERR_OK)
		r = c->ops->random(c->ops->ctx, a->password.salt,
				   sizeof(a->password.salt));
	account_first_password(random, text);
	if (r == ERR_OK)
		r = password_begin(&c->work, span_str(text), a->password.salt,
				   a->password.iterations);
	if (r == ERR_OK) {
		(void)password_step(&c->work, a->password.iterations);
		password_end(&c->work, a->password.hash);
		c->accounts->count = 1;
		r = save(c);
	}
	if (r == ERR_OK) {
		con_newline(c);
		con_put_span(c, span_str("luytre: consoled: first-password account="));
		con_put_span(c, span_str(CONSOLE_FIRST_NAME " password="));
		con_put_span(c, span_str(text));
		login_banner(c);
	} else {
		c->accounts->count = 0;
	}
	wipe(text, sizeof(text));
	wipe(random, sizeof(random));
	return r;
}
#endif
