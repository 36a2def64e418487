/*
 * Borrowed bytes. Every parser takes a struct span; only the functions here
 * advance it, and each one checks the length first.
 */
#ifndef LUYTRE_SPAN_H
#define LUYTRE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

struct span {
	const uint8_t *p;
	size_t n; /* bytes left */
};

struct span span_of(const void *p, size_t n);
struct span span_str(const char *s);
bool span_eq(struct span a, struct span b);
bool span_eq_str(struct span a, const char *s);
int span_take(struct span *in, size_t n, struct span *out) MUST_CHECK;
int span_take_line(struct span *in, struct span *line) MUST_CHECK;
int span_take_word(struct span *in, struct span *word) MUST_CHECK;
int span_get_u8(struct span *in, uint8_t *out) MUST_CHECK;
int span_get_be16(struct span *in, uint16_t *out) MUST_CHECK;
int span_get_be32(struct span *in, uint32_t *out) MUST_CHECK;
int span_get_le16(struct span *in, uint16_t *out) MUST_CHECK;
int span_get_le32(struct span *in, uint32_t *out) MUST_CHECK;
int span_to_u64(struct span in, uint64_t max, uint64_t *out) MUST_CHECK;

/* Output buffer with a fixed end; a write that does not fit sets is_full and
 * writes nothing, so one check at the end is enough. */
struct sbuf {
	uint8_t *p;
	size_t n;   /* bytes written */
	size_t max; /* bytes available at @p */
	bool is_full;
};

void sbuf_init(struct sbuf *b, void *p, size_t max);
void sbuf_put(struct sbuf *b, const void *p, size_t n);
void sbuf_put_u8(struct sbuf *b, uint8_t v);
void sbuf_put_le16(struct sbuf *b, uint16_t v);
void sbuf_put_le32(struct sbuf *b, uint32_t v);
void sbuf_putf(struct sbuf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
