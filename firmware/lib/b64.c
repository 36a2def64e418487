#include "b64.h"

#include <string.h>

static const char std_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Three bytes or less into four characters or less; returns the characters. */
static size_t encode_group(const uint8_t *in, size_t n, const char *digits, char *out)
{
	uint32_t v = (uint32_t)in[0] << 16;

	if (n > 1)
		v |= (uint32_t)in[1] << 8;
	if (n > 2)
		v |= in[2];
	for (size_t i = 0; i <= n; i++)
		out[i] = digits[v >> (18 - 6 * i) & 63];
	return n + 1;
}

/* Four characters, the last one or two of them perhaps '=', into 1 to 3 bytes. */
static int decode_group(const uint8_t *in, bool is_last, uint8_t out[3], size_t *out_n)
{
	size_t n = 3;
	char again[4] = {'=', '=', '=', '='};
	uint32_t v = 0;

	if (is_last && in[3] == '=')
		n = in[2] == '=' ? 1 : 2;
	for (size_t i = 0; i < 4; i++) {
		int d = i <= n ? digit_value(in[i]) : 0;

		if (d < 0)
			return ERR_FORMAT;
		v = v << 6 | (uint32_t)d;
	}
	for (size_t i = 0; i < 3; i++)
		out[i] = (uint8_t)(v >> (16 - 8 * i));
	/* Unused bits under the padding have one right value: encode again. */
	(void)encode_group(out, n, std_digits, again); /* always n + 1 characters */
	if (memcmp(again, in, 4) != 0)
		return ERR_FORMAT;
	*out_n = n;
	return ERR_OK;
}

/*
 * Decode a whole span of canonical base64: padded, no line breaks, unused bits
 * zero. Text that would not come out the same when encoded again is refused,
 * because a second spelling of one signature is a second file with one meaning.
 *
 * @out    at least @max bytes; undefined unless ERR_OK
 * @out_n  bytes decoded; set only on ERR_OK
 *
 * Returns ERR_OK, ERR_FORMAT, or ERR_LIMIT when it would be more than @max.
 */
int b64_decode(struct span in, uint8_t *out, size_t max, size_t *out_n)
{
	size_t n = 0;

	if (in.n % 4 != 0)
		return ERR_FORMAT;
	for (size_t i = 0; i < in.n; i += 4) {
		uint8_t group[3];
		size_t got;

		if (decode_group(in.p + i, i + 4 == in.n, group, &got) != ERR_OK)
			return ERR_FORMAT;
		if (got > max - n)
			return ERR_LIMIT;
		memcpy(out + n, group, got);
		n += got;
	}
	*out_n = n;
	return ERR_OK;
}

/*
 * Encode as base64 with padding, no line breaks.
 *
 * @out  at least B64_TEXT(in.n) + 1 bytes; ends with a NUL
 *
 * Returns the characters written, without the NUL.
 */
size_t b64_encode(struct span in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		n += encode_group(in.p + i, in.n - i < 3 ? in.n - i : 3, std_digits,
				  out + n);
	}
	while (n % 4 != 0)
		out[n++] = '=';
	out[n] = '\0';
	return n;
}

/*
 * Encode as URL-safe base64 without padding (WebAuthn's form).
 *
 * @out  at least B64_TEXT(in.n) + 1 bytes; ends with a NUL
 *
 * Returns the characters written, without the NUL.
 */
size_t b64url_encode(struct span in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		n += encode_group(in.p + i, in.n - i < 3 ? in.n - i : 3, url_digits,
				  out + n);
	}
	out[n] = '\0';
	return n;
}
