/*
 * Personal accounts: the list, its file, and the rules for passwords and disuse.
 * Format of the file: toolchain/FORMAT.accounts.md.
 */
#ifndef LUYTRE_ACCOUNTS_H
#define LUYTRE_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "password.h"
#include "span.h"
#include "totp.h"

#define ACCOUNTS_MAX 64
#define ACCOUNT_NAME_MAX 32 /* bytes: a-z 0-9 . _ - */
#define ACCOUNT_HISTORY_MAX                                                              \
	10 /* passwords that may not come back, the present one too                      \
	    */
#define ACCOUNT_UNUSED_DAYS 45
#define ACCOUNT_WARN_DAYS 7         /* before a password expires */
#define ACCOUNT_PASSWORD_MIN_MAX 64 /* largest configurable minimum (characters) */
#define ACCOUNT_FIRST_RANDOM 20     /* random bytes for a first password */
#define ACCOUNT_FIRST_BYTES 25      /* first password as text, with NUL */
/* A line of every account and of every old password; about 100 kB. */
#define ACCOUNTS_FILE_MAX (ACCOUNTS_MAX * (400 + ACCOUNT_HISTORY_MAX * 80) + 64)

enum account_role {
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_TECHNICIAN,
	ROLE_SOC_ADMIN,
	ROLE_AUDITOR,
	ROLE_OUTSOURCED,
	ROLE_COUNT
};

struct account {
	char name[ACCOUNT_NAME_MAX + 1];
	enum account_role role;
	bool is_disabled;
	bool must_change;  /* a first password: allows nothing but its change */
	int64_t created_s; /* UTC, seconds since 1970; 0: the clock was not set */
	int64_t changed_s; /* the password */
	int64_t last_login_s;
	bool has_totp;
	uint8_t totp_key[TOTP_KEY_BYTES];
	uint64_t totp_step; /* of the last code that was taken */
	struct password_hash password;
	/* The last passwords, hashed with one salt of the account, so that a new one
	 * is compared with all of them by one computation. */
	uint8_t history_salt[PASSWORD_SALT_BYTES];
	uint32_t history_iterations;
	uint8_t history[ACCOUNT_HISTORY_MAX][PASSWORD_HASH_BYTES];
	size_t history_count;
};

struct accounts {
	struct account list[ACCOUNTS_MAX];
	size_t count;
};

/* What the level profile asks of passwords. */
struct account_rules {
	const char *profile;
	unsigned min_chars;        /* without a second factor */
	unsigned min_chars_second; /* with one */
	unsigned classes; /* of upper, lower, digit, other; without a second factor */
	unsigned classes_second;
	unsigned user_days;  /* a password lasts; 0: for ever */
	unsigned admin_days; /* of roles that may change something */
	const char *source;
};

enum account_flaw {
	FLAW_NONE,
	FLAW_SHORT,   /* too few characters */
	FLAW_LONG,    /* too many bytes */
	FLAW_CLASSES, /* too few kinds of characters */
	FLAW_BYTES,   /* no UTF-8, or control characters */
	FLAW_NAME,    /* holds the account's name */
	FLAW_OLD,     /* one of the last ACCOUNT_HISTORY_MAX */
	FLAW_COUNT
};

const char *account_role_name(enum account_role role);
int account_role_find(struct span name, enum account_role *role) MUST_CHECK;
bool account_role_changes(enum account_role role);
bool account_name_is_ok(struct span name);
struct account *accounts_find(struct accounts *all, struct span name);
int accounts_add(struct accounts *all, const struct account *a) MUST_CHECK;
int accounts_remove(struct accounts *all, struct account *a) MUST_CHECK;
bool accounts_is_last_admin(const struct accounts *all, const struct account *a);
size_t accounts_disable_unused(struct accounts *all, int64_t utc_s);
int accounts_parse(struct span text, struct accounts *out) MUST_CHECK;
void accounts_print(const struct accounts *all, struct sbuf *b);

const struct account_rules *account_rules_find(struct span profile);
const char *account_flaw_name(enum account_flaw flaw);
enum account_flaw account_judge(const struct account_rules *rules, unsigned min_chars,
				const struct account *a, struct span password);
bool account_days_left(const struct account_rules *rules, const struct account *a,
		       int64_t utc_s, int64_t *days);
void account_first_password(const uint8_t random[ACCOUNT_FIRST_RANDOM],
			    char text[ACCOUNT_FIRST_BYTES]);
void account_set_password(struct account *a, const struct password_hash *hash,
			  const uint8_t history[PASSWORD_HASH_BYTES], int64_t utc_s);

#endif
