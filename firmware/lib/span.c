#include "span.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Make a span of @n bytes at @p; borrowed, not copied.
 */
struct span span_of(const void *p, size_t n)
{
	struct span s = {.p = p, .n = n};

	return s;
}

/*
 * Make a span of a C string, without its terminating NUL.
 */
struct span span_str(const char *s)
{
	return span_of(s, strlen(s));
}

/*
 * Whether two spans hold the same bytes. Not constant time: never for secrets.
 */
bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/*
 * Whether a span holds exactly the bytes of the C string @s.
 */
bool span_eq_str(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

/*
 * Take @n bytes from the front of @in.
 *
 * @out  borrows from @in's memory; set only on ERR_OK
 *
 * Returns ERR_OK or ERR_SHORT (then @in is unchanged).
 */
int span_take(struct span *in, size_t n, struct span *out)
{
	if (n > in->n)
		return ERR_SHORT;
	*out = span_of(in->p, n);
	in->p += n;
	in->n -= n;
	return ERR_OK;
}

/*
 * Take one line, up to but without its LF; the LF is consumed.
 *
 * Returns ERR_OK or ERR_SHORT when no LF is left (then @in is unchanged).
 * CR is not special: formats that forbid it must look for it in the line.
 */
int span_take_line(struct span *in, struct span *line)
{
	const uint8_t *lf = in->n ? memchr(in->p, '\n', in->n) : NULL;

	if (!lf)
		return ERR_SHORT;
	*line = span_of(in->p, (size_t)(lf - in->p));
	in->n -= line->n + 1;
	in->p = lf + 1;
	return ERR_OK;
}

/*
 * Take one word of a line: the bytes before the next single space, or all.
 * The space is consumed. Words are never empty, so a double, leading or
 * trailing space is an error.
 *
 * Returns ERR_OK, ERR_SHORT when nothing is left, ERR_FORMAT for an empty word.
 */
int span_take_word(struct span *in, struct span *word)
{
	const uint8_t *sp;
	size_t len;

	if (in->n == 0)
		return ERR_SHORT;
	sp = memchr(in->p, ' ', in->n);
	len = sp ? (size_t)(sp - in->p) : in->n;
	if (len == 0 || (sp && len + 1 == in->n))
		return ERR_FORMAT;
	*word = span_of(in->p, len);
	in->p += len + (sp ? 1 : 0);
	in->n -= len + (sp ? 1 : 0);
	return ERR_OK;
}

/*
 * Read one byte. Returns ERR_OK or ERR_SHORT.
 */
int span_get_u8(struct span *in, uint8_t *out)
{
	struct span s;

	if (span_take(in, 1, &s) != ERR_OK)
		return ERR_SHORT;
	*out = s.p[0];
	return ERR_OK;
}

/*
 * Read a 16 bit number in network byte order. Returns ERR_OK or ERR_SHORT.
 */
int span_get_be16(struct span *in, uint16_t *out)
{
	struct span s;

	if (span_take(in, 2, &s) != ERR_OK)
		return ERR_SHORT;
	*out = (uint16_t)((unsigned)s.p[0] << 8 | s.p[1]);
	return ERR_OK;
}

/*
 * Read a 32 bit number in network byte order. Returns ERR_OK or ERR_SHORT.
 */
int span_get_be32(struct span *in, uint32_t *out)
{
	struct span s;

	if (span_take(in, 4, &s) != ERR_OK)
		return ERR_SHORT;
	*out = (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 |
	       s.p[3];
	return ERR_OK;
}

/*
 * Read a 16 bit number in little endian order. Returns ERR_OK or ERR_SHORT.
 */
int span_get_le16(struct span *in, uint16_t *out)
{
	struct span s;

	if (span_take(in, 2, &s) != ERR_OK)
		return ERR_SHORT;
	*out = (uint16_t)((unsigned)s.p[1] << 8 | s.p[0]);
	return ERR_OK;
}

/*
 * Read a 32 bit number in little endian order. Returns ERR_OK or ERR_SHORT.
 */
int span_get_le32(struct span *in, uint32_t *out)
{
	struct span s;

	if (span_take(in, 4, &s) != ERR_OK)
		return ERR_SHORT;
	*out = (uint32_t)s.p[3] << 24 | (uint32_t)s.p[2] << 16 | (uint32_t)s.p[1] << 8 |
	       s.p[0];
	return ERR_OK;
}

/*
 * Parse a whole span as an unsigned decimal number: digits only, no sign, no
 * leading zero (except "0" itself), at most @max.
 *
 * Returns ERR_OK, ERR_FORMAT or ERR_RANGE.
 */
int span_to_u64(struct span in, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (in.n == 0 || (in.n > 1 && in.p[0] == '0'))
		return ERR_FORMAT;
	for (size_t i = 0; i < in.n; i++) {
		unsigned digit = (unsigned)in.p[i] - '0';

		if (digit > 9)
			return ERR_FORMAT;
		if (v > (UINT64_MAX - digit) / 10)
			return ERR_RANGE;
		v = v * 10 + digit;
	}
	if (v > max)
		return ERR_RANGE;
	*out = v;
	return ERR_OK;
}

/*
 * Start writing into caller's storage of @max bytes.
 */
void sbuf_init(struct sbuf *b, void *p, size_t max)
{
	b->p = p;
	b->n = 0;
	b->max = max;
	b->is_full = false;
}

/*
 * Append @n bytes, or nothing and set is_full when they do not fit.
 */
void sbuf_put(struct sbuf *b, const void *p, size_t n)
{
	if (b->is_full || n > b->max - b->n) {
		b->is_full = true;
		return;
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

/*
 * Append one byte.
 */
void sbuf_put_u8(struct sbuf *b, uint8_t v)
{
	sbuf_put(b, &v, 1);
}

/*
 * Append a 16 bit number in little endian order.
 */
void sbuf_put_le16(struct sbuf *b, uint16_t v)
{
	uint8_t raw[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

	sbuf_put(b, raw, sizeof(raw));
}

/*
 * Append a 32 bit number in little endian order.
 */
void sbuf_put_le32(struct sbuf *b, uint32_t v)
{
	uint8_t raw[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
			  (uint8_t)(v >> 24)};

	sbuf_put(b, raw, sizeof(raw));
}

/*
 * Append formatted text without a terminating NUL; all of it or nothing.
 */
void sbuf_putf(struct sbuf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room = b->max - b->n;
	int len;

	if (b->is_full)
		return;
	va_start(ap, fmt);
	len = vsnprintf((char *)b->p + b->n, room, fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= room) {
		b->is_full = true; /* vsnprintf needs room for its NUL */
		return;
	}
	b->n += (size_t)len;
}
