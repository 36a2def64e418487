#include "hex.h"

static int nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/*
 * Decode a whole span of lower-case hexadecimal digits into exactly @n bytes.
 *
 * @out  @n bytes; undefined unless ERR_OK
 *
 * Returns ERR_OK, or ERR_FORMAT for another length or another character.
 */
int hex_decode(struct span in, uint8_t *out, size_t n)
{
	if (in.n != 2 * n)
		return ERR_FORMAT;
	for (size_t i = 0; i < n; i++) {
		int hi = nibble(in.p[2 * i]);
		int lo = nibble(in.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return ERR_FORMAT;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return ERR_OK;
}

/*
 * Write @n bytes as lower-case hexadecimal text.
 *
 * @out  2 * @n + 1 bytes; ends with a NUL
 */
void hex_encode(const uint8_t *in, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * n] = '\0';
}
