/*
 * Time-based one-time passwords (RFC 6238): the second factor that needs no
 * network.
 */
#ifndef LUYTRE_TOTP_H
#define LUYTRE_TOTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "span.h"

#define TOTP_KEY_BYTES 20
#define TOTP_DIGITS 6
#define TOTP_PERIOD_S 30
#define TOTP_WINDOW 1        /* steps that a clock may be early or late */
#define TOTP_BASE32_BYTES 33 /* key as text, with NUL */

enum totp_hash { TOTP_SHA1, TOTP_SHA256, TOTP_SHA512 };

int totp_code(enum totp_hash hash, struct span key, uint64_t step, unsigned digits,
	      uint32_t *code) MUST_CHECK;
int totp_check(struct span key, int64_t utc_s, struct span code,
	       uint64_t *last_step) MUST_CHECK;
void totp_base32(const uint8_t key[TOTP_KEY_BYTES], char text[TOTP_BASE32_BYTES]);

#endif
