/* What the level profiles ask of passwords, as data. */
#include "accounts.h"

#include <string.h>

#define DAY_S INT64_C(86400)
#define CLASSES 4

/* The first one is for an appliance whose profile is not known: the union. */
static const struct account_rules table[] = {
	{"none", 14, 9, 4, 4, 180, 60, "the strictest of all profiles"},
	{"2017", 9, 9, 4, 4, 180, 180, "TT 03/2017 art. 3.3; at least every 6 months"},
	{"2026-level1", 14, 8, 4, 1, 180, 60, "TCVN 14423:2026 4.5.2.2; QCVN 12 3.7.2.6"},
	{"2026-level2", 14, 8, 4, 1, 180, 60, "TCVN 14423:2026 4.5.2.2; QCVN 12 3.7.2.6"},
	{"2026-level3", 14, 8, 4, 1, 180, 60, "TCVN 14423:2026 5.5.2.2; QCVN 12 3.7.2.6"},
};

/* The rules of @profile, those of the strictest for any other name. */
const struct account_rules *account_rules_find(struct span profile)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (span_eq_str(profile, table[i].profile))
			return &table[i];
	}
	return &table[0];
}

/* Name of @flaw as web-ui/api.yaml has it. */
const char *account_flaw_name(enum account_flaw flaw)
{
	static const char *const names[FLAW_COUNT] = {"none",  "short", "long", "classes",
						      "bytes", "name",  "old"};

	return names[flaw];
}

/* One code point of UTF-8, 0 when there is none: see RFC 3629. */
static size_t next_code(struct span in, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = in.p[0];
	size_t len = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (len == 0 || c > 0xf4 || len > in.n)
		return 0;
	if (len > 1)
		c &= 0x7fU >> len;
	for (size_t i = 1; i < len; i++) {
		if ((in.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (in.p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return len;
}

/* Letters of Vietnamese beyond ASCII. From U+0100 on capitals are even and their
 * small letters follow, but for the horned U. */
static bool is_letter(uint32_t c)
{
	return (c >= 0xc0 && c <= 0xff && c != 0xd7 && c != 0xf7) ||
	       (c >= 0x100 && c <= 0x137) || c == 0x1a0 || c == 0x1a1 || c == 0x1af ||
	       c == 0x1b0 || (c >= 0x1ea0 && c <= 0x1ef9);
}

/* Bit of the class: upper, lower, digit, other. */
static unsigned class_of(uint32_t c)
{
	if ((c >= 'A' && c <= 'Z'))
		return 1;
	if (c >= 'a' && c <= 'z')
		return 2;
	if (c >= '0' && c <= '9')
		return 4;
	if (!is_letter(c))
		return 8;
	if (c <= 0xff)
		return c < 0xdf ? 1 : 2;
	if (c == 0x1af || c == 0x1b0)
		return c == 0x1af ? 1 : 2;
	return c % 2 ? 2 : 1;
}

static bool holds(struct span text, struct span word)
{
	for (size_t i = 0; word.n && i + word.n <= text.n; i++) {
		size_t k = 0;

		while (k < word.n) {
			uint8_t c = text.p[i + k];

			if (c >= 'A' && c <= 'Z')
				c = (uint8_t)(c + 32);
			if (c != word.p[k])
				break;
			k++;
		}
		if (k == word.n)
			return true;
	}
	return false;
}

/*
 * May @password be the account's new one? Its history is not looked at here.
 *
 * @rules      of the level profile
 * @min_chars  what the owner asks beyond the profile; 0: nothing
 * @a          name and second factor count
 * @password   UTF-8 in NFC
 *
 * Every printable character is taken, blanks and Vietnamese included; length
 * counts code points.
 */
enum account_flaw account_judge(const struct account_rules *rules, unsigned min_chars,
				const struct account *a, struct span password)
{
	const bool has_second = a->has_totp || account_role_changes(a->role);
	unsigned least = has_second ? rules->min_chars_second : rules->min_chars;
	unsigned classes = has_second ? rules->classes_second : rules->classes;
	unsigned chars = 0, seen = 0, n = 0;
	struct span left = password;

	if (password.n > PASSWORD_BYTES_MAX)
		return FLAW_LONG;
	while (left.n) {
		uint32_t c = 0;
		size_t len = next_code(left, &c);

		if (len == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
			return FLAW_BYTES;
		seen |= class_of(c);
		chars++;
		left.p += len;
		left.n -= len;
	}
	if (chars < (least > min_chars ? least : min_chars))
		return FLAW_SHORT;
	for (unsigned i = 0; i < CLASSES; i++)
		n += seen >> i & 1;
	if (n < classes)
		return FLAW_CLASSES;
	return holds(password, span_str(a->name)) ? FLAW_NAME : FLAW_NONE;
}

/*
 * How long the password still lasts.
 *
 * @utc_s  now; not above 0: the clock is not set
 * @days   begun days, not above 0 when it has expired; filled when true is returned
 *
 * Returns false when it does not expire, or nobody can tell.
 */
bool account_days_left(const struct account_rules *rules, const struct account *a,
		       int64_t utc_s, int64_t *days)
{
	const unsigned most =
		account_role_changes(a->role) ? rules->admin_days : rules->user_days;
	int64_t end_s = a->changed_s + (int64_t)most * DAY_S;

	if (most == 0 || utc_s <= 0 || a->changed_s <= 0)
		return false;
	*days = end_s > utc_s ? (end_s - utc_s + DAY_S - 1) / DAY_S : 0;
	return true;
}

/*
 * A first password of 100 random bits, in groups that can be read out: characters
 * that are not mistaken for each other.
 *
 * @random  from the kernel
 * @text    filled
 */
void account_first_password(const uint8_t random[ACCOUNT_FIRST_RANDOM],
			    char text[ACCOUNT_FIRST_BYTES])
{
	static const char digits[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	size_t n = 0;

	for (size_t i = 0; i < ACCOUNT_FIRST_RANDOM; i++) {
		if (i && i % 4 == 0)
			text[n++] = '-';
		text[n++] = digits[random[i] & 31];
	}
	text[n] = '\0';
}
