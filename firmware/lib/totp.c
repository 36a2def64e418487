#include "totp.h"

#include <string.h>
#include <mbedtls/md.h>
#include "wipe.h"

#if !defined(MBEDTLS_MD_C) || !defined(MBEDTLS_SHA1_C)
_Static_assert(
	0, "one-time passwords need HMAC and SHA-1: what authenticator programs know");
#endif

/*
 * One code.
 *
 * @hash    SHA-1 is what every authenticator program knows
 * @key     shared secret
 * @step    periods since 1970
 * @digits  1 to 9
 * @code    filled when ERR_OK is returned
 *
 * Returns ERR_OK, ERR_RANGE, or ERR_INTERNAL when the hash is not to be had.
 * Source: RFC 4226 section 5.3, RFC 6238 section 4.
 */
int totp_code(enum totp_hash hash, struct span key, uint64_t step, unsigned digits,
	      uint32_t *code)
{
	static const mbedtls_md_type_t types[] = {MBEDTLS_MD_SHA1, MBEDTLS_MD_SHA256,
						  MBEDTLS_MD_SHA512};
	const mbedtls_md_info_t *md = mbedtls_md_info_from_type(types[hash]);
	uint8_t mac[MBEDTLS_MD_MAX_SIZE], counter[8];
	uint32_t v, mod = 1;
	size_t at;

	if (digits < 1 || digits > 9)
		return ERR_RANGE;
	for (size_t i = 0; i < sizeof(counter); i++)
		counter[i] = (uint8_t)(step >> (56 - 8 * i));
	if (!md || mbedtls_md_hmac(md, key.p, key.n, counter, sizeof(counter), mac) != 0)
		return ERR_INTERNAL;
	at = mac[mbedtls_md_get_size(md) - 1] & 0x0f;
	v = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
	    (uint32_t)mac[at + 2] << 8 | mac[at + 3];
	wipe(mac, sizeof(mac));
	for (unsigned i = 0; i < digits; i++)
		mod *= 10;
	*code = v % mod;
	return ERR_OK;
}

/*
 * Is @code the one of now?
 *
 * @utc_s      seconds since 1970; not above 0: the clock is not set
 * @code       TOTP_DIGITS digits
 * @last_step  period of the last code that was taken; a code is taken once, and
 *             none before it; updated when ERR_OK is returned
 *
 * Returns ERR_OK, ERR_REFUSED, ERR_TIME without a clock, or ERR_INTERNAL. All
 * candidates are computed whatever fits.
 */
int totp_check(struct span key, int64_t utc_s, struct span code, uint64_t *last_step)
{
	uint64_t now, found = 0;
	uint32_t given = 0;
	bool is_number = code.n == TOTP_DIGITS;

	if (utc_s <= (int64_t)TOTP_PERIOD_S * TOTP_WINDOW)
		return ERR_TIME;
	for (size_t i = 0; is_number && i < code.n; i++) {
		is_number = code.p[i] >= '0' && code.p[i] <= '9';
		given = given * 10 + (uint32_t)(code.p[i] - '0');
	}
	now = (uint64_t)utc_s / TOTP_PERIOD_S;
	for (uint64_t step = now - TOTP_WINDOW; step <= now + TOTP_WINDOW; step++) {
		uint32_t want;
		int r = totp_code(TOTP_SHA1, key, step, TOTP_DIGITS, &want);

		if (r != ERR_OK)
			return r;
		if (is_number && want == given && step > *last_step)
			found = step;
	}
	if (!found)
		return ERR_REFUSED;
	*last_step = found;
	return ERR_OK;
}

/* The key as authenticator programs take it: base32 without padding, RFC 4648. */
void totp_base32(const uint8_t key[TOTP_KEY_BYTES], char text[TOTP_BASE32_BYTES])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < TOTP_KEY_BYTES; i++) {
		bits = (bits << 8 | key[i]) & 0xffff;
		for (have += 8; have >= 5; have -= 5)
			text[n++] = digits[bits >> (have - 5) & 31];
	}
	text[n] = '\0';
}
