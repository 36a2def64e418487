/*
 * Spans and output buffers: every reader must stop at the end and leave the
 * input alone when it fails; every writer must write all or nothing.
 */
#include "test.h"

#include <string.h>
#include "lib/span.h"

static void take_moves_and_borrows(void **state)
{
	const char text[] = "abcdef";
	struct span in = span_str(text), out;

	(void)state;
	assert_int_equal(span_take(&in, 4, &out), ERR_OK);
	assert_ptr_equal(out.p, text);
	assert_int_equal(out.n, 4);
	assert_ptr_equal(in.p, text + 4);
	assert_int_equal(in.n, 2);
	assert_int_equal(span_take(&in, 2, &out), ERR_OK);
	assert_int_equal(in.n, 0);
	assert_int_equal(span_take(&in, 0, &out), ERR_OK);
	assert_int_equal(out.n, 0);
}

static void take_past_end_changes_nothing(void **state)
{
	struct span in = span_str("abc"), out = span_str("old");
	const struct span before = in;

	(void)state;
	assert_int_equal(span_take(&in, 4, &out), ERR_SHORT);
	assert_int_equal(span_take(&in, SIZE_MAX, &out), ERR_SHORT);
	assert_memory_equal(&in, &before, sizeof(in));
	assert_true(span_eq_str(out, "old"));
}

static void line_needs_its_lf(void **state)
{
	struct span in = span_str("one\n\ntail"), line;

	(void)state;
	assert_int_equal(span_take_line(&in, &line), ERR_OK);
	assert_true(span_eq_str(line, "one"));
	assert_int_equal(span_take_line(&in, &line), ERR_OK);
	assert_int_equal(line.n, 0);
	assert_int_equal(span_take_line(&in, &line), ERR_SHORT);
	assert_true(span_eq_str(in, "tail"));
	in = span_of(NULL, 0);
	assert_int_equal(span_take_line(&in, &line), ERR_SHORT);
}

static void line_keeps_cr_and_nul(void **state)
{
	struct span in = span_of("a\0b\r\n", 5), line;

	(void)state;
	assert_int_equal(span_take_line(&in, &line), ERR_OK);
	assert_true(span_eq(line, span_of("a\0b\r", 4)));
	assert_int_equal(in.n, 0);
}

static void words_are_split_at_single_spaces(void **state)
{
	struct span in = span_str("ab c def"), word;

	(void)state;
	assert_int_equal(span_take_word(&in, &word), ERR_OK);
	assert_true(span_eq_str(word, "ab"));
	assert_int_equal(span_take_word(&in, &word), ERR_OK);
	assert_true(span_eq_str(word, "c"));
	assert_int_equal(span_take_word(&in, &word), ERR_OK);
	assert_true(span_eq_str(word, "def"));
	assert_int_equal(span_take_word(&in, &word), ERR_SHORT);
}

static void empty_words_are_refused(void **state)
{
	static const char *const bad[] = {" a", " ", "a ", "  "};
	struct span in, word;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		in = span_str(bad[i]);
		assert_int_equal(span_take_word(&in, &word), ERR_FORMAT);
		assert_true(span_eq_str(in, bad[i]));
	}
	in = span_str("a  b");
	assert_int_equal(span_take_word(&in, &word), ERR_OK);
	assert_int_equal(span_take_word(&in, &word), ERR_FORMAT);
}

static void numbers_have_their_byte_order(void **state)
{
	static const uint8_t raw[] = {0x81, 0x82, 0x83, 0xff, 0x01};
	struct span in;
	uint8_t v8;
	uint16_t v16;
	uint32_t v32;

	(void)state;
	in = span_of(raw, 5);
	assert_int_equal(span_get_u8(&in, &v8), ERR_OK);
	assert_int_equal(v8, 0x81);
	in = span_of(raw, 5);
	assert_int_equal(span_get_be16(&in, &v16), ERR_OK);
	assert_int_equal(v16, 0x8182);
	in = span_of(raw, 5);
	assert_int_equal(span_get_le16(&in, &v16), ERR_OK);
	assert_int_equal(v16, 0x8281);
	in = span_of(raw, 5);
	assert_int_equal(span_get_be32(&in, &v32), ERR_OK);
	assert_int_equal(v32, 0x818283ff);
	in = span_of(raw, 5);
	assert_int_equal(span_get_le32(&in, &v32), ERR_OK);
	assert_int_equal(v32, 0xff838281);
	assert_int_equal(in.n, 1);
}

static void short_numbers_change_nothing(void **state)
{
	static const uint8_t raw[3] = {1, 2, 3};
	uint8_t v8 = 7;
	uint16_t v16 = 7;
	uint32_t v32 = 7;

	(void)state;
	for (size_t n = 0; n < 4; n++) {
		struct span in = span_of(raw, n);

		assert_int_equal(span_get_be32(&in, &v32), ERR_SHORT);
		assert_int_equal(span_get_le32(&in, &v32), ERR_SHORT);
		if (n < 2) {
			assert_int_equal(span_get_be16(&in, &v16), ERR_SHORT);
			assert_int_equal(span_get_le16(&in, &v16), ERR_SHORT);
		}
		if (n < 1)
			assert_int_equal(span_get_u8(&in, &v8), ERR_SHORT);
		assert_int_equal(in.n, n);
	}
	assert_int_equal(v8, 7);
	assert_int_equal(v16, 7);
	assert_int_equal(v32, 7);
}

