/*
 * JSON of requests and answers: limits, forms that are refused, and that nothing
 * written can become markup.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include "mgmtd/json_read.h"
#include "mgmtd/json_write.h"

static const struct json_field fields[] = {
	{"name", JSON_T_STRING, false, 1, 8},
	{"count", JSON_T_NUMBER, true, 2, 10},
	{"flag", JSON_T_BOOL, true, 0, 1},
};
#define COUNT (sizeof(fields) / sizeof(fields[0]))

static struct json_value out[COUNT];

static int read_str(const char *text)
{
	return json_read(span_str(text), fields, COUNT, out);
}

static void good_bodies_are_read(void **state)
{
	(void)state;
	assert_int_equal(read_str("{\"name\":\"a\"}"), ERR_OK);
	assert_string_equal(out[0].text, "a");
	assert_false(out[1].is_set);
	assert_int_equal(
		read_str(" {\t\"flag\" : true ,\r\n\"count\": 7,\"name\" :\"b\" } "),
		ERR_OK);
	assert_int_equal(out[1].number, 7);
	assert_int_equal(out[2].number, 1);
	assert_int_equal(read_str("{\"name\":\"x\",\"flag\":false}"), ERR_OK);
	assert_true(out[2].is_set);
	assert_int_equal(out[2].number, 0);
	assert_int_equal(read_str("{\"n\\u0061me\":\"\\u1ea4\\n\\\"\"}"), ERR_OK);
	assert_string_equal(out[0].text, "Ấ\n\"");
	assert_int_equal(read_str("{\"name\":\"\\ud83d\\ude00\"}"), ERR_OK);
	assert_string_equal(out[0].text, "\xf0\x9f\x98\x80");
}

static void limits_are_exact(void **state)
{
	(void)state;
	assert_int_equal(read_str("{\"name\":\"\"}"), ERR_RANGE);
	assert_int_equal(read_str("{\"name\":\"1234567\"}"), ERR_OK);
	assert_int_equal(read_str("{\"name\":\"12345678\"}"), ERR_OK);
	assert_int_equal(read_str("{\"name\":\"123456789\"}"), ERR_RANGE);
	assert_int_equal(read_str("{\"name\":\"a\",\"count\":1}"), ERR_RANGE);
	assert_int_equal(read_str("{\"name\":\"a\",\"count\":2}"), ERR_OK);
	assert_int_equal(read_str("{\"name\":\"a\",\"count\":10}"), ERR_OK);
	assert_int_equal(read_str("{\"name\":\"a\",\"count\":11}"), ERR_RANGE);
	assert_int_equal(read_str("{\"name\":\"a\",\"count\":18446744073709551616}"),
			 ERR_RANGE);
}

/* A string of @n bytes where any length up to the reader's own limit may come. */
static int with_string(size_t n)
{
	static const struct json_field any = {"name", JSON_T_STRING, false, 0, 10000};
	char text[600] = "{\"name\":\"";
	const size_t at = strlen(text);

	memset(text + at, 'x', n);
	memcpy(text + at + n, "\"}", 3);
	return json_read(span_str(text), &any, 1, out);
}

static void own_limits_are_exact(void **state)
{
	(void)state;
	assert_int_equal(with_string(JSON_STRING_MAX - 1), ERR_OK);
	assert_int_equal(with_string(JSON_STRING_MAX), ERR_OK);
	assert_int_equal(out[0].n, JSON_STRING_MAX);
	assert_int_equal(with_string(JSON_STRING_MAX + 1), ERR_LIMIT);
	assert_int_equal(read_str("{\"aaaaaaaaaaaaaaaa\":\"x\"}"), ERR_NOENT);
	assert_int_equal(read_str("{\"aaaaaaaaaaaaaaaaa\":\"x\"}"), ERR_LIMIT);
}

