/* YMODEM receive, against a sender on a line that spoils bytes. */
#include "test.h"

#include <stdbool.h>
#include <string.h>

#include "lib/ymodem.h"

#define FILE_BYTES 5000
#define SOH 0x01
#define EOT 0x04
#define ACK 0x06
#define NAK 0x15
#define CAN 0x18

static uint8_t sent[FILE_BYTES], got[FILE_BYTES + 100];
static uint32_t seed;

static uint32_t chance(uint32_t below)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 8) % below;
}

static uint16_t crc_of(const uint8_t *p, size_t n)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc = (uint16_t)(crc ^ (uint16_t)(p[i] << 8));
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021
							     : crc << 1);
	}
	return crc;
}

/* A block of 128 or 1024 bytes around @n bytes of data; returns its length. */
static size_t block(uint8_t *out, uint8_t number, const void *data, size_t n)
{
	size_t room = n <= 128 ? 128 : 1024;
	uint16_t crc;

	out[0] = room == 128 ? 1 : 2;
	out[1] = number;
	out[2] = (uint8_t)~number;
	memset(out + 3, number == 0 ? 0 : 0x1a, room);
	memcpy(out + 3, data, n);
	crc = crc_of(out + 3, room);
	out[3 + room] = (uint8_t)(crc >> 8);
	out[4 + room] = (uint8_t)crc;
	return room + 5;
}

/* A sender in the manner of sb: one step a time, answers decide what is next. */
struct sender {
	enum { HEADER, DATA, END, TRAILER, OVER } at;
	size_t pos, size, step;
	uint8_t number;
	bool awaits_c;
};

static size_t sender_send(struct sender *s, uint8_t *out)
{
	static const char head[] = "policy.bundle\0005000 14744";
	size_t n = s->size - s->pos;

	switch (s->at) {
	case HEADER:
		return block(out, 0, head, sizeof(head));
	case DATA:
		if (n > s->step)
			n = s->step;
		return block(out, s->number, sent + s->pos, n);
	case END:
		out[0] = EOT;
		return 1;
	case TRAILER:
		return block(out, 0, "", 1);
	case OVER:
	default:
		return 0;
	}
}

static void sender_go_on(struct sender *s)
{
	switch (s->at) {
	case HEADER:
		s->at = DATA;
		s->number = 1;
		s->awaits_c = true;
		break;
	case DATA:
		s->pos += s->step;
		s->number++;
		if (s->pos >= s->size)
			s->at = END;
		break;
	case END:
		s->at = TRAILER;
		s->awaits_c = true;
		break;
	case TRAILER:
		s->at = OVER;
		break;
	case OVER:
	default:
		break;
	}
}

/* Run a transfer. One byte of @spoil is changed, lost or invented; 0: none. */
static void transfer(struct ymodem *y, struct sender *s, uint32_t spoil)
{
	uint8_t out[1100], line[1200], answer[16];
	uint64_t now_ms = 1000;

	memset(got, 0, sizeof(got));
	ymodem_start(y, got, FILE_BYTES, now_ms);
	for (unsigned turn = 0; turn < 3000; turn++) {
		size_t n = ymodem_output(y, answer, sizeof(answer)), k = 0, m;
		bool is_to_send = false;

		for (size_t i = 0; i < n; i++) {
			uint8_t c = spoil && chance(spoil / 20 + 1) == 0
					    ? (uint8_t)chance(256)
					    : answer[i];

			if (c == ACK && !s->awaits_c && s->at != HEADER) {
				sender_go_on(s);
				is_to_send = !s->awaits_c;
			} else if (c == ACK && s->at == HEADER) {
				sender_go_on(s);
			} else if (c == 'C' || c == NAK) {
				s->awaits_c = false;
				is_to_send = true;
			}
		}
		if (y->state == YMODEM_DONE || y->state == YMODEM_FAILED)
			return;
		if (!is_to_send) {
			now_ms = y->due_ms;
			ymodem_tick(y, now_ms);
			continue;
		}
		m = sender_send(s, out);
		for (size_t i = 0; i < m && k + 2 < sizeof(line); i++) {
			uint32_t luck = spoil ? chance(spoil) : 9;

			if (luck == 0)
				continue;
			line[k++] = luck == 1 ? (uint8_t)chance(256) : out[i];
			if (luck == 2)
				line[k++] = (uint8_t)chance(256);
		}
		ymodem_input(y, span_of(line, k), now_ms);
	}
}

static void fill(void)
{
	seed = 7;
	for (size_t i = 0; i < FILE_BYTES; i++)
		sent[i] = (uint8_t)chance(256);
}