static void decimal_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int result;
		uint64_t value;
	} cases[] = {
		{"0", 0, ERR_OK, 0},
		{"9", UINT64_MAX, ERR_OK, 9},
		{"65535", 65535, ERR_OK, 65535},
		{"65536", 65535, ERR_RANGE, 0},
		{"18446744073709551615", UINT64_MAX, ERR_OK, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, ERR_RANGE, 0},
		{"28446744073709551615", UINT64_MAX, ERR_RANGE, 0},
		{"99999999999999999999999", UINT64_MAX, ERR_RANGE, 0},
		{"", 10, ERR_FORMAT, 0},
		{"00", 10, ERR_FORMAT, 0},
		{"01", 10, ERR_FORMAT, 0},
		{"-1", 10, ERR_FORMAT, 0},
		{"+1", 10, ERR_FORMAT, 0},
		{" 1", 10, ERR_FORMAT, 0},
		{"1 ", 10, ERR_FORMAT, 0},
		{"1:", 10, ERR_FORMAT, 0},
		{"1/", 10, ERR_FORMAT, 0},
		{"0x1", 10, ERR_FORMAT, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 4711;
		int r = span_to_u64(span_str(cases[i].text), cases[i].max, &v);

		if (r != cases[i].result)
			fail_msg("\"%s\": got %d", cases[i].text, r);
		assert_true(v == (r == ERR_OK ? cases[i].value : 4711));
	}
}

static void equality_is_about_bytes_and_length(void **state)
{
	(void)state;
	assert_true(span_eq(span_of(NULL, 0), span_of("", 0)));
	assert_true(span_eq_str(span_str("a"), "a"));
	assert_false(span_eq_str(span_str("a"), "b"));
	assert_false(span_eq_str(span_str("a"), "ab"));
	assert_false(span_eq_str(span_str("ab"), "a"));
}

static void buffer_takes_what_fits(void **state)
{
	uint8_t room[9];
	struct sbuf b;

	(void)state;
	memset(room, 0xee, sizeof(room));
	sbuf_init(&b, room, 7);
	sbuf_put_u8(&b, 0x01);
	sbuf_put_le16(&b, 0x0203);
	sbuf_put_le32(&b, 0x04050607);
	assert_false(b.is_full);
	assert_int_equal(b.n, 7);
	assert_memory_equal(room, "\x01\x03\x02\x07\x06\x05\x04\xee\xee", 9);
	sbuf_put(&b, NULL, 0);
	assert_false(b.is_full);
}

static void full_buffer_stays_full_and_unchanged(void **state)
{
	uint8_t room[4];
	struct sbuf b;

	(void)state;
	memset(room, 0xee, sizeof(room));
	sbuf_init(&b, room, 3);
	sbuf_put_le32(&b, 0);
	assert_true(b.is_full);
	assert_int_equal(b.n, 0);
	sbuf_put_u8(&b, 0);
	sbuf_putf(&b, "x");
	assert_int_equal(b.n, 0);
	assert_memory_equal(room, "\xee\xee\xee\xee", 4);
	sbuf_init(&b, room, 3);
	sbuf_put_u8(&b, 0xaa);
	sbuf_put(&b, room, SIZE_MAX); /* 1 + SIZE_MAX is 0 */
	assert_true(b.is_full);
}

static void formatted_text_is_whole_or_absent(void **state)
{
	char room[8];
	struct sbuf b;

	(void)state;
	memset(room, '#', sizeof(room));
	sbuf_init(&b, room, 7);
	sbuf_putf(&b, "%d-%s", 12, "ab");
	assert_false(b.is_full);
	assert_int_equal(b.n, 5);
	assert_memory_equal(room, "12-ab", 5);
	sbuf_putf(&b, "%s", "xy"); /* two bytes are left, the NUL needs a third */
	assert_true(b.is_full);
	assert_int_equal(b.n, 5);
	assert_int_equal(room[7], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_moves_and_borrows),
		cmocka_unit_test(take_past_end_changes_nothing),
		cmocka_unit_test(line_needs_its_lf),
		cmocka_unit_test(line_keeps_cr_and_nul),
		cmocka_unit_test(words_are_split_at_single_spaces),
		cmocka_unit_test(empty_words_are_refused),
		cmocka_unit_test(numbers_have_their_byte_order),
		cmocka_unit_test(short_numbers_change_nothing),
		cmocka_unit_test(decimal_numbers),
		cmocka_unit_test(equality_is_about_bytes_and_length),
		cmocka_unit_test(buffer_takes_what_fits),
		cmocka_unit_test(full_buffer_stays_full_and_unchanged),
		cmocka_unit_test(formatted_text_is_whole_or_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
