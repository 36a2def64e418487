/*
 * Who is logged in: tokens, limits of time, all on the server's side.
 */
#ifndef LUYTRE_SESSION_H
#define LUYTRE_SESSION_H

#include "accounts.h"
#include "api.h"

#define SESSIONS_MAX 32
#define SESSIONS_ACCOUNT_MAX 4 /* of one account; a further login ends the oldest */
#define SESSION_TOKEN_BYTES 32
#define SESSION_TOKEN_TEXT (2 * SESSION_TOKEN_BYTES + 1)
#define SESSION_IDLE_MIN_S 60U
#define SESSION_IDLE_MAX_S 900U
#define SESSION_ABSOLUTE_MAX_S 86400U
#define SESSION_RATE_MS 60000

/* What must be done before anything else is allowed. */
enum session_must { MUST_NOTHING, MUST_PASSWORD, MUST_TOTP };

struct session {
	uint32_t id; /* 0: free */
	char name[ACCOUNT_NAME_MAX + 1];
	uint8_t source[16];
	uint8_t token[SESSION_TOKEN_BYTES];
	uint8_t csrf[SESSION_TOKEN_BYTES];
	uint64_t started_ms, used_ms; /* used: by a person */
	bool has_new_key;             /* a second factor that is being set up */
	uint8_t new_key[TOTP_KEY_BYTES];
	uint64_t window_ms; /* of the counts */
	uint8_t counts[API_COUNT];
};

struct sessions {
	struct session list[SESSIONS_MAX];
	uint32_t last_id;
	uint32_t idle_s, absolute_s;
};

const char *session_must_name(enum session_must must);
struct session *session_new(struct sessions *all, const char *name,
			    const uint8_t source[16],
			    const uint8_t random[2 * SESSION_TOKEN_BYTES],
			    uint64_t now_ms);
struct session *session_find(struct sessions *all, struct span token,
			     const uint8_t source[16], uint64_t now_ms);
struct session *session_by_id(struct sessions *all, uint64_t id);
bool session_is_csrf(const struct session *s, struct span token);
bool session_is_over(const struct sessions *all, const struct session *s,
		     uint64_t now_ms);
bool session_take_rate(struct session *s, enum api_id id, unsigned per_minute,
		       uint64_t now_ms);
void session_renew(struct session *s, const uint8_t random[2 * SESSION_TOKEN_BYTES]);
void session_end(struct session *s);
void session_end_account(struct sessions *all, const char *name,
			 const struct session *keep);
struct span session_cookie(struct span cookie);

#endif
