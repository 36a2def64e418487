/*
 * The console: one line an event, one write() a line, read by people and tests.
 */
#ifndef LUYTRE_SVCD_CONSOLE_H
#define LUYTRE_SVCD_CONSOLE_H

#include <stddef.h>
#include "lib/span.h"

#define CONSOLE_LINE_BYTES 512

void console_open(void);
void console_say(const char *event, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void console_escape(struct span in, char *out, size_t max);

#endif
