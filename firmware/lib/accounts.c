#include "accounts.h"

#include <string.h>
#include "wipe.h"

#define DAY_S INT64_C(86400)

static const char *const role_names[ROLE_COUNT] = {
	[ROLE_VIEWER] = "viewer",         [ROLE_OPERATOR] = "operator",
	[ROLE_TECHNICIAN] = "technician", [ROLE_SOC_ADMIN] = "soc-admin",
	[ROLE_AUDITOR] = "auditor",       [ROLE_OUTSOURCED] = "outsourced",
};

/* Name of @role as in web-ui/api.yaml. */
const char *account_role_name(enum account_role role)
{
	return role_names[role];
}

/* Role called @name. Returns ERR_OK or ERR_NOENT. */
int account_role_find(struct span name, enum account_role *role)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (span_eq_str(name, role_names[i])) {
			*role = (enum account_role)i;
			return ERR_OK;
		}
	}
	return ERR_NOENT;
}

/* May @role change anything? Then it needs a second factor and counts as an
 * administrator for the life of passwords (AC-03, AC-09). */
bool account_role_changes(enum account_role role)
{
	return role != ROLE_VIEWER && role != ROLE_AUDITOR;
}

/* 1 to ACCOUNT_NAME_MAX of a-z 0-9 . _ -, the first a letter. */
bool account_name_is_ok(struct span name)
{
	if (name.n == 0 || name.n > ACCOUNT_NAME_MAX || name.p[0] < 'a' ||
	    name.p[0] > 'z')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
		      c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* The account called @name, or NULL. */
struct account *accounts_find(struct accounts *all, struct span name)
{
	for (size_t i = 0; i < all->count; i++) {
		if (span_eq_str(name, all->list[i].name))
			return &all->list[i];
	}
	return NULL;
}

/*
 * Add a copy of @a.
 *
 * Returns ERR_OK, ERR_FORMAT for a bad name, ERR_EXIST or ERR_LIMIT.
 */
int accounts_add(struct accounts *all, const struct account *a)
{
	const struct span name = span_str(a->name);

	if (!account_name_is_ok(name))
		return ERR_FORMAT;
	if (accounts_find(all, name))
		return ERR_EXIST;
	if (all->count == ACCOUNTS_MAX)
		return ERR_LIMIT;
	all->list[all->count++] = *a;
	return ERR_OK;
}

/* Is @a the only administrator that can still log in? It must stay (AC-07). */
bool accounts_is_last_admin(const struct accounts *all, const struct account *a)
{
	if (a->role != ROLE_SOC_ADMIN || a->is_disabled)
		return false;
	for (size_t i = 0; i < all->count; i++) {
		const struct account *o = &all->list[i];

		if (o != a && o->role == ROLE_SOC_ADMIN && !o->is_disabled)
			return false;
	}
	return true;
}

/*
 * Take @a out of the list; its secrets are wiped. Pointers to other accounts
 * are stale afterwards.
 *
 * Returns ERR_OK, or ERR_REFUSED for the last administrator.
 */
int accounts_remove(struct accounts *all, struct account *a)
{
	size_t i = (size_t)(a - all->list);

	if (accounts_is_last_admin(all, a))
		return ERR_REFUSED;
	memmove(&all->list[i], &all->list[i + 1],
		(all->count - i - 1) * sizeof(all->list[0]));
	all->count--;
	wipe(&all->list[all->count], sizeof(all->list[0]));
	return ERR_OK;
}

static int64_t last_use(const struct account *a)
{
	return a->last_login_s > a->created_s ? a->last_login_s : a->created_s;
}

/* The one that was used last of the administrators that can log in. */
static const struct account *freshest_admin(const struct accounts *all)
{
	const struct account *best = NULL;

	for (size_t i = 0; i < all->count; i++) {
		const struct account *a = &all->list[i];

		if (a->role == ROLE_SOC_ADMIN && !a->is_disabled &&
		    (!best || last_use(a) > last_use(best)))
			best = a;
	}
	return best;
}

/*
 * Disable accounts that nobody has used for ACCOUNT_UNUSED_DAYS; of the
 * administrators the one used last stays.
 *
 * @utc_s  now; not above 0: the clock is not set, nothing is disabled
 *
 * Returns how many were disabled.
 */
size_t accounts_disable_unused(struct accounts *all, int64_t utc_s)
{
	const struct account *keep = freshest_admin(all);
	size_t n = 0;

	for (size_t i = 0; i < all->count && utc_s > 0; i++) {
		struct account *a = &all->list[i];

		if (last_use(a) == 0)
			a->created_s = utc_s; /* made before the clock was set */
		if (a == keep || a->is_disabled ||
		    utc_s - last_use(a) < ACCOUNT_UNUSED_DAYS * DAY_S)
			continue;
		a->is_disabled = true;
		n++;
	}
	return n;
}

/*
 * Put a new password in force.
 *
 * @hash     of the password, with a fresh salt
 * @history  the same password hashed with a->history_salt and _iterations
 * @utc_s    now; 0 when the clock is not set
 */
void account_set_password(struct account *a, const struct password_hash *hash,
			  const uint8_t history[PASSWORD_HASH_BYTES], int64_t utc_s)
{
	const size_t keep = a->history_count < ACCOUNT_HISTORY_MAX
				    ? a->history_count
				    : ACCOUNT_HISTORY_MAX - 1;

	a->password = *hash;
	a->changed_s = utc_s;
	memmove(a->history[1], a->history[0], keep * PASSWORD_HASH_BYTES);
	memcpy(a->history[0], history, PASSWORD_HASH_BYTES);
	a->history_count = keep + 1;
}
