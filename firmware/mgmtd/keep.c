/*
 * DESIGN: after its start webd can neither open nor rename. So two files are opened
 * before, and written in turn: the text with a head that counts and a hash over all
 * of it. The newest whole one is valid; a power cut while one is written leaves the
 * other. Layout, little endian: "LTKEEP1\n", u64 count, u32 bytes, SHA-256 of count,
 * bytes and text, then the text.
 *
 * On a new device there is neither; the flashing tool may have left a text in the
 * file `first`, which is then saved.
 */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/sha256.h>

#include "file.h"
#include "wipe.h"

#define MAGIC "LTKEEP1\n"
#define MAGIC_BYTES 8
#define HASH_AT (MAGIC_BYTES + 8 + 4)
#define HEAD_BYTES (HASH_AT + 32)
#define FIRST_FILE "first"

static const char *const names[2] = {"accounts.0", "accounts.1"};

static int hash(const uint8_t head[HEAD_BYTES], struct span text, uint8_t out[32])
{
	mbedtls_sha256_context c;
	int r;

	mbedtls_sha256_init(&c);
	r = mbedtls_sha256_starts(&c, 0);
	if (r == 0)
		r = mbedtls_sha256_update(&c, head + MAGIC_BYTES, HASH_AT - MAGIC_BYTES);
	if (r == 0)
		r = mbedtls_sha256_update(&c, text.p, text.n);
	if (r == 0)
		r = mbedtls_sha256_finish(&c, out);
	mbedtls_sha256_free(&c);
	return r == 0 ? ERR_OK : ERR_INTERNAL;
}

/* Read one file. ERR_FORMAT: it holds no whole text. */
static int load(int fd, uint8_t *text, size_t max, size_t *n, uint64_t *count)
{
	uint8_t head[HEAD_BYTES] = {0}, sum[32];
	uint32_t low = 0, high = 0, bytes = 0;
	struct span in = span_of(head + MAGIC_BYTES, HASH_AT - MAGIC_BYTES);

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, MAGIC, MAGIC_BYTES) != 0 || span_get_le32(&in, &low) != ERR_OK ||
	    span_get_le32(&in, &high) != ERR_OK || span_get_le32(&in, &bytes) != ERR_OK ||
	    bytes > max || pread(fd, text, bytes, HEAD_BYTES) != (ssize_t)bytes ||
	    hash(head, span_of(text, bytes), sum) != ERR_OK ||
	    memcmp(sum, head + HASH_AT, sizeof(sum)) != 0)
		return ERR_FORMAT;
	*n = bytes;
	*count = (uint64_t)high << 32 | low;
	return ERR_OK;
}

static int load_first(struct keep *k, int folder, uint8_t *text, size_t max, size_t *n)
{
	uint8_t *p = NULL;
	size_t got = 0;
	int r = file_load_at(folder, FIRST_FILE, max, &p, &got);

	*n = 0;
	if (r == ERR_NOENT)
		return ERR_OK;
	if (r != ERR_OK)
		return r;
	memcpy(text, p, got);
	*n = got;
	wipe(p, got);
	free(p);
	r = keep_save(k, span_of(text, got));
	if (r == ERR_OK && unlinkat(folder, FIRST_FILE, 0) != 0)
		r = ERR_SYS;
	return r;
}

/*
 * Open the files and read the text.
 *
 * @folder  this user's own
 * @text    room for the text, at most @max bytes
 * @n       set to its size; 0: there is none yet
 *
 * Returns ERR_OK, ERR_SYS (errno is set), ERR_LIMIT, ERR_NOMEM or ERR_INTERNAL.
 */
int keep_open(struct keep *k, int folder, uint8_t *text, size_t max, size_t *n)
{
	uint64_t count;
	bool has_any = false;

	memset(k, 0, sizeof(*k));
	for (unsigned i = 0; i < 2; i++) {
		k->fd[i] = openat(folder, names[i],
				  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (k->fd[i] < 0)
			return ERR_SYS;
	}
	if (fsync(folder) != 0)
		return ERR_SYS;
	for (unsigned i = 0; i < 2; i++) {
		if (load(k->fd[i], text, max, n, &count) != ERR_OK ||
		    (has_any && count < k->count))
			continue;
		has_any = true;
		k->newest = i;
		k->count = count;
	}
	if (!has_any)
		return load_first(k, folder, text, max, n);
	return load(k->fd[k->newest], text, max, n, &count);
}

/*
 * Replace the text. After ERR_OK it is on the disk; after an error the one before
 * still is.
 *
 * Returns ERR_OK, ERR_SYS (errno is set), ERR_LIMIT or ERR_INTERNAL.
 */
int keep_save(struct keep *k, struct span text)
{
	unsigned at = k->count ? 1 - k->newest : 0;
	uint8_t head[HEAD_BYTES];
	struct sbuf b;

	if (text.n > ACCOUNTS_FILE_MAX)
		return ERR_LIMIT;
	sbuf_init(&b, head, sizeof(head));
	sbuf_put(&b, MAGIC, MAGIC_BYTES);
	sbuf_put_le32(&b, (uint32_t)(k->count + 1));
	sbuf_put_le32(&b, (uint32_t)((k->count + 1) >> 32));
	sbuf_put_le32(&b, (uint32_t)text.n);
	if (hash(head, text, head + HASH_AT) != ERR_OK)
		return ERR_INTERNAL;
	if (ftruncate(k->fd[at], 0) != 0 ||
	    pwrite(k->fd[at], text.p, text.n, HEAD_BYTES) != (ssize_t)text.n ||
	    pwrite(k->fd[at], head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    fdatasync(k->fd[at]) != 0)
		return ERR_SYS;
	k->newest = at;
	k->count++;
	return ERR_OK;
}
