#include "text.h"

#include <string.h>

static const char *const texts[TEXT_COUNT][2] = {
#define T(name, vi, en) [TEXT_##name] = {vi, en},
#include "text.def"
#undef T
};

/*
 * A text of the console, never NULL.
 */
const char *text_get(enum text text, enum text_language language)
{
	return texts[text][language];
}

/* Take one well-formed UTF-8 character of two or three bytes; 0 when it is none.
 * Longer ones are no letters of ours. */
static uint32_t take_character(const uint8_t *p, size_t left, size_t *n)
{
	uint32_t code;

	*n = p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : 0;
	if (*n == 0 || *n > left)
		return 0;
	code = p[0] & (0xffU >> (*n + 1));
	for (size_t i = 1; i < *n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fU);
	}
	if (code < 0xa0 || (*n == 3 && code < 0x800) || (code >= 0xd800 && code < 0xe000))
		return 0;
	return code;
}

/* The letter below the marks of a Vietnamese one, '?' for any other. */
static uint8_t base_letter(uint32_t code)
{
	/* U+00C0 to U+00FF, by pairs of capital and small */
	static const char latin[] = "AAAA????EEE?II????OOO????UU??Y??";
	static const struct {
		uint16_t first, last; /* of pairs capital, small */
		char letter;
	} pairs[] = {
		{0x102, 0x103, 'A'},   {0x110, 0x111, 'D'},   {0x128, 0x129, 'I'},
		{0x168, 0x169, 'U'},   {0x1a0, 0x1a1, 'O'},   {0x1af, 0x1b0, 'U'},
		{0x1ea0, 0x1eb7, 'A'}, {0x1eb8, 0x1ec7, 'E'}, {0x1ec8, 0x1ecb, 'I'},
		{0x1ecc, 0x1ee3, 'O'}, {0x1ee4, 0x1ef1, 'U'}, {0x1ef2, 0x1ef9, 'Y'},
	};

	if (code >= 0xc0 && code <= 0xff) {
		char c = (code & 0x1f) == 0x15 ? 'O' : latin[code & 0x1f];

		return (uint8_t)(c == '?' || code < 0xe0 ? c : c + 32);
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (code < pairs[i].first || code > pairs[i].last)
			continue;
		return (uint8_t)(pairs[i].letter +
				 ((code - pairs[i].first) % 2 != 0 ? 32 : 0));
	}
	return '?';
}

/*
 * Write text to a terminal: control characters and what is not UTF-8 become '?'.
 *
 * @is_ascii  Vietnamese letters lose their marks, other foreign ones become '?'
 */
void text_put(struct sbuf *b, struct span in, bool is_ascii)
{
	for (size_t i = 0, n = 1; i < in.n; i += n) {
		uint32_t code;

		n = 1;
		if (in.p[i] < 0x80) {
			sbuf_put_u8(b,
				    in.p[i] >= 0x20 && in.p[i] != 0x7f ? in.p[i] : '?');
			continue;
		}
		code = take_character(in.p + i, in.n - i, &n);
		if (code == 0) {
			n = 1;
			sbuf_put_u8(b, '?');
		} else if (is_ascii) {
			sbuf_put_u8(b, base_letter(code));
		} else {
			sbuf_put(b, in.p + i, n);
		}
	}
}
