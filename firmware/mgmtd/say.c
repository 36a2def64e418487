#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Print one line with one write(). Nothing that came from the network may be in
 * it; a line over SAY_LINE_BYTES is cut.
 */
void say(const char *event, const char *fmt, ...)
{
	char line[SAY_LINE_BYTES];
	size_t used;
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line) - 1, "luytre: webd: %s ", event);
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
