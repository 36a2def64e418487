/*
 * Any bytes as the line of a YMODEM transfer, as a script: B and K lines are blocks,
 * "E" is EOT, "~c" lets time pass, any other line arrives as it is. Nothing is
 * written past the room, and a whole file is as long as its header said.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/ymodem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 2000

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

/* A line "B0name|200" or "K1data" as a block of 128 or 1024 bytes: its number, then
 * its data, "|" for NUL; the checksum, which cannot be guessed, is put behind it. */
static size_t make_block(struct span line, uint8_t out[3 + YMODEM_BLOCK_MAX + 2])
{
	size_t room = line.p[0] == 'B' ? 128 : YMODEM_BLOCK_MAX;
	uint16_t crc;

	out[0] = line.p[0] == 'B' ? 1 : 2;
	out[1] = line.n > 1 ? (uint8_t)(line.p[1] - '0') : 0;
	out[2] = (uint8_t)~out[1];
	memset(out + 3, 0, room);
	for (size_t i = 2; i < line.n && i - 2 < room; i++)
		out[1 + i] = line.p[i] == '|' ? 0 : line.p[i];
	crc = crc_of(out + 3, room);
	out[3 + room] = (uint8_t)(crc >> 8);
	out[4 + room] = (uint8_t)crc;
	return room + 5;
}

/* One line of the script. */
static void play(struct ymodem *y, struct span line, uint64_t *now_ms)
{
	static const uint8_t eot[1] = {4};
	uint8_t block[3 + YMODEM_BLOCK_MAX + 2] = {0};

	if (line.n && (line.p[0] == 'B' || line.p[0] == 'K')) {
		ymodem_input(y, span_of(block, make_block(line, block)), *now_ms);
	} else if (line.n == 1 && line.p[0] == 'E') {
		ymodem_input(y, span_of(eot, 1), *now_ms);
	} else if (line.n == 2 && line.p[0] == '~') {
		*now_ms += (uint64_t)line.p[1] * 50;
		ymodem_tick(y, *now_ms);
	} else {
		ymodem_input(y, line, *now_ms);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(ROOM), out[16];
	struct span in = span_of(data, size), line;
	uint64_t now_ms = 0;
	struct ymodem y;

	if (!file)
		abort();
	ymodem_start(&y, file, ROOM, 0);
	while (span_take_line(&in, &line) == ERR_OK) {
		play(&y, line, &now_ms);
		(void)ymodem_output(&y, out, line.n % (sizeof(out) + 1));
		if (y.n > y.size || y.size > ROOM || y.have > sizeof(y.block) ||
		    y.out_n > sizeof(y.out))
			abort();
	}
	ymodem_input(&y, in, now_ms);
	if (y.state == YMODEM_DONE && (y.n != y.size || y.n == 0))
		abort();
	free(file);
	return 0;
}
