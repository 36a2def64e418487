#include "json_write.h"

#include <string.h>
#include "json_read.h"

static void put_str(struct json_out *o, const char *s)
{
	sbuf_put(&o->b, s, strlen(s));
}

/* Comma and key of the next value; @key NULL inside lists. */
static void begin(struct json_out *o, const char *key)
{
	if (o->needs_comma)
		put_str(o, ",");
	o->needs_comma = true;
	if (key)
		sbuf_putf(&o->b, "\"%s\":", key);
}

/* Markup, C0 and C1 control characters, DEL, and what JavaScript once took for
 * line ends. */
static bool is_risky(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == '"' || c == '\\' ||
	       c == '<' || c == '>' || c == '&' || c == '\'' || c == 0x2028 ||
	       c == 0x2029;
}

/*
 * Begin a document.
 *
 * @p    where to write; @max bytes
 */
void json_init(struct json_out *o, void *p, size_t max)
{
	sbuf_init(&o->b, p, max);
	o->needs_comma = false;
}

/* Open an object ('{') or a list ('['). @key is NULL at the top and in lists. */
void json_open(struct json_out *o, const char *key, char bracket)
{
	begin(o, key);
	sbuf_put_u8(&o->b, (uint8_t)bracket);
	o->needs_comma = false;
}

/* Close it: @bracket is '}' or ']'. */
void json_close(struct json_out *o, char bracket)
{
	sbuf_put_u8(&o->b, (uint8_t)bracket);
	o->needs_comma = true;
}

/*
 * A string.
 *
 * @key   plain ASCII, NULL in lists
 * @text  any bytes; what is no UTF-8 becomes U+FFFD
 */
void json_text(struct json_out *o, const char *key, struct span text)
{
	begin(o, key);
	put_str(o, "\"");
	while (text.n) {
		uint32_t c = 0xfffd;
		size_t len = json_utf8(text.p, text.n, &c);

		if (len == 0 || is_risky(c))
			sbuf_putf(&o->b, "\\u%04x", (unsigned)c);
		else
			sbuf_put(&o->b, text.p, len);
		if (len == 0)
			len = 1;
		text.p += len;
		text.n -= len;
	}
	put_str(o, "\"");
}

/* A string that ends with NUL, see json_text(). */
void json_str(struct json_out *o, const char *key, const char *text)
{
	json_text(o, key, span_str(text));
}

/* A whole number. */
void json_u64(struct json_out *o, const char *key, uint64_t v)
{
	begin(o, key);
	sbuf_putf(&o->b, "%llu", (unsigned long long)v);
}

/* true or false. */
void json_bool(struct json_out *o, const char *key, bool v)
{
	begin(o, key);
	put_str(o, v ? "true" : "false");
}

/* null. */
void json_nil(struct json_out *o, const char *key)
{
	begin(o, key);
	put_str(o, "null");
}
