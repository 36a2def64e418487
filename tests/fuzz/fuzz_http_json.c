/*
 * link: -ljansson
 * Any bytes as the body of a request: what is taken, another JSON library takes too
 * and reads the same; what is written comes back the same.
 */
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "mgmtd/json_read.h"
#include "mgmtd/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_field fields[] = {
	{"name", JSON_T_STRING, false, 0, 32},
	{"text", JSON_T_STRING, true, 1, JSON_STRING_MAX},
	{"n", JSON_T_NUMBER, true, 2, 4294967295},
	{"flag", JSON_T_BOOL, true, 0, 1},
};
#define COUNT (sizeof(fields) / sizeof(fields[0]))

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void compare(const json_t *doc, const struct json_value *v)
{
	size_t set = 0;

	for (size_t i = 0; i < COUNT; i++) {
		const json_t *other = json_object_get(doc, fields[i].name);

		must(v[i].is_set == (other != NULL));
		must(v[i].is_set || fields[i].is_optional);
		if (!other)
			continue;
		set++;
		if (fields[i].type == JSON_T_STRING) {
			must(json_is_string(other) &&
			     json_string_length(other) == v[i].n);
			must(memcmp(json_string_value(other), v[i].text, v[i].n + 1) ==
			     0);
			must(v[i].n >= fields[i].min && v[i].n <= fields[i].max);
		} else if (fields[i].type == JSON_T_NUMBER) {
			must(json_is_integer(other));
			must((uint64_t)json_integer_value(other) == v[i].number);
			must(v[i].number >= fields[i].min &&
			     v[i].number <= fields[i].max);
		} else {
			must(json_is_boolean(other) &&
			     json_is_true(other) == (v[i].number == 1));
		}
	}
	must(json_object_size(doc) == set);
}

static void check_read(const char *text, size_t n)
{
	struct json_value v[COUNT];
	json_error_t e;
	json_t *doc;

	if (json_read(span_of(text, n), fields, COUNT, v) != ERR_OK) {
		for (size_t i = 0; i < sizeof(v); i++)
			must(((const uint8_t *)v)[i] == 0);
		return;
	}
	doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	must(json_is_object(doc)); /* NULL is none */
	compare(doc, v);
	json_decref(doc);
}

static void check_write(const uint8_t *data, size_t n)
{
	static char buf[32768];
	struct json_out o;
	json_t *doc;
	json_error_t e;

	if (n > 4000)
		n = 4000;
	json_init(&o, buf, sizeof(buf));
	json_open(&o, NULL, '{');
	json_text(&o, "a", span_of(data, n));
	json_text(&o, "b", span_of(data, n / 2));
	json_close(&o, '}');
	must(!o.b.is_full);
	for (size_t i = 0; i < o.b.n; i++) {
		must((uint8_t)buf[i] >= 0x20 && buf[i] != 0x7f &&
		     !strchr("<>&'", buf[i]));
		must(i + 2 >= o.b.n || memcmp(buf + i, "\xe2\x80\xa8", 3) != 0);
	}
	doc = json_loadb(buf, o.b.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	must(doc && json_object_size(doc) == 2);
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1); /* an exact block: reading beyond it is seen */

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	check_read(copy, size);
	check_write(data, size);
	free(copy);
	return 0;
}
