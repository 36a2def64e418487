/*
 * Any bytes as the line of a YMODEM transfer. A byte 0xff, n in the input lets
 * time pass; the rest arrives. Bounded: nothing is written past the room, and a
 * whole file is as long as its header said.
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

/* Checksums cannot be guessed: put the right one behind a block that begins here. */
static size_t mend(uint8_t *p, size_t n)
{
	size_t room = p[0] == 1 ? 128 : 1024;
	uint16_t crc;

	if (n < room + 5)
		return 1;
	p[2] = (uint8_t)~p[1];
	crc = crc_of(p + 3, room);
	p[3 + room] = (uint8_t)(crc >> 8);
	p[4 + room] = (uint8_t)crc;
	return room + 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(ROOM), *line = malloc(size ? size : 1), out[16];
	uint64_t now_ms = 0;
	struct ymodem y;

	if (!file || !line)
		abort();
	if (size)
		memcpy(line, data, size);
	ymodem_start(&y, file, ROOM, 0);
	for (size_t i = 0; i < size;) {
		size_t n = 1;

		if (line[i] == 0xff && i + 1 < size) {
			now_ms += (uint64_t)line[i + 1] * 50;
			ymodem_tick(&y, now_ms);
			i += 2;
			continue;
		}
		if (line[i] == 1 || line[i] == 2)
			n = mend(line + i, size - i);
		ymodem_input(&y, span_of(line + i, n), now_ms);
		(void)ymodem_output(&y, out, line[i] % sizeof(out));
		if (y.n > y.size || y.size > ROOM || y.have > sizeof(y.block) ||
		    y.out_n > sizeof(y.out))
			abort();
		i += n;
	}
	if (y.state == YMODEM_DONE && (y.n != y.size || y.n == 0))
		abort();
	free(line);
	free(file);
	return 0;
}
