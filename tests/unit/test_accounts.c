/*
 * Accounts, passwords, one-time passwords: known vectors, boundary tables, shifted
 * time.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <mbedtls/md.h>
#include <mbedtls/pkcs5.h>
#include "lib/accounts.h"

#define DAY INT64_C(86400)
#define T0 INT64_C(1800000000)

static void hash_now(struct span text, const uint8_t *salt, uint32_t iterations,
		     uint32_t step, uint8_t *out)
{
	struct password_work w;

	assert_int_equal(password_begin(&w, text, salt, iterations), ERR_OK);
	while (!password_step(&w, step))
		;
	password_end(&w, out);
	for (size_t i = 0; i < sizeof(w); i++) /* nothing secret is left */
		assert_int_equal(((const uint8_t *)&w)[i], 0);
}

/* AC-10: the same as mbedTLS's own PBKDF2, however it is cut into steps. */
static void password_hash_is_pbkdf2(void **state)
{
	static const size_t sizes[] = {0, 1, 8, 127, 128, 129, 256};
	static const uint32_t steps[] = {1, 7, 1000, 100000};
	uint8_t text[256], salt[PASSWORD_SALT_BYTES], want[32], got[32];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)(200 + i);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(mbedtls_pkcs5_pbkdf2_hmac_ext(
					 MBEDTLS_MD_SHA512, text, sizes[i], salt,
					 sizeof(salt), 1003, sizeof(want), want),
				 0);
		hash_now(span_of(text, sizes[i]), salt, 1003, steps[i % 4], got);
		assert_memory_equal(got, want, sizeof(want));
		assert_true(password_equal(got, want));
		got[31] ^= 1;
		assert_false(password_equal(got, want));
	}
}

static void password_limits_are_exact(void **state)
{
	static uint8_t text[PASSWORD_BYTES_MAX + 1], salt[PASSWORD_SALT_BYTES];
	static const uint8_t zero[PASSWORD_HASH_BYTES];
	struct password_work w;

	(void)state;
	assert_int_equal(password_begin(&w, span_of(text, PASSWORD_BYTES_MAX + 1), salt,
					PASSWORD_ITERATIONS_MIN),
			 ERR_LIMIT);
	assert_int_equal(
		password_begin(&w, span_of(text, 1), salt, PASSWORD_ITERATIONS_MIN - 1),
		ERR_RANGE);
	assert_int_equal(
		password_begin(&w, span_of(text, 1), salt, PASSWORD_ITERATIONS_MAX + 1),
		ERR_RANGE);
	assert_int_equal(password_begin(&w, span_of(text, PASSWORD_BYTES_MAX), salt,
					PASSWORD_ITERATIONS_MAX),
			 ERR_OK);
	password_clear(&w);
	assert_false(password_equal(zero, zero)); /* the mark of a failed one */
}

/* AC-09: RFC 6238 appendix B. */
static void totp_vectors(void **state)
{
	static const struct {
		int64_t t;
		uint32_t sha1, sha256, sha512;
	} rows[] = {
		{59, 94287082, 46119246, 90693936},
		{1111111109, 7081804, 68084774, 25091201},
		{1111111111, 14050471, 67062674, 99943326},
		{1234567890, 89005924, 91819424, 93441116},
		{2000000000, 69279037, 90698825, 38618901},
		{20000000000, 65353130, 77737706, 47863826},
	};
	static const char key[] =
		"1234567890123456789012345678901234567890123456789012345678901234";
	uint32_t code;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint64_t step = (uint64_t)rows[i].t / 30;

		assert_int_equal(totp_code(TOTP_SHA1, span_of(key, 20), step, 8, &code),
				 ERR_OK);
		assert_int_equal(code, rows[i].sha1);
		assert_int_equal(totp_code(TOTP_SHA256, span_of(key, 32), step, 8, &code),
				 ERR_OK);
		assert_int_equal(code, rows[i].sha256);
		assert_int_equal(totp_code(TOTP_SHA512, span_of(key, 64), step, 8, &code),
				 ERR_OK);
		assert_int_equal(code, rows[i].sha512);
	}
}

static int check_at(int64_t now, int64_t code_of, uint64_t *last)
{
	const struct span key = span_str("12345678901234567890");
	char text[16];
	uint32_t code;

	assert_int_equal(totp_code(TOTP_SHA1, key, (uint64_t)code_of / 30, 6, &code),
			 ERR_OK);
	(void)snprintf(text, sizeof(text), "%06u", code);
	return totp_check(key, now, span_str(text), last);
}

