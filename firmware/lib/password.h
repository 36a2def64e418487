/*
 * Password hashes: PBKDF2-HMAC-SHA-512, computed in steps so that a loop which
 * serves others is never held up. Nothing is allocated.
 */
#ifndef LUYTRE_PASSWORD_H
#define LUYTRE_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <mbedtls/sha512.h>
#include "span.h"

#define PASSWORD_BYTES_MAX 256 /* of UTF-8 */
#define PASSWORD_SALT_BYTES 16
#define PASSWORD_HASH_BYTES 32
#define PASSWORD_ITERATIONS_MIN 1000U
#define PASSWORD_ITERATIONS_MAX 10000000U
#define PASSWORD_STEP 1000U /* iterations of one step: about 3 ms on a Cortex-A53 */

struct password_hash {
	uint32_t iterations; /* 0: no password fits */
	uint8_t salt[PASSWORD_SALT_BYTES];
	uint8_t hash[PASSWORD_HASH_BYTES];
};

/* A computation under way; holds secrets, see password_clear(). */
struct password_work {
	mbedtls_sha512_context inner, outer; /* after the padded key */
	uint8_t last[64], sum[64];
	uint32_t left; /* iterations still to do */
};

int password_begin(struct password_work *w, struct span password,
		   const uint8_t salt[PASSWORD_SALT_BYTES],
		   uint32_t iterations) MUST_CHECK;
bool password_step(struct password_work *w, uint32_t iterations);
void password_end(struct password_work *w, uint8_t hash[PASSWORD_HASH_BYTES]);
void password_clear(struct password_work *w);
bool password_equal(const uint8_t a[PASSWORD_HASH_BYTES],
		    const uint8_t b[PASSWORD_HASH_BYTES]);

#endif
