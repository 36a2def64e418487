/*
 * DESIGN: every block stands alone: number, complement, CRC. After anything that
 * is no block the rest is thrown away until the line is quiet, then the sender is
 * asked to repeat: so a lost or invented byte costs one block. A block is stored
 * only when it is the expected one; the one before is acknowledged again (the
 * answer was lost). EOT, a single byte that noise can make, counts the second
 * time. The file is exactly as long as its header says.
 *
 * Source: Forsberg, "XMODEM/YMODEM Protocol Reference" (1988), chapters 4 to 7.
 */
#include "ymodem.h"

#include <string.h>

#define SOH 0x01
#define STX 0x02
#define EOT 0x04
#define ACK 0x06
#define NAK 0x15
#define CAN 0x18
#define ASK_CRC 'C'
#define NAME_MAX_BYTES 100

static void say(struct ymodem *y, uint8_t c)
{
	if (y->out_n < sizeof(y->out))
		y->out[y->out_n++] = c; /* else the sender's own timeout repeats */
}

static void fail(struct ymodem *y, int why)
{
	y->state = YMODEM_FAILED;
	y->why = why;
	y->out_n = 0;
	for (int i = 0; i < 5; i++)
		say(y, CAN);
	for (int i = 0; i < 5; i++)
		say(y, '\b'); /* in case a person's shell gets them */
}

/* Ask for what is expected, now that the last answer has brought nothing. */
static void ask_again(struct ymodem *y, uint64_t now_ms)
{
	if (++y->failures > YMODEM_TRIES_MAX) {
		fail(y, ERR_BUSY);
		return;
	}
	say(y, y->state == YMODEM_DATA ? NAK : ASK_CRC);
	y->due_ms = now_ms + YMODEM_WAIT_MS;
}

/*
 * Begin to receive.
 *
 * @file  caller's storage for @max bytes, filled as blocks come
 */
void ymodem_start(struct ymodem *y, void *file, size_t max, uint64_t now_ms)
{
	memset(y, 0, sizeof(*y));
	y->state = YMODEM_HEADER;
	y->file = file;
	y->max = max;
	say(y, ASK_CRC);
	y->due_ms = now_ms + YMODEM_WAIT_MS;
}

static uint16_t crc16(const uint8_t *p, size_t n)
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

/* The header block: name, NUL, size in decimal, then what nobody needs. */
static void take_header(struct ymodem *y, struct span data)
{
	const uint8_t *end = memchr(data.p, 0, data.n);
	struct span size;
	uint64_t value;
	size_t n = 0;

	if (!end || end - data.p > NAME_MAX_BYTES) {
		fail(y, ERR_FORMAT);
		return;
	}
	size = span_of(end + 1, data.n - (size_t)(end - data.p) - 1);
	while (n < size.n && size.p[n] >= '0' && size.p[n] <= '9')
		n++;
	if (end == data.p) {
		fail(y, ERR_NOENT); /* an empty batch: no file */
	} else if (span_to_u64(span_of(size.p, n), UINT64_MAX, &value) != ERR_OK) {
		fail(y, ERR_FORMAT); /* a sender that does not say the size */
	} else if (value == 0 || value > y->max) {
		fail(y, ERR_LIMIT);
	} else {
		y->size = (size_t)value;
		y->state = YMODEM_DATA;
		y->next = 1;
		say(y, ACK);
		say(y, ASK_CRC);
	}
}

static void take_data(struct ymodem *y, struct span data)
{
	size_t n = y->size - y->n < data.n ? y->size - y->n : data.n;

	if (n == 0) {
		fail(y, ERR_TRAILING);
		return;
	}
	memcpy(y->file + y->n, data.p, n);
	y->n += n;
	y->next++;
	say(y, ACK);
}

/* A whole block with a right checksum. */
static void take_block(struct ymodem *y, uint8_t number, struct span data)
{
	if (y->state == YMODEM_DATA && number == y->next) {
		take_data(y, data);
	} else if (y->state == YMODEM_DATA && number == (uint8_t)(y->next - 1)) {
		say(y, ACK);
		if (y->n == 0)
			say(y, ASK_CRC); /* the header once more */
	} else if (y->state == YMODEM_DATA || number != 0) {
		fail(y, ERR_FORMAT); /* a block is missing: cannot be mended */
	} else if (y->state == YMODEM_HEADER) {
		take_header(y, data);
	} else {
		say(y, ACK);
		if (data.p[0] == 0)
			y->state = YMODEM_DONE;
		else
			fail(y, ERR_LIMIT); /* a second file */
	}
}

