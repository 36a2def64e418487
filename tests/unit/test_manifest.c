/* The manifest's text: each deviation is refused for its own reason. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/manifest.h"

#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define FIELDS                                                                           \
	"luytre-manifest 1\ntype config\nscope device/LT-1\nversion 5\n"                 \
	"issued 1760000000\nexpires 1790000000\nkeyset 1\n"
#define SIG "sig 0011223344556677 es256 MAYCAQECAQE=\n"
#define GOOD FIELDS "payload 3 " HASH "\n\n" SIG "\nabc"

static const struct {
	const char *text;
	enum man_why why;
} bad[] = {
	{"", MAN_WHY_TRUNCATED},
	{"luytre-manifest 1", MAN_WHY_TRUNCATED},
	{"\xef\xbb\xbf" GOOD, MAN_WHY_BOM},
	{"luytre-manifest 1\r\ntype config\r\n", MAN_WHY_CR},
	{"{\"format\": 1}", MAN_WHY_UNSIGNED},
	{"luytre-manifest 2\n\n", MAN_WHY_DOMAIN},
	{"Luytre-manifest 1\n\n", MAN_WHY_DOMAIN},
	{"luytre-manifest 1\ncolour red\n\n", MAN_WHY_FIELD_UNKNOWN},
	{"luytre-manifest 1\ntype config\ntype config\n\n", MAN_WHY_FIELD_TWICE},
	{"luytre-manifest 1\nscope *\ntype config\n\n", MAN_WHY_FIELD_ORDER},
	{"luytre-manifest 1\ntype config\n\n", MAN_WHY_FIELD_MISSING},
	{"luytre-manifest 1\ntype letter\n\n", MAN_WHY_VALUE},
	{"luytre-manifest 1\ntype config\nscope moon/1\n\n", MAN_WHY_VALUE},
	{"luytre-manifest 1\ntype config\nscope *\nversion 05\n\n", MAN_WHY_VALUE},
	{"luytre-manifest 1\ntype config\nscope *\nversion 0\n\n", MAN_WHY_VALUE},
	{"luytre-manifest 1\ntype config\nscope *\nversion -1\n\n", MAN_WHY_VALUE},
	{"luytre-manifest 1\ntype config\nscope *\nversion 99999999999999999999\n\n",
	 MAN_WHY_VALUE},
	{"luytre-manifest 1\ntype config\nscope *\nversion 5\nbase 4\n"
	 "issued 1760000000\nexpires 1790000000\nkeyset 1\npayload 3 " HASH "\n\n",
	 MAN_WHY_FIELD_FORBIDDEN},
	{FIELDS "payload 2000000 " HASH "\n\n", MAN_WHY_PAYLOAD_LIMIT},
	{FIELDS "payload 3 " HASH "\n\nsig 00 es256 MAYCAQECAQE=\n", MAN_WHY_SIG_LINE},
	{FIELDS "payload 3 " HASH "\n\nsig 0011223344556677 md5 MAYCAQECAQE=\n",
	 MAN_WHY_SIG_ALG},
	{FIELDS "payload 3 " HASH "\n\nsig 0011223344556677 es256 MAYCAQECAQF=\n",
	 MAN_WHY_SIG_BASE64},
	{FIELDS "payload 3 " HASH "\n\n" SIG "\nabcd", MAN_WHY_TRAILING},
};

static void each_deviation_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct man_report rep;
		struct man m;
		int r = man_parse(span_str(bad[i].text), &m, &rep);

		if (r == ERR_OK || rep.why != bad[i].why || r != man_why_err(rep.why))
			fail_msg("case %zu: refused as %s, wanted %s", i,
				 man_why_name(rep.why), man_why_name(bad[i].why));
		assert_true(man_why_text(rep.why)[0] != '\0');
		assert_true(man_why_fix(rep.why)[0] != '\0');
	}
}

static void a_good_one_is_understood(void **state)
{
	struct man_report rep;
	struct man m;

	(void)state;
	assert_int_equal(man_parse(span_str(GOOD), &m, &rep), ERR_OK);
	assert_int_equal(m.type, MAN_CONFIG);
	assert_int_equal(m.scope.kind, MAN_SCOPE_DEVICE);
	assert_true(span_eq_str(m.scope.name, "LT-1"));
	assert_int_equal(m.version, 5);
	assert_int_equal(m.sig_count, 1);
	assert_true(m.has_attached);
	assert_true(span_eq_str(m.payload, "abc"));
	assert_int_equal(man_check_payload(&m, m.payload), ERR_OK);
	assert_int_equal(man_check_payload(&m, span_str("abd")), ERR_CHUNK);
	assert_int_equal(man_check_payload(&m, span_str("ab")), ERR_CHUNK);
}

/* A file cut short anywhere before its payload is never a whole one. */
static void no_cut_is_taken(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(GOOD) - 1; n++) {
		struct man_report rep;
		struct man m;
		int r = man_parse(span_of(GOOD, n), &m, &rep);

		/* without attached payload the manifest stands alone */
		if (r == ERR_OK)
			assert_true(!m.has_attached || m.payload.n == 3);
	}
}

/* One changed byte of the signed part changes the digest, or is refused. */
static void the_digest_covers_every_byte(void **state)
{
	uint8_t copy[sizeof(GOOD)];
	struct man_report rep;
	struct man good, m;

	(void)state;
	assert_int_equal(man_parse(span_str(GOOD), &good, &rep), ERR_OK);
	for (size_t i = 0; i < good.signed_bytes.n; i++) {
		memcpy(copy, GOOD, sizeof(GOOD));
		copy[i] ^= 1;
		if (man_parse(span_of(copy, sizeof(GOOD) - 1), &m, &rep) == ERR_OK)
			assert_memory_not_equal(m.digest, good.digest, sizeof(m.digest));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_deviation_has_its_reason),
		cmocka_unit_test(a_good_one_is_understood),
		cmocka_unit_test(no_cut_is_taken),
		cmocka_unit_test(the_digest_covers_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
