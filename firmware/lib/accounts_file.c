/* The file of the accounts: toolchain/FORMAT.accounts.md. */
#include "accounts.h"

#include <string.h>
#include "hex.h"
#include "wipe.h"

#define HEAD "luytre-accounts 1"
#define TAIL "end"

static int take_u64(struct span *line, uint64_t max, uint64_t *out)
{
	struct span word;
	int r = span_take_word(line, &word);

	return r == ERR_OK ? span_to_u64(word, max, out) : r;
}

static int take_time(struct span *line, int64_t *out)
{
	uint64_t v;
	int r = take_u64(line, INT64_MAX, &v);

	if (r == ERR_OK)
		*out = (int64_t)v;
	return r;
}

static int take_hex(struct span *line, uint8_t *out, size_t n)
{
	struct span word;
	int r = span_take_word(line, &word);

	return r == ERR_OK ? hex_decode(word, out, n) : r;
}

/* Letters, each at most once and in this order: d disabled, c must change, t second
 * factor; "-" when none. */
static int take_flags(struct span *line, struct account *a)
{
	static const char letters[] = "dct";
	bool *const flags[] = {&a->is_disabled, &a->must_change, &a->has_totp};
	struct span word;
	size_t at = 0;
	int r = span_take_word(line, &word);

	if (r != ERR_OK || span_eq_str(word, "-"))
		return r;
	for (size_t i = 0; i < word.n; i++) {
		while (at < 3 && (uint8_t)letters[at] != word.p[i])
			at++;
		if (at == 3)
			return ERR_FORMAT;
		*flags[at++] = true;
	}
	return ERR_OK;
}

static int take_iterations(struct span *line, uint32_t *out)
{
	uint64_t v;
	int r = take_u64(line, PASSWORD_ITERATIONS_MAX, &v);

	if (r == ERR_OK && v != 0 && v < PASSWORD_ITERATIONS_MIN)
		r = ERR_RANGE;
	if (r == ERR_OK)
		*out = (uint32_t)v;
	return r;
}

static int parse_who(struct span *line, struct account *a)
{
	struct span word;
	int r = span_take_word(line, &word);

	if (r != ERR_OK)
		return r;
	if (!account_name_is_ok(word))
		return ERR_FORMAT;
	memcpy(a->name, word.p, word.n);
	r = span_take_word(line, &word);
	if (r == ERR_OK)
		r = account_role_find(word, &a->role);
	if (r == ERR_OK)
		r = take_flags(line, a);
	if (r == ERR_OK)
		r = take_time(line, &a->created_s);
	if (r == ERR_OK)
		r = take_time(line, &a->changed_s);
	return r == ERR_OK ? take_time(line, &a->last_login_s) : r;
}

static int parse_account(struct span line, struct account *a)
{
	int r = parse_who(&line, a);

	if (r == ERR_OK)
		r = take_hex(&line, a->totp_key, sizeof(a->totp_key));
	if (r == ERR_OK)
		r = take_u64(&line, UINT64_MAX, &a->totp_step);
	if (r == ERR_OK)
		r = take_iterations(&line, &a->password.iterations);
	if (r == ERR_OK)
		r = take_hex(&line, a->password.salt, sizeof(a->password.salt));
	if (r == ERR_OK)
		r = take_hex(&line, a->password.hash, sizeof(a->password.hash));
	if (r == ERR_OK)
		r = take_iterations(&line, &a->history_iterations);
	if (r == ERR_OK)
		r = take_hex(&line, a->history_salt, sizeof(a->history_salt));
	if (r == ERR_OK && line.n)
		r = ERR_TRAILING;
	return r;
}

static int parse_past(struct span line, struct accounts *all)
{
	struct account *a = all->count ? &all->list[all->count - 1] : NULL;

	if (!a)
		return ERR_FORMAT;
	if (a->history_count == ACCOUNT_HISTORY_MAX)
		return ERR_LIMIT;
	return hex_decode(line, a->history[a->history_count++], PASSWORD_HASH_BYTES);
}

static int parse_line(struct span line, struct accounts *all)
{
	struct account a;
	struct span word;
	int r = span_take_word(&line, &word);

	if (r != ERR_OK)
		return r;
	if (span_eq_str(word, "past"))
		return parse_past(line, all);
	if (!span_eq_str(word, "account"))
		return ERR_FORMAT;
	memset(&a, 0, sizeof(a));
	r = parse_account(line, &a);
	if (r == ERR_OK)
		r = accounts_add(all, &a);
	wipe(&a, sizeof(a));
	return r;
}

static int parse_all(struct span text, struct accounts *all)
{
	struct span line;
	int r = span_take_line(&text, &line);

	if (r != ERR_OK)
		return r;
	if (!span_eq_str(line, HEAD))
		return ERR_FORMAT;
	for (;;) {
		r = span_take_line(&text, &line);
		if (r != ERR_OK)
			return r;
		if (span_eq_str(line, TAIL))
			return text.n ? ERR_TRAILING : ERR_OK;
		r = parse_line(line, all);
		if (r != ERR_OK)
			return r;
	}
}

/*
 * Read the account file.
 *
 * @text  whole file, at most ACCOUNTS_FILE_MAX bytes
 * @out   filled when ERR_OK is returned, else wiped
 *
 * Returns ERR_OK, ERR_SHORT (cut off), ERR_FORMAT, ERR_TRAILING, ERR_RANGE,
 * ERR_NOENT (no such role), ERR_EXIST (a name twice) or ERR_LIMIT.
 */
int accounts_parse(struct span text, struct accounts *out)
{
	int r = ERR_LIMIT;

	memset(out, 0, sizeof(*out));
	if (text.n <= ACCOUNTS_FILE_MAX)
		r = parse_all(text, out);
	if (r != ERR_OK)
		wipe(out, sizeof(*out));
	return r;
}

static void put_hex(struct sbuf *b, const uint8_t *p, size_t n)
{
	char text[2 * PASSWORD_HASH_BYTES + 1];

	hex_encode(p, n, text);
	sbuf_putf(b, " %s", text);
}

static void print_account(const struct account *a, struct sbuf *b)
{
	sbuf_putf(b, "account %s %s %s%s%s%s %lld %lld %lld", a->name,
		  account_role_name(a->role), a->is_disabled ? "d" : "",
		  a->must_change ? "c" : "", a->has_totp ? "t" : "",
		  a->is_disabled || a->must_change || a->has_totp ? "" : "-",
		  (long long)a->created_s, (long long)a->changed_s,
		  (long long)a->last_login_s);
	put_hex(b, a->totp_key, sizeof(a->totp_key));
	sbuf_putf(b, " %llu %u", (unsigned long long)a->totp_step,
		  a->password.iterations);
	put_hex(b, a->password.salt, sizeof(a->password.salt));
	put_hex(b, a->password.hash, sizeof(a->password.hash));
	sbuf_putf(b, " %u", a->history_iterations);
	put_hex(b, a->history_salt, sizeof(a->history_salt));
	sbuf_putf(b, "\n");
	for (size_t i = 0; i < a->history_count; i++) {
		sbuf_putf(b, "past");
		put_hex(b, a->history[i], PASSWORD_HASH_BYTES);
		sbuf_putf(b, "\n");
	}
}

/* Write the account file; ACCOUNTS_FILE_MAX bytes are enough for any list. */
void accounts_print(const struct accounts *all, struct sbuf *b)
{
	sbuf_putf(b, "%s\n", HEAD);
	for (size_t i = 0; i < all->count; i++)
		print_account(&all->list[i], b);
	sbuf_putf(b, "%s\n", TAIL);
}