static void end_block(struct ymodem *y, uint64_t now_ms)
{
	size_t n = y->want - 5;
	uint16_t crc = (uint16_t)(y->block[3 + n] << 8 | y->block[3 + n + 1]);
	bool is_good =
		(y->block[1] ^ y->block[2]) == 0xff && crc16(y->block + 3, n) == crc;

	y->have = 0;
	y->want = 0;
	y->saw_eot = false;
	if (!is_good) {
		y->is_skipping = true;
		y->due_ms = now_ms + YMODEM_QUIET_MS;
		return;
	}
	y->failures = 0;
	y->due_ms = now_ms + YMODEM_WAIT_MS;
	take_block(y, y->block[1], span_of(y->block + 3, n));
}

static void take_eot(struct ymodem *y)
{
	if (y->state != YMODEM_DATA) {
		say(y, ACK); /* ours was lost */
		say(y, ASK_CRC);
	} else if (!y->saw_eot) {
		y->saw_eot = true;
		say(y, NAK);
	} else if (y->n < y->size) {
		fail(y, ERR_SHORT);
	} else {
		y->state = YMODEM_TRAILER;
		say(y, ACK);
		say(y, ASK_CRC);
	}
}

/* A byte between two blocks. */
static void take_start(struct ymodem *y, uint8_t c, uint64_t now_ms)
{
	bool saw_can = y->saw_can;

	y->saw_can = c == CAN;
	if (c == SOH || c == STX) {
		y->block[0] = c;
		y->have = 1;
		y->want = 5 + (c == SOH ? 128 : YMODEM_BLOCK_MAX);
		y->due_ms = now_ms + YMODEM_WAIT_MS;
	} else if (c == EOT && y->state != YMODEM_HEADER) {
		y->due_ms = now_ms + YMODEM_WAIT_MS;
		take_eot(y);
	} else if (c == CAN && saw_can) {
		fail(y, ERR_REFUSED);
	} else if (c != CAN) {
		y->is_skipping = true;
		y->due_ms = now_ms + YMODEM_QUIET_MS;
	}
}

/*
 * Take bytes of the line. What comes after the end of the transfer is dropped.
 */
void ymodem_input(struct ymodem *y, struct span in, uint64_t now_ms)
{
	for (size_t i = 0; i < in.n; i++) {
		if (y->state == YMODEM_DONE || y->state == YMODEM_FAILED)
			return;
		if (y->is_skipping) {
			y->due_ms = now_ms + YMODEM_QUIET_MS;
		} else if (y->want == 0) {
			take_start(y, in.p[i], now_ms);
		} else {
			y->block[y->have++] = in.p[i];
			if (y->have == y->want)
				end_block(y, now_ms);
		}
	}
}

/*
 * Time has passed: call at y->due_ms, or whenever one likes.
 */
void ymodem_tick(struct ymodem *y, uint64_t now_ms)
{
	if (y->state == YMODEM_DONE || y->state == YMODEM_FAILED || now_ms < y->due_ms)
		return;
	y->is_skipping = false;
	y->saw_can = false;
	y->have = 0;
	y->want = 0;
	ask_again(y, now_ms);
}

/*
 * Give up; the sender is told.
 */
void ymodem_cancel(struct ymodem *y)
{
	if (y->state != YMODEM_DONE && y->state != YMODEM_FAILED)
		fail(y, ERR_REFUSED);
}

/*
 * What to send to the line now, at most @max bytes. Returns how many.
 */
size_t ymodem_output(struct ymodem *y, uint8_t *out, size_t max)
{
	size_t n = y->out_n < max ? y->out_n : max;

	memcpy(out, y->out, n);
	memmove(y->out, y->out + n, y->out_n - n);
	y->out_n -= n;
	return n;
}
