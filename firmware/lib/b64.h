/*
 * Base64 (RFC 4648 section 4, with padding), canonical form only, and the
 * URL-safe form without padding (section 5) for WebAuthn challenges.
 */
#ifndef LUYTRE_B64_H
#define LUYTRE_B64_H

#include "span.h"

/* Text bytes of @n encoded bytes, without a NUL. */
#define B64_TEXT(n) (((n) + 2) / 3 * 4)

int b64_decode(struct span in, uint8_t *out, size_t max, size_t *out_n) MUST_CHECK;
size_t b64_encode(struct span in, char *out);
size_t b64url_encode(struct span in, char *out);

#endif
