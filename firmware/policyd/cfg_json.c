/*
 * JSON helpers of the configuration reader: every one knows where it is
 * (the JSON path) and says what is wrong and how to mend it.
 */
#include "cfg_int.h"

#include <stdarg.h>
#include <string.h>

static int set_error(struct reader *r)
{
	(void)snprintf(r->error->path, sizeof(r->error->path), "%s", r->path);
	return ERR_REFUSED;
}

/*
 * Refuse the document at the current path; @fix is a format.
 *
 * Returns ERR_REFUSED, for `return rd_fail(...)`.
 */
int rd_fail(struct reader *r, const char *reason, const char *fix, ...)
{
	va_list ap;

	(void)snprintf(r->error->reason, sizeof(r->error->reason), "%s", reason);
	va_start(ap, fix);
	(void)vsnprintf(r->error->fix, sizeof(r->error->fix), fix, ap);
	va_end(ap);
	return set_error(r);
}

/*
 * Refuse the document at the current path; @reason is a format.
 *
 * Returns ERR_REFUSED.
 */
int rd_failf(struct reader *r, const char *fix, const char *reason, ...)
{
	va_list ap;

	(void)snprintf(r->error->fix, sizeof(r->error->fix), "%s", fix);
	va_start(ap, reason);
	(void)vsnprintf(r->error->reason, sizeof(r->error->reason), reason, ap);
	va_end(ap);
	return set_error(r);
}

/*
 * Go one step down in the document: append to the path.
 *
 * Returns the mark to give to rd_leave(). A path that is too long is cut.
 */
size_t rd_enter(struct reader *r, const char *fmt, ...)
{
	size_t mark = r->path_len;
	size_t room = sizeof(r->path) - r->path_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->path + r->path_len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		r->path_len += (size_t)n < room ? (size_t)n : room - 1;
	return mark;
}

/*
 * Go back up to where rd_enter() was called.
 */
void rd_leave(struct reader *r, size_t mark)
{
	r->path_len = mark;
	r->path[mark] = '\0';
}

static const char *type_name(const json_t *j)
{
	if (!j)
		return "nothing";
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true/false";
	case JSON_NULL:
	default:
		return "null";
	}
}

/*
 * Check that @j is an object with the allowed keys, all that must be there.
 *
 * @keys  ends with a NULL name
 *
 * Returns ERR_OK or ERR_REFUSED.
 */
int rd_object(struct reader *r, const json_t *j, const struct key *keys)
{
	const char *name;
	json_t *value;

	if (!json_is_object(j))
		return rd_failf(r, "write an object: { ... }",
				"expected an object, found %s", type_name(j));
	json_object_foreach((json_t *)(uintptr_t)j, name, value)
	{
		const struct key *k = keys;
		char all[160] = "";
		size_t n = 0;

		while (k->name && strcmp(k->name, name) != 0)
			k++;
		if (k->name)
			continue;
		for (k = keys; k->name && n < sizeof(all) - 1; k++) {
			int len = snprintf(all + n, sizeof(all) - n, "%s%s",
					   n ? ", " : "", k->name);
			n += len > 0 ? (size_t)len : 0;
		}
		(void)rd_enter(r, ".%s", name);
		return rd_fail(r, "unknown key",
			       "remove it, or correct its spelling; known keys here: %s",
			       all);
	}
	for (const struct key *k = keys; k->name; k++) {
		if (k->must && !json_object_get(j, k->name))
			return rd_failf(r, "add it", "the key \"%s\" is missing",
					k->name);
	}
	return ERR_OK;
}

/*
 * Check that @j is a list of at most @max items.
 *
 * @limit  name of the limit for the message
 *
 * Returns ERR_OK or ERR_REFUSED.
 */
int rd_array(struct reader *r, const json_t *j, size_t max, const char *limit,
	     size_t *count)
{
	if (!json_is_array(j))
		return rd_failf(r, "write a list: [ ... ]", "expected a list, found %s",
				type_name(j));
	if (json_array_size(j) > max)
		return rd_failf(r, "shorten the list, or build with a larger limit",
				"%zu items are over the limit %s = %zu",
				json_array_size(j), limit, max);
	*count = json_array_size(j);
	return ERR_OK;
}

/*
 * Check that @j is a text. @out borrows from the document.
 */
int rd_string(struct reader *r, const json_t *j, const char **out)
{
	if (!json_is_string(j)) {
		(void)rd_failf(r, "write a text in double quotes",
			       "expected a text, found %s", type_name(j));
		return ERR_REFUSED;
	}
	*out = json_string_value(j);
	return *out ? ERR_OK : ERR_REFUSED; /* a string always has a value */
}

/*
 * Read a name: 1 to 32 of A-Z a-z 0-9 . _ - and no dash or dot in front.
 */
int rd_id(struct reader *r, const json_t *j, char out[CFG_ID_BYTES])
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789._-";
	const char *s = NULL;
	size_t n;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	n = strlen(s);
	if (n == 0 || n >= CFG_ID_BYTES || strspn(s, set) != n || *s == '-' || *s == '.')
		return rd_fail(
			r, "not a valid name",
			"use 1 to %d of A-Z a-z 0-9 . _ -, not starting with . or -",
			CFG_ID_BYTES - 1);
	memcpy(out, s, n + 1);
	return ERR_OK;
}

/*
 * Read a text for people: UTF-8 (the JSON reader has checked it), at most 256
 * bytes, no control characters.
 */
int rd_text(struct reader *r, const json_t *j, char out[CFG_TEXT_BYTES])
{
	const char *s = NULL;
	size_t n;

	if (rd_string(r, j, &s) != ERR_OK)
		return ERR_REFUSED;
	n = strlen(s);
	if (n >= CFG_TEXT_BYTES)
		return rd_fail(r, "the text is too long", "use at most %d bytes",
			       CFG_TEXT_BYTES - 1);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f ||
		    ((unsigned char)s[i] == 0xc2 && (unsigned char)s[i + 1] < 0xa0))
			return rd_fail(r, "the text holds a control character",
				       "remove character number %zu", i + 1);
	}
	memcpy(out, s, n + 1);
	return ERR_OK;
}

/*
 * Take memory for the configuration; a refusal is written when it is used up.
 */
void *rd_take(struct reader *r, size_t count, size_t size_bytes)
{
	void *p = arena_take(&r->cfg->arena, count ? count : 1, size_bytes);

	if (!p)
		(void)rd_fail(r, "the configuration needs more memory than it may take",
			      "make it smaller; the limit is %u MiB",
			      CFG_ARENA_BYTES >> 20);
	return p;
}
