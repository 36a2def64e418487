/* Base64 and hexadecimal: one spelling of each value, nothing else. */
#include "test.h"

#include <string.h>

#include "lib/b64.h"
#include "lib/hex.h"

/* RFC 4648 section 10. */
static const struct {
	const char *plain, *text;
} vectors[] = {
	{"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
	{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
};

static void rfc4648_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char text[16];
		uint8_t back[16];
		size_t n = 0;

		assert_int_equal(b64_encode(span_str(vectors[i].plain), text),
				 strlen(vectors[i].text));
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(b64_decode(span_str(text), back, sizeof(back), &n),
				 ERR_OK);
		assert_true(span_eq_str(span_of(back, n), vectors[i].plain));
		assert_int_equal(b64_decode(span_str(text), back, n - 1, &n), ERR_LIMIT);
	}
}

static void other_spellings_are_refused(void **state)
{
	static const char *const bad[] = {
		"Zg",   "Zg=",  "Zg===", "Zh==", "Zm9=",  "Zm9v\n",   " Zm9v",    "Zm9v=",
		"Z===", "====", "Zm9-",  "Zm9_", "Zm\0v", "Zg==Zg==", "Zm8=Zm8=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t out[16];
		size_t n;

		assert_int_equal(b64_decode(span_str(bad[i]), out, sizeof(out), &n),
				 ERR_FORMAT);
	}
}

/* Every text of four characters that decodes comes out the same again. */
static void decoding_is_one_to_one(void **state)
{
	static const char set[] = "AZaz09+/=Bgw8";
	const size_t k = sizeof(set) - 1;
	unsigned good = 0;

	(void)state;
	for (size_t i = 0; i < k * k * k * k; i++) {
		char text[5] = {set[i % k], set[i / k % k], set[i / k / k % k],
				set[i / k / k / k], '\0'};
		char again[8];
		uint8_t out[4];
		size_t n;

		if (b64_decode(span_str(text), out, sizeof(out), &n) != ERR_OK)
			continue;
		good++;
		(void)b64_encode(span_of(out, n), again);
		assert_string_equal(again, text);
	}
	assert_true(good > 1000);
}

static void url_form(void **state)
{
	static const uint8_t bytes[] = {0xfb, 0xff, 0xfe, 0x01};
	char text[16];

	(void)state;
	assert_int_equal(b64url_encode(span_of(bytes, 4), text), 6);
	assert_string_equal(text, "-__-AQ");
}

static void hex_is_exact(void **state)
{
	uint8_t out[3];
	char text[7];

	(void)state;
	assert_int_equal(hex_decode(span_str("00ff7a"), out, 3), ERR_OK);
	hex_encode(out, 3, text);
	assert_string_equal(text, "00ff7a");
	assert_int_equal(hex_decode(span_str("00FF7a"), out, 3), ERR_FORMAT);
	assert_int_equal(hex_decode(span_str("00ff7"), out, 3), ERR_FORMAT);
	assert_int_equal(hex_decode(span_str("00ff7a0"), out, 3), ERR_FORMAT);
	assert_int_equal(hex_decode(span_str("00ff7g"), out, 3), ERR_FORMAT);
	assert_int_equal(hex_decode(span_str("0x00ff"), out, 3), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc4648_vectors),
		cmocka_unit_test(other_spellings_are_refused),
		cmocka_unit_test(decoding_is_one_to_one),
		cmocka_unit_test(url_form),
		cmocka_unit_test(hex_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
