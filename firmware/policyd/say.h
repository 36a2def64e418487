/*
 * What policyd says on the console: one line an event, read by people and tests.
 */
#ifndef LUYTRE_POL_SAY_H
#define LUYTRE_POL_SAY_H

#include <stddef.h>

#define SAY_LINE_BYTES 1200

void say(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_clean(char *text);

#endif
