/*
 * Lower-case hexadecimal text. Upper case is refused: one value, one spelling.
 */
#ifndef LUYTRE_HEX_H
#define LUYTRE_HEX_H

#include "span.h"

int hex_decode(struct span in, uint8_t *out, size_t n) MUST_CHECK;
void hex_encode(const uint8_t *in, size_t n, char *out);

#endif
