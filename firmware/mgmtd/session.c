#include "session.h"

#include <string.h>
#include "hex.h"
#include "wipe.h"

#define COOKIE_NAME "__Host-luytre="

/* Name of @must as web-ui/api.yaml has it. */
const char *session_must_name(enum session_must must)
{
	static const char *const names[] = {"nothing", "password", "totp"};

	return names[must];
}

/* Compare without a hint where the first difference is. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

/* A place for one more of @name: a free one, or the account's oldest when it has
 * as many as it may. */
static struct session *place(struct sessions *all, const char *name)
{
	struct session *free = NULL, *oldest = NULL;
	unsigned own = 0;

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &all->list[i];

		if (!s->id) {
			free = free ? free : s;
		} else if (strcmp(s->name, name) == 0) {
			own++;
			if (!oldest || s->started_ms < oldest->started_ms)
				oldest = s;
		}
	}
	return own >= SESSIONS_ACCOUNT_MAX ? oldest : free;
}

/*
 * Begin a session.
 *
 * @name    of the account
 * @source  address it belongs to; the token is good for no other
 * @random  from the kernel: token and CSRF token
 *
 * Returns the session, or NULL when all places are taken by other accounts.
 */
struct session *session_new(struct sessions *all, const char *name,
			    const uint8_t source[16],
			    const uint8_t random[2 * SESSION_TOKEN_BYTES],
			    uint64_t now_ms)
{
	struct session *s = place(all, name);

	if (!s)
		return NULL;
	session_end(s);
	if (++all->last_id == 0)
		all->last_id = 1;
	s->id = all->last_id;
	memcpy(s->name, name, strlen(name) + 1);
	memcpy(s->source, source, sizeof(s->source));
	session_renew(s, random);
	s->started_ms = s->used_ms = s->window_ms = now_ms;
	return s;
}

/* Has @s run out of time? */
bool session_is_over(const struct sessions *all, const struct session *s, uint64_t now_ms)
{
	return now_ms - s->used_ms >= (uint64_t)all->idle_s * 1000 ||
	       now_ms - s->started_ms >= (uint64_t)all->absolute_s * 1000;
}

/*
 * The session of a token. One that has run out of time is ended.
 *
 * @token   hexadecimal text
 * @source  address the request came from
 *
 * Returns NULL when there is none.
 */
struct session *session_find(struct sessions *all, struct span token,
			     const uint8_t source[16], uint64_t now_ms)
{
	uint8_t raw[SESSION_TOKEN_BYTES];
	struct session *found = NULL;

	if (hex_decode(token, raw, sizeof(raw)) != ERR_OK)
		return NULL;
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &all->list[i];

		if (s->id && is_same(s->token, raw, sizeof(raw)) &&
		    is_same(s->source, source, sizeof(s->source)))
			found = s;
	}
	wipe(raw, sizeof(raw));
	if (found && session_is_over(all, found, now_ms)) {
		session_end(found);
		found = NULL;
	}
	return found;
}

/* The session numbered @id, or NULL. */
struct session *session_by_id(struct sessions *all, uint64_t id)
{
	for (size_t i = 0; i < SESSIONS_MAX && id; i++) {
		if (all->list[i].id == id)
			return &all->list[i];
	}
	return NULL;
}

/* Is @token (hexadecimal text) the session's CSRF token? */
bool session_is_csrf(const struct session *s, struct span token)
{
	uint8_t raw[SESSION_TOKEN_BYTES];

	return hex_decode(token, raw, sizeof(raw)) == ERR_OK &&
	       is_same(s->csrf, raw, sizeof(raw));
}

/*
 * Count one call.
 *
 * @id          of the call
 * @per_minute  how many are allowed
 *
 * Returns false when it is one too many.
 */
bool session_take_rate(struct session *s, enum api_id id, unsigned per_minute,
		       uint64_t now_ms)
{
	if (now_ms - s->window_ms >= SESSION_RATE_MS) {
		s->window_ms = now_ms;
		memset(s->counts, 0, sizeof(s->counts));
	}
	if (s->counts[id] >= per_minute)
		return false;
	s->counts[id]++;
	return true;
}

/* New tokens from @random: after a login, and when rights change. */
void session_renew(struct session *s, const uint8_t random[2 * SESSION_TOKEN_BYTES])
{
	memcpy(s->token, random, SESSION_TOKEN_BYTES);
	memcpy(s->csrf, random + SESSION_TOKEN_BYTES, SESSION_TOKEN_BYTES);
}

/* End @s; its token is worth nothing from now on. */
void session_end(struct session *s)
{
	wipe(s, sizeof(*s));
}

/* End all sessions of the account @name but @keep, which may be NULL. */
void session_end_account(struct sessions *all, const char *name,
			 const struct session *keep)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &all->list[i];

		if (s->id && s != keep && strcmp(s->name, name) == 0)
			session_end(s);
	}
}

/*
 * The session's token in a Cookie field.
 *
 * @cookie  value of the field
 *
 * Returns the token as text, empty when there is none or more than one.
 */
struct span session_cookie(struct span cookie)
{
	const size_t name = strlen(COOKIE_NAME);
	struct span found = {NULL, 0};
	unsigned count = 0;

	while (cookie.n) {
		const uint8_t *semi = memchr(cookie.p, ';', cookie.n);
		struct span one = {cookie.p, semi ? (size_t)(semi - cookie.p) : cookie.n};
		const size_t used = one.n + (semi ? 1 : 0);

		cookie.p += used;
		cookie.n -= used;
		while (one.n && *one.p == ' ') {
			one.p++;
			one.n--;
		}
		if (one.n < name || memcmp(one.p, COOKIE_NAME, name) != 0)
			continue;
		found = span_of(one.p + name, one.n - name);
		count++;
	}
	return count == 1 ? found : span_of(NULL, 0);
}
