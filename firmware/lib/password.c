/*
 * DESIGN: PBKDF2 and not Argon2id: mbedTLS has the former, the appliance has no
 * second cryptographic library, and 64 MiB for one login are not to be had on
 * the smallest board. One block of SHA-512 (64 bytes) is computed and cut to 32.
 */
#include "password.h"

#include <string.h>
#include "wipe.h"

#if !defined(MBEDTLS_SHA512_C)
_Static_assert(0, "passwords need SHA-512");
#endif

#define BLOCK_BYTES 128 /* of SHA-512 */
#define DIGEST_BYTES 64

/* The software implementation of SHA-512 fails only on bad arguments; one of a
 * driver could fail otherwise. A failure spoils the result: nothing is equal. */
static bool hash_on(const mbedtls_sha512_context *from, const uint8_t *p, size_t n,
		    uint8_t out[DIGEST_BYTES])
{
	mbedtls_sha512_context c;
	bool is_ok;

	mbedtls_sha512_init(&c);
	mbedtls_sha512_clone(&c, from);
	is_ok = mbedtls_sha512_update(&c, p, n) == 0 &&
		mbedtls_sha512_finish(&c, out) == 0;
	mbedtls_sha512_free(&c);
	return is_ok;
}

static bool hmac(const struct password_work *w, const uint8_t *p, size_t n,
		 uint8_t out[DIGEST_BYTES])
{
	return hash_on(&w->inner, p, n, out) &&
	       hash_on(&w->outer, out, DIGEST_BYTES, out);
}

static bool key_side(mbedtls_sha512_context *c, const uint8_t key[BLOCK_BYTES],
		     uint8_t pad)
{
	uint8_t block[BLOCK_BYTES];
	bool is_ok;

	for (size_t i = 0; i < BLOCK_BYTES; i++)
		block[i] = key[i] ^ pad;
	is_ok = mbedtls_sha512_starts(c, 0) == 0 &&
		mbedtls_sha512_update(c, block, sizeof(block)) == 0;
	wipe(block, sizeof(block));
	return is_ok;
}

static bool begin(struct password_work *w, struct span password, const uint8_t *salt)
{
	uint8_t key[BLOCK_BYTES] = {0}, first[PASSWORD_SALT_BYTES + 4] = {0};
	bool is_ok = true;

	if (password.n > BLOCK_BYTES)
		is_ok = mbedtls_sha512(password.p, password.n, key, 0) == 0;
	else if (password.n)
		memcpy(key, password.p, password.n);
	memcpy(first, salt, PASSWORD_SALT_BYTES);
	first[PASSWORD_SALT_BYTES + 3] = 1; /* number of the block, big endian */
	is_ok = is_ok && key_side(&w->inner, key, 0x36) &&
		key_side(&w->outer, key, 0x5c) && hmac(w, first, sizeof(first), w->last);
	wipe(key, sizeof(key));
	memcpy(w->sum, w->last, sizeof(w->sum));
	return is_ok;
}

/*
 * Begin to hash.
 *
 * @w           caller's storage
 * @password    UTF-8, at most PASSWORD_BYTES_MAX; borrowed during the call
 * @salt        random, of this hash only
 * @iterations  PASSWORD_ITERATIONS_MIN to _MAX
 *
 * Returns ERR_OK, ERR_LIMIT, ERR_RANGE or ERR_INTERNAL; then there is nothing to
 * clear. Source: RFC 8018 section 5.2.
 */
int password_begin(struct password_work *w, struct span password,
		   const uint8_t salt[PASSWORD_SALT_BYTES], uint32_t iterations)
{
	memset(w, 0, sizeof(*w));
	if (password.n > PASSWORD_BYTES_MAX)
		return ERR_LIMIT;
	if (iterations < PASSWORD_ITERATIONS_MIN || iterations > PASSWORD_ITERATIONS_MAX)
		return ERR_RANGE;
	mbedtls_sha512_init(&w->inner);
	mbedtls_sha512_init(&w->outer);
	if (!begin(w, password, salt)) {
		password_clear(w);
		return ERR_INTERNAL;
	}
	w->left = iterations - 1;
	return ERR_OK;
}

/* Do at most @iterations more. Returns true when the hash is complete. */
bool password_step(struct password_work *w, uint32_t iterations)
{
	for (; w->left && iterations; iterations--) {
		if (!hmac(w, w->last, sizeof(w->last), w->last)) {
			memset(w->sum, 0, sizeof(w->sum));
			w->left = 0;
			break;
		}
		for (size_t i = 0; i < sizeof(w->sum); i++)
			w->sum[i] ^= w->last[i];
		w->left--;
	}
	return w->left == 0;
}

/*
 * Take the result and clear the work.
 *
 * @w     complete: password_step() returned true
 * @hash  filled
 */
void password_end(struct password_work *w, uint8_t hash[PASSWORD_HASH_BYTES])
{
	memcpy(hash, w->sum, PASSWORD_HASH_BYTES);
	password_clear(w);
}

/* Forget a computation, at any point after password_begin(). */
void password_clear(struct password_work *w)
{
	mbedtls_sha512_free(&w->inner);
	mbedtls_sha512_free(&w->outer);
	wipe(w, sizeof(*w));
}

/* Are @a and @b one hash? Takes the same time whatever differs; all zero, the mark
 * of a failed computation, equals nothing. */
bool password_equal(const uint8_t a[PASSWORD_HASH_BYTES],
		    const uint8_t b[PASSWORD_HASH_BYTES])
{
	uint8_t diff = 0, any = 0;

	for (size_t i = 0; i < PASSWORD_HASH_BYTES; i++) {
		diff |= a[i] ^ b[i];
		any |= a[i];
	}
	return diff == 0 && any != 0;
}