static void a_file_comes_whole(void **state)
{
	static const size_t steps[] = {128, 1024};

	(void)state;
	fill();
	for (size_t i = 0; i < 2; i++) {
		struct sender s = {.size = FILE_BYTES, .step = steps[i]};
		struct ymodem y;

		transfer(&y, &s, 0);
		assert_int_equal(y.state, YMODEM_DONE);
		assert_int_equal(y.n, FILE_BYTES);
		assert_memory_equal(got, sent, FILE_BYTES);
		assert_int_equal(got[FILE_BYTES], 0);
	}
}

/* Whatever the line does: the file is right or there is none. */
static void noise_never_changes_the_file(void **state)
{
	unsigned whole = 0;

	(void)state;
	fill();
	for (uint32_t run = 1; run <= 300; run++) {
		struct sender s = {.size = FILE_BYTES, .step = run % 2 ? 128 : 1024};
		struct ymodem y;

		seed = run;
		transfer(&y, &s, 1000 + run * 20);
		if (y.state != YMODEM_DONE)
			continue;
		whole++;
		assert_int_equal(y.n, FILE_BYTES);
		assert_memory_equal(got, sent, FILE_BYTES);
	}
	assert_true(whole > 200);
}

static void silence_ends_a_transfer(void **state)
{
	struct ymodem y;
	uint8_t out[16];
	unsigned asked = 0;

	(void)state;
	ymodem_start(&y, got, sizeof(got), 0);
	for (unsigned i = 0; i < 100 && y.state == YMODEM_HEADER; i++) {
		size_t n = ymodem_output(&y, out, sizeof(out));

		asked += n == 1 && out[0] == 'C';
		ymodem_tick(&y, y.due_ms);
	}
	assert_int_equal(y.state, YMODEM_FAILED);
	assert_int_equal(y.why, ERR_BUSY);
	assert_int_equal(asked, YMODEM_TRIES_MAX + 1);
	assert_int_equal(ymodem_output(&y, out, 5), 5);
	assert_int_equal(out[0], CAN);
}

static int header(const char *text, size_t n)
{
	uint8_t out[200] = {0};
	struct ymodem y;

	ymodem_start(&y, got, 100, 0);
	ymodem_input(&y, span_of(out, block(out, 0, text, n)), 0);
	return y.state == YMODEM_DATA ? ERR_OK : y.why;
}

static void headers_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(header("a\000100", 6), ERR_OK);
	assert_int_equal(header("a\000101", 6), ERR_LIMIT);
	assert_int_equal(header("a\0000", 4), ERR_LIMIT);
	assert_int_equal(header("a\000", 2), ERR_FORMAT);
	assert_int_equal(header("a\00099999999999999999999", 23), ERR_FORMAT);
	assert_int_equal(header("a\000-1", 5), ERR_FORMAT);
	assert_int_equal(header("\0005", 3), ERR_NOENT);
}

/* EOT before the file is whole, a block too many, a missing one, a cancel. */
static void wrong_orders_are_refused(void **state)
{
	static const uint8_t eot[2] = {EOT, EOT}, can[2] = {CAN, CAN};
	uint8_t out[1100] = {0};
	struct ymodem y;

	(void)state;
	ymodem_start(&y, got, 200, 0);
	ymodem_input(&y, span_of(out, block(out, 0, "a\000200", 6)), 0);
	ymodem_input(&y, span_of(out, block(out, 1, sent, 128)), 0);
	ymodem_input(&y, span_of(eot, 1), 0);
	assert_int_equal(y.state, YMODEM_DATA); /* one EOT may be noise */
	ymodem_input(&y, span_of(eot, 1), 0);
	assert_int_equal(y.why, ERR_SHORT);

	ymodem_start(&y, got, 200, 0);
	ymodem_input(&y, span_of(out, block(out, 0, "a\000200", 6)), 0);
	ymodem_input(&y, span_of(out, block(out, 2, sent, 128)), 0);
	assert_int_equal(y.why, ERR_FORMAT);

	ymodem_start(&y, got, 200, 0);
	ymodem_input(&y, span_of(out, block(out, 0, "a\000100", 6)), 0);
	ymodem_input(&y, span_of(out, block(out, 1, sent, 128)), 0);
	ymodem_input(&y, span_of(out, block(out, 2, sent, 128)), 0);
	assert_int_equal(y.why, ERR_TRAILING);

	ymodem_start(&y, got, 200, 0);
	ymodem_input(&y, span_of(can, 1), 0);
	assert_int_equal(y.state, YMODEM_HEADER);
	ymodem_input(&y, span_of(can, 1), 0);
	assert_int_equal(y.why, ERR_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_comes_whole),
		cmocka_unit_test(noise_never_changes_the_file),
		cmocka_unit_test(silence_ends_a_transfer),
		cmocka_unit_test(headers_are_bounded),
		cmocka_unit_test(wrong_orders_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
