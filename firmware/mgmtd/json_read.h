/*
 * JSON bodies of requests: one flat object of known fields, nothing else.
 */
#ifndef LUYTRE_JSON_READ_H
#define LUYTRE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "span.h"

#define JSON_STRING_MAX 256 /* bytes of a string value */
#define JSON_KEY_MAX 16     /* bytes of a key */
#define JSON_FIELDS_MAX 8

enum json_type { JSON_T_STRING, JSON_T_NUMBER, JSON_T_BOOL };

/* What may come: strings by their bytes of UTF-8, numbers by their value. */
struct json_field {
	const char *name;
	enum json_type type;
	bool is_optional;
	uint64_t min, max;
};

struct json_value {
	bool is_set;
	char text[JSON_STRING_MAX + 1];
	size_t n;        /* bytes of @text */
	uint64_t number; /* also 0 or 1 of a bool */
};

int json_read(struct span text, const struct json_field *fields, size_t count,
	      struct json_value *out) MUST_CHECK;
size_t json_utf8(const uint8_t *p, size_t n, uint32_t *code);

#endif
