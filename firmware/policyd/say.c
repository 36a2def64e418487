#include "say.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Length of the well-formed UTF-8 character at @s, 0 when it is none (RFC 3629;
 * control characters of both ranges count as none). */
static size_t character(const uint8_t *s)
{
	uint32_t code;
	size_t n;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
	if (n == 0 || s[0] > 0xf4)
		return 0;
	code = s[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fU);
	}
	if (code < 0xa0 || (n == 3 && code < 0x800) || (n == 4 && code < 0x10000) ||
	    (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
		return 0;
	return n;
}

/*
 * Make text from outside safe for a console and for a quoted value: control
 * characters and bytes that are not UTF-8 become '?', double quotes single.
 */
void say_clean(char *text)
{
	for (uint8_t *p = (uint8_t *)text; *p;) {
		size_t n = character(p);

		if (n == 0) {
			*p++ = '?';
			continue;
		}
		if (*p == '"')
			*p = '\'';
		p += n;
	}
}

/*
 * Print "luytre: policyd: EVENT key=value ..." as one line with one write().
 *
 * @event  one word, stable: tests look for it
 * @fmt    key=value pairs; text from outside goes through say_clean() first
 *
 * A line over SAY_LINE_BYTES is cut. A console that does not take it is not
 * waited for twice.
 */
void say(const char *event, const char *fmt, ...)
{
	char line[SAY_LINE_BYTES];
	size_t used;
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line) - 1, "luytre: policyd: %s ", event);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		return;
	used = (size_t)n;
	va_start(ap, fmt);
	n = vsnprintf(line + used, sizeof(line) - 1 - used, fmt, ap);
	va_end(ap);
	if (n > 0)
		used = strlen(line);
	line[used++] = '\n';
	if (write(STDOUT_FILENO, line, used) < 0)
		return; /* nobody to tell */
}
