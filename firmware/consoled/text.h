/*
 * The console's texts in both languages, and Vietnamese without its marks for
 * terminals that cannot show UTF-8.
 */
#ifndef LUYTRE_CONSOLED_TEXT_H
#define LUYTRE_CONSOLED_TEXT_H

#include "span.h"

enum text_language { TEXT_VI, TEXT_EN };

enum text {
#define T(name, vi, en) TEXT_##name,
#include "text.def"
#undef T
	TEXT_COUNT
};

const char *text_get(enum text text, enum text_language language);
void text_put(struct sbuf *b, struct span in, bool is_ascii);

#endif