static void totp_code_is_good_once_and_only_now(void **state)
{
	const struct span key = span_str("12345678901234567890");
	uint64_t last = 0;

	(void)state;
	assert_int_equal(check_at(T0, T0 - 60, &last), ERR_REFUSED);
	assert_int_equal(check_at(T0, T0 + 60, &last), ERR_REFUSED);
	assert_int_equal(check_at(T0, T0 - 30, &last), ERR_OK);
	assert_int_equal(check_at(T0, T0 - 30, &last), ERR_REFUSED);
	assert_int_equal(check_at(T0, T0 + 30, &last), ERR_OK);
	assert_int_equal(check_at(T0, T0, &last), ERR_REFUSED); /* older than the last */
	assert_int_equal(check_at(0, 0, &last), ERR_TIME);
	last = 0;
	assert_int_equal(totp_check(key, T0, span_str(""), &last), ERR_REFUSED);
	assert_int_equal(totp_check(key, T0, span_str("12345"), &last), ERR_REFUSED);
	assert_int_equal(totp_check(key, T0, span_str("1234567"), &last), ERR_REFUSED);
	assert_int_equal(totp_check(key, T0, span_str("12345a"), &last), ERR_REFUSED);
	assert_int_equal(last, 0);
}

static void base32_is_the_rfc_one(void **state)
{
	char text[TOTP_BASE32_BYTES];

	(void)state;
	totp_base32((const uint8_t *)"12345678901234567890", text);
	assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

/* AC-02 */
static void password_rules_table(void **state)
{
	static const struct {
		const char *profile;
		enum account_role role;
		unsigned min_chars;
		enum account_flaw flaw;
		const char *text;
	} rows[] = {
		{"2017", ROLE_VIEWER, 0, FLAW_SHORT, "Abcde-78"},
		{"2017", ROLE_VIEWER, 0, FLAW_NONE, "Abcde-789"},
		{"2017", ROLE_OPERATOR, 0, FLAW_SHORT, "Abcde-78"},
		{"2017", ROLE_OPERATOR, 0, FLAW_NONE, "Abcde-789"},
		{"2017", ROLE_VIEWER, 0, FLAW_CLASSES, "abcde-789"},
		{"2017", ROLE_VIEWER, 0, FLAW_CLASSES, "ABCDE-789"},
		{"2017", ROLE_VIEWER, 0, FLAW_CLASSES, "Abcdef789"},
		{"2017", ROLE_VIEWER, 0, FLAW_CLASSES, "Abcdef-gh"},
		/* 2026: 14 with 4 classes, or 8 with a second factor */
		{"2026-level1", ROLE_VIEWER, 0, FLAW_SHORT, "Abcdefghi-789"},
		{"2026-level1", ROLE_VIEWER, 0, FLAW_NONE, "Abcdefghij-789"},
		{"2026-level2", ROLE_VIEWER, 0, FLAW_CLASSES, "abcdefghijklmnop"},
		{"2026-level2", ROLE_OPERATOR, 0, FLAW_SHORT, "abcdefg"},
		{"2026-level2", ROLE_OPERATOR, 0, FLAW_NONE, "abcdefgh"},
		{"2026-level3", ROLE_SOC_ADMIN, 0, FLAW_NONE, "abcdefgh"},
		{"unknown", ROLE_SOC_ADMIN, 0, FLAW_SHORT, "Abcde-78"},
		{"unknown", ROLE_SOC_ADMIN, 0, FLAW_NONE, "Abcde-789"},
		/* the owner asks for more */
		{"2026-level3", ROLE_SOC_ADMIN, 15, FLAW_SHORT, "abcdefghijklmn"},
		{"2026-level3", ROLE_SOC_ADMIN, 15, FLAW_NONE, "abcdefghijklmno"},
		/* Vietnamese: 9 characters, capitals and small letters are known */
		{"2017", ROLE_VIEWER, 0, FLAW_NONE, "ẤấĐđ -12ư"},
		{"2017", ROLE_VIEWER, 0, FLAW_CLASSES, "ấấđđơ -12"},
		{"2017", ROLE_VIEWER, 0, FLAW_NONE, "Ươướ -123"},
		{"2017", ROLE_VIEWER, 0, FLAW_SHORT, "ẤấĐđ -12"},
		/* every printable ASCII character */
		{"2017", ROLE_VIEWER, 0, FLAW_NONE,
		 " !\"#$%&'()*+,-./0189:;<=>?@AZ[\\]^_`az{|}~"},
		{"2017", ROLE_VIEWER, 0, FLAW_BYTES, "Abcde-789\n"},
		{"2017", ROLE_VIEWER, 0, FLAW_BYTES, "Abcde-789\x7f"},
		{"2017", ROLE_VIEWER, 0, FLAW_BYTES, "Abcde-789\xff"},
		{"2017", ROLE_VIEWER, 0, FLAW_BYTES, "Abcde-789\xc2\x85"},
		{"2017", ROLE_VIEWER, 0, FLAW_BYTES, "Abcde-789\xc3"},
		{"2017", ROLE_VIEWER, 0, FLAW_NAME, "xNguyen.An-1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct account a = {.name = "nguyen.an", .role = rows[i].role};
		enum account_flaw got =
			account_judge(account_rules_find(span_str(rows[i].profile)),
				      rows[i].min_chars, &a, span_str(rows[i].text));

		if (got != rows[i].flaw)
			print_message("# row %zu %s: %s\n", i, rows[i].text,
				      account_flaw_name(got));
		assert_int_equal(got, rows[i].flaw);
	}
}

static void password_length_limit_is_exact(void **state)
{
	char text[PASSWORD_BYTES_MAX + 2];
	struct account a = {.name = "an", .role = ROLE_OPERATOR};
	const struct account_rules *r = account_rules_find(span_str("2026-level1"));

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(account_judge(r, 0, &a, span_of(text, PASSWORD_BYTES_MAX)),
			 FLAW_NONE);
	assert_int_equal(account_judge(r, 0, &a, span_of(text, PASSWORD_BYTES_MAX + 1)),
			 FLAW_LONG);
	assert_int_equal(account_judge(r, 64, &a, span_of(text, 63)), FLAW_SHORT);
	assert_int_equal(account_judge(r, 64, &a, span_of(text, 64)), FLAW_NONE);
}

/* AC-03 */
static void passwords_expire(void **state)
{
	const struct account_rules *old = account_rules_find(span_str("2017"));
	const struct account_rules *new = account_rules_find(span_str("2026-level2"));
	struct account a = {.role = ROLE_VIEWER, .changed_s = T0};
	int64_t days;

	(void)state;
	assert_true(account_days_left(old, &a, T0 + 1, &days));
	assert_int_equal(days, 180);
	assert_true(account_days_left(old, &a, T0 + 180 * DAY - 1, &days));
	assert_int_equal(days, 1);
	assert_true(account_days_left(old, &a, T0 + 180 * DAY, &days));
	assert_int_equal(days, 0);
	a.role = ROLE_SOC_ADMIN;
	assert_true(account_days_left(new, &a, T0 + 60 * DAY - 1, &days));
	assert_int_equal(days, 1);
	assert_true(account_days_left(new, &a, T0 + 60 * DAY, &days));
	assert_int_equal(days, 0);
	assert_false(account_days_left(new, &a, 0, &days)); /* no clock */
	a.changed_s = 0;
	assert_false(account_days_left(new, &a, T0, &days));
}

static void history_holds_the_last_ten(void **state)
{
	struct account a = {.name = "an"};
	struct password_hash h = {.iterations = 1000};
	uint8_t past[PASSWORD_HASH_BYTES] = {0};

	(void)state;
	for (unsigned i = 1; i <= ACCOUNT_HISTORY_MAX + 2; i++) {
		past[0] = (uint8_t)i;
		account_set_password(&a, &h, past, T0);
		assert_int_equal(a.history_count,
				 i < ACCOUNT_HISTORY_MAX ? i : ACCOUNT_HISTORY_MAX);
		assert_int_equal(a.history[0][0], i);
	}
	assert_int_equal(a.history[ACCOUNT_HISTORY_MAX - 1][0], 3);
}

static void add(struct accounts *all, const char *name, enum account_role role,
		int64_t last_s)
{
	struct account a = {.role = role, .created_s = 1, .last_login_s = last_s};

	memcpy(a.name, name, strlen(name) + 1);
	assert_int_equal(accounts_add(all, &a), ERR_OK);
}

/* AC-07 */
static void unused_accounts_are_disabled_but_never_the_last_admin(void **state)
{
	static struct accounts all;
	const int64_t limit = ACCOUNT_UNUSED_DAYS * DAY;

	(void)state;
	memset(&all, 0, sizeof(all));
	add(&all, "a", ROLE_SOC_ADMIN, T0 - 10);
	add(&all, "b", ROLE_SOC_ADMIN, T0);
	add(&all, "c", ROLE_VIEWER, T0);
	add(&all, "d", ROLE_VIEWER, T0 + 1);
	assert_int_equal(accounts_disable_unused(&all, 0), 0);
	assert_int_equal(accounts_disable_unused(&all, T0 + limit - 11), 0);
	assert_int_equal(accounts_disable_unused(&all, T0 + limit - 10), 1);
	assert_true(all.list[0].is_disabled);
	assert_int_equal(accounts_disable_unused(&all, T0 + limit), 1);
	assert_true(all.list[2].is_disabled);
	assert_int_equal(accounts_disable_unused(&all, T0 + 100 * limit), 1);
	assert_true(all.list[3].is_disabled);
	assert_false(all.list[1].is_disabled);
	assert_true(accounts_is_last_admin(&all, &all.list[1]));
	assert_int_equal(accounts_remove(&all, &all.list[1]), ERR_REFUSED);
	all.list[0].is_disabled = false;
	assert_false(accounts_is_last_admin(&all, &all.list[1]));
	assert_int_equal(accounts_remove(&all, &all.list[1]), ERR_OK);
	assert_int_equal(all.count, 3);
}

static void names_are_checked(void **state)
{
	static const char *const good[] = {"a", "nguyen.an", "a-b_c.9",
					   "a2345678901234567890123456789012"};
	static const char *const bad[] = {
		"",   "A",   "9a",
		".a", "a b", "a\n",
		"ạn", "a/b", "a23456789012345678901234567890123"};
	static struct accounts all;
	struct account a = {.name = "a"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(account_name_is_ok(span_str(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(account_name_is_ok(span_str(bad[i])));
	memset(&all, 0, sizeof(all));
	assert_int_equal(accounts_add(&all, &a), ERR_OK);
	assert_int_equal(accounts_add(&all, &a), ERR_EXIST);
	for (unsigned i = 1; i < ACCOUNTS_MAX; i++) {
		(void)snprintf(a.name, sizeof(a.name), "u%u", i);
		assert_int_equal(accounts_add(&all, &a), ERR_OK);
	}
	a.name[0] = 'z';
	assert_int_equal(accounts_add(&all, &a), ERR_LIMIT);
}

static void fill(struct account *a, unsigned i)
{
	memset(a, (int)(i + 1), sizeof(*a));
	memset(a->name, 0, sizeof(a->name));
	memset(a->name, 'a', ACCOUNT_NAME_MAX - 2);
	a->name[ACCOUNT_NAME_MAX - 2] = (char)('a' + i / 10);
	a->name[ACCOUNT_NAME_MAX - 1] = (char)('0' + i % 10);
	a->role = (enum account_role)(i % ROLE_COUNT);
	a->is_disabled = i % 2;
	a->must_change = i % 3 == 0;
	a->has_totp = i % 5 == 0;
	a->created_s = a->changed_s = a->last_login_s = INT64_MAX;
	a->totp_step = UINT64_MAX;
	a->password.iterations = a->history_iterations = PASSWORD_ITERATIONS_MAX;
	a->history_count = ACCOUNT_HISTORY_MAX;
}

/* The largest list fits into the largest file and comes back the same. */
static void file_round_trip(void **state)
{
	static struct accounts all, back;
	static uint8_t text[ACCOUNTS_FILE_MAX + 1], again[ACCOUNTS_FILE_MAX];
	struct sbuf b, b2;

	(void)state;
	memset(&all, 0, sizeof(all));
	for (unsigned i = 0; i < ACCOUNTS_MAX; i++)
		fill(&all.list[i], i);
	all.count = ACCOUNTS_MAX;
	sbuf_init(&b, text, ACCOUNTS_FILE_MAX);
	accounts_print(&all, &b);
	assert_false(b.is_full);
	assert_int_equal(accounts_parse(span_of(text, b.n), &back), ERR_OK);
	sbuf_init(&b2, again, sizeof(again));
	accounts_print(&back, &b2);
	assert_int_equal(b.n, b2.n);
	assert_memory_equal(text, again, b.n);
	/* cut off anywhere, or longer: refused, nothing is left */
	for (size_t n = 0; n < b.n; n += n < 2000 ? 1 : 997)
		assert_int_not_equal(accounts_parse(span_of(text, n), &back), ERR_OK);
	text[b.n] = '\n';
	assert_int_equal(accounts_parse(span_of(text, b.n + 1), &back), ERR_TRAILING);
	assert_int_equal(back.count, 0);
}

static void first_passwords_are_readable(void **state)
{
	uint8_t random[ACCOUNT_FIRST_RANDOM];
	char text[ACCOUNT_FIRST_BYTES];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		memset(random, (int)i, sizeof(random));
		account_first_password(random, text);
		assert_int_equal(strlen(text), ACCOUNT_FIRST_BYTES - 1);
		assert_null(strpbrk(text, "0O1Il "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(password_hash_is_pbkdf2),
		cmocka_unit_test(password_limits_are_exact),
		cmocka_unit_test(totp_vectors),
		cmocka_unit_test(totp_code_is_good_once_and_only_now),
		cmocka_unit_test(base32_is_the_rfc_one),
		cmocka_unit_test(password_rules_table),
		cmocka_unit_test(password_length_limit_is_exact),
		cmocka_unit_test(passwords_expire),
		cmocka_unit_test(history_holds_the_last_ten),
		cmocka_unit_test(unused_accounts_are_disabled_but_never_the_last_admin),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(file_round_trip),
		cmocka_unit_test(first_passwords_are_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
