/*
 * JSON answers: written into a fixed buffer, everything escaped that a browser,
 * a terminal or a log could take for more than text.
 */
#ifndef LUYTRE_JSON_WRITE_H
#define LUYTRE_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include "span.h"

/* Commas are set by the writer; a full buffer shows in b.is_full. */
struct json_out {
	struct sbuf b;
	bool needs_comma;
};

void json_init(struct json_out *o, void *p, size_t max);
void json_open(struct json_out *o, const char *key, char bracket);
void json_close(struct json_out *o, char bracket);
void json_text(struct json_out *o, const char *key, struct span text);
void json_str(struct json_out *o, const char *key, const char *text);
void json_u64(struct json_out *o, const char *key, uint64_t v);
void json_bool(struct json_out *o, const char *key, bool v);
void json_nil(struct json_out *o, const char *key);

#endif
