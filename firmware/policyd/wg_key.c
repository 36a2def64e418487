/*
 * DESIGN: the private key of a tunnel is made here when the tunnel is applied
 * for the first time. It is stored, flushed and renamed before the kernel gets
 * it, so that a peer never learns a public key that a power cut takes away. A
 * file that is no key is replaced and said so: the tunnel then waits for its
 * peers to learn the new key, and the rest of the policy comes into force. The
 * file stays when the tunnel leaves the configuration.
 */
#include "wg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "b64.h"
#include "say.h"
#include "wipe.h"

#define FILE_PREFIX "wireguard-" /* FORMAT.store.md: beside the store, not of it */
#define FILE_MAX_BYTES 64

/* Clamped as Curve25519 wants it (RFC 7748 5). */
static int make_key(uint8_t key[CFG_KEY_BYTES])
{
	if (getrandom(key, CFG_KEY_BYTES, 0) != CFG_KEY_BYTES)
		return ERR_SYS;
	key[0] &= 248;
	key[31] &= 127;
	key[31] |= 64;
	return ERR_OK;
}

static bool is_key(const uint8_t key[CFG_KEY_BYTES])
{
	return (key[0] & 7) == 0 && (key[31] & 192) == 64;
}

static int read_key(const struct store_io *io, void *arg, const char *file,
		    uint8_t key[CFG_KEY_BYTES])
{
	uint8_t *text = NULL;
	size_t n = 0, got = 0;
	int r = io->read(arg, file, FILE_MAX_BYTES, &text, &n);

	if (r == ERR_LIMIT)
		return ERR_FORMAT;
	if (r != ERR_OK)
		return r;
	r = ERR_FORMAT;
	if (n == CFG_KEY_TEXT_BYTES && text[n - 1] == '\n')
		r = b64_decode(span_of(text, n - 1), key, CFG_KEY_BYTES, &got);
	if (r == ERR_OK && (got != CFG_KEY_BYTES || !is_key(key)))
		r = ERR_FORMAT;
	wipe(text, n);
	free(text);
	return r;
}

static int write_all(const struct store_io *io, void *arg, int f, const char *p, size_t n)
{
	while (n > 0) {
		long done = io->write(arg, f, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return ERR_SYS;
		p += done;
		n -= (size_t)done;
	}
	return io->sync(arg, f) == 0 ? ERR_OK : ERR_SYS;
}

/* Durable before it returns. */
static int save_key(const struct store_io *io, void *arg, const char *file,
		    const uint8_t key[CFG_KEY_BYTES])
{
	char text[CFG_KEY_TEXT_BYTES], next[FILE_MAX_BYTES];
	int r = ERR_SYS, f;

	(void)snprintf(next, sizeof(next), "%.50s.new", file);
	cfg_key_text(key, text);
	text[CFG_KEY_TEXT_BYTES - 1] = '\n';
	f = io->create(arg, next);
	if (f >= 0) {
		r = write_all(io, arg, f, text, sizeof(text));
		if (io->close(arg, f) != 0)
			r = ERR_SYS;
	}
	if (r == ERR_OK &&
	    (io->rename(arg, next, file) != 0 || io->sync_folder(arg) != 0))
		r = ERR_SYS;
	wipe(text, sizeof(text));
	return r;
}

/*
 * The private key of a tunnel; it is made when there is none.
 *
 * @io, @arg  the folder it is kept in
 * @name      of the port
 * @key       belongs to the caller, who wipes it
 *
 * Returns ERR_OK, or ERR_SYS, ERR_NOMEM with @why: there is no key that would
 * be there after a restart.
 */
int wg_key(const struct store_io *io, void *arg, const char *name,
	   uint8_t key[CFG_KEY_BYTES], char *why, size_t why_max)
{
	char file[FILE_MAX_BYTES];
	const char *how;
	int r;

	(void)snprintf(file, sizeof(file), FILE_PREFIX "%.20s", name);
	r = read_key(io, arg, file, key);
	if (r == ERR_OK)
		return r;
	how = r == ERR_NOENT ? "made" : "replaced";
	if (r == ERR_NOENT || r == ERR_FORMAT || r == ERR_TYPE) {
		r = make_key(key);
		if (r == ERR_OK)
			r = save_key(io, arg, file, key);
	}
	if (r != ERR_OK) {
		wipe(key, CFG_KEY_BYTES);
		(void)snprintf(why, why_max, "port %s: storing its private key: %s", name,
			       r == ERR_SYS ? strerror(errno) : err_text(r));
		return r;
	}
	say("tunnel-key", "port=%s how=%s", name, how);
	return ERR_OK;
}