static const char *const bad[] = {
	"",
	"{",
	"{}",
	"[]",
	"null",
	"\"name\"",
	"{\"name\"}",
	"{\"name\":}",
	"{\"name\":\"a\"",
	"{\"name\":\"a\",}",
	"{,\"name\":\"a\"}",
	"{\"name\":\"a\"}}",
	"{\"name\":\"a\"} x",
	"{\"name\":\"a\";\"count\":3}",
	"{'name':'a'}",
	"{name:\"a\"}",
	"{\"name\":\"a\",\"name\":\"a\"}",
	"{\"name\":\"a\",\"n\\u0061me\":\"a\"}",
	"{\"name\":\"a\",\"other\":1}",
	"{\"name\":1}",
	"{\"name\":null}",
	"{\"name\":[\"a\"]}",
	"{\"name\":{\"a\":1}}",
	"{\"name\":\"a\",\"count\":\"3\"}",
	"{\"name\":\"a\",\"count\":-3}",
	"{\"name\":\"a\",\"count\":+3}",
	"{\"name\":\"a\",\"count\":03}",
	"{\"name\":\"a\",\"count\":3.0}",
	"{\"name\":\"a\",\"count\":3e0}",
	"{\"name\":\"a\",\"flag\":1}",
	"{\"name\":\"a\",\"flag\":True}",
	"{\"name\":\"a\",\"flag\":trueish}",
	"{\"name\":\"a\n\"}",
	"{\"name\":\"\\u0000\"}",
	"{\"name\":\"\\ud800\"}",
	"{\"name\":\"\\udc00\"}",
	"{\"name\":\"\\ud800\\u0041\"}",
	"{\"name\":\"\\u12g4\"}",
	"{\"name\":\"\\x41\"}",
	"{\"name\":\"\\\"}",
	"{\"name\":\"\xff\"}",
	"{\"name\":\"\xc0\xaf\"}",
	"{\"name\":\"\xe0\x80\xaf\"}",
	"{\"name\":\"\xed\xa0\x80\"}",
	"{\"name\":\"\xf4\x90\x80\x80\"}",
	"{\"name\":\"\xc3\"}",
	"\xef\xbb\xbf{\"name\":\"a\"}",
	"{\"name\":\"a\"/* */}",
};

static void bad_bodies_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = read_str(bad[i]);

		if (r == ERR_OK)
			print_message("# taken: %s\n", bad[i]);
		assert_int_not_equal(r, ERR_OK);
		for (size_t k = 0; k < sizeof(out); k++) /* nothing is left behind */
			assert_int_equal(((const uint8_t *)out)[k], 0);
	}
	/* NUL between the tokens, and every prefix of a good body */
	assert_int_not_equal(json_read(span_of("{\0}", 3), fields, COUNT, out), ERR_OK);
	for (size_t n = 0; n < strlen("{\"name\":\"a\",\"count\":3}"); n++)
		assert_int_not_equal(json_read(span_of("{\"name\":\"a\",\"count\":3}", n),
					       fields, COUNT, out),
				     ERR_OK);
}

/* AC-13: what a host name or a comment may hold stays text. */
static void written_text_is_never_markup(void **state)
{
	static const char evil[] =
		"</script><img src=x onerror=alert(1)>&'\"\\\r\n\t\x01\x7f\xff\xc3"
		"\xe2\x80\xa8\xe2\x80\xa9\xc2\x85Ấ";
	char buf[600];
	struct json_out o;

	(void)state;
	json_init(&o, buf, sizeof(buf) - 1);
	json_text(&o, NULL, span_of(evil, sizeof(evil) - 1));
	buf[o.b.n] = '\0';
	assert_false(o.b.is_full);
	assert_string_equal(
		buf,
		"\"\\u003c/script\\u003e\\u003cimg src=x onerror=alert(1)\\u003e\\u0026"
		"\\u0027\\u0022\\u005c\\u000d\\u000a\\u0009\\u0001\\u007f\\ufffd\\ufffd"
		"\\u2028\\u2029\\u0085Ấ\"");
}

static void commas_and_brackets_are_right(void **state)
{
	char buf[200];
	struct json_out o;

	(void)state;
	json_init(&o, buf, sizeof(buf) - 1);
	json_open(&o, NULL, '{');
	json_str(&o, "a", "x");
	json_open(&o, "b", '[');
	json_close(&o, ']');
	json_open(&o, "c", '[');
	json_open(&o, NULL, '{');
	json_u64(&o, "d", UINT64_MAX);
	json_close(&o, '}');
	json_nil(&o, NULL);
	json_close(&o, ']');
	json_bool(&o, "e", false);
	json_close(&o, '}');
	buf[o.b.n] = '\0';
	assert_string_equal(buf,
			    "{\"a\":\"x\",\"b\":[],\"c\":[{\"d\":18446744073709551615},"
			    "null],\"e\":false}");
	json_init(&o, buf, 5);
	json_str(&o, NULL, "abcdef");
	assert_true(o.b.is_full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_bodies_are_read),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(own_limits_are_exact),
		cmocka_unit_test(bad_bodies_are_refused),
		cmocka_unit_test(written_text_is_never_markup),
		cmocka_unit_test(commas_and_brackets_are_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
