/*
 * YMODEM, receiving side: one file with its size, CRC-16, blocks of 128 and 1024
 * bytes. Bytes in, bytes out, a clock; nothing is allocated, nothing is trusted.
 */
#ifndef LUYTRE_YMODEM_H
#define LUYTRE_YMODEM_H

#include "span.h"

#define YMODEM_BLOCK_MAX 1024
#define YMODEM_TRIES_MAX 10 /* failures in a row, then the transfer is given up */
#define YMODEM_WAIT_MS 3000 /* until the sender is asked again */
#define YMODEM_QUIET_MS 300 /* silence that ends what is thrown away */

enum ymodem_state {
	YMODEM_HEADER,  /* name and size are expected */
	YMODEM_DATA,    /* blocks of the file, then EOT */
	YMODEM_TRAILER, /* the empty header that ends a batch */
	YMODEM_DONE,    /* the file is whole */
	YMODEM_FAILED,  /* see why */
};

struct ymodem {
	enum ymodem_state state;
	int why;          /* YMODEM_FAILED: ERR_* */
	uint8_t *file;    /* caller's */
	size_t max, size; /* room; size that the header says */
	size_t n;         /* bytes of the file that have come */
	uint8_t block[3 + YMODEM_BLOCK_MAX + 2];
	size_t have, want; /* bytes of the block; want 0: between blocks */
	uint8_t next;      /* number of the block that is expected */
	bool is_skipping;  /* after an error, until the line is quiet */
	bool saw_eot, saw_can;
	unsigned failures; /* in a row */
	uint64_t due_ms;
	uint8_t out[16];
	size_t out_n;
};

void ymodem_start(struct ymodem *y, void *file, size_t max, uint64_t now_ms);
void ymodem_input(struct ymodem *y, struct span in, uint64_t now_ms);
void ymodem_tick(struct ymodem *y, uint64_t now_ms);
void ymodem_cancel(struct ymodem *y);
size_t ymodem_output(struct ymodem *y, uint8_t *out, size_t max);

#endif
