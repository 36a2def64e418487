#include "json_read.h"

#include <string.h>
#include "wipe.h"

/* Where a string goes while it is read; one byte stays free for NUL. */
struct text {
	char *p;
	size_t n, max;
};

static void skip_blank(struct span *in)
{
	while (in->n &&
	       (*in->p == ' ' || *in->p == '\t' || *in->p == '\n' || *in->p == '\r')) {
		in->p++;
		in->n--;
	}
}

static int take(struct span *in, uint8_t want)
{
	uint8_t c;
	int r = span_get_u8(in, &c);

	if (r != ERR_OK)
		return r;
	return c == want ? ERR_OK : ERR_FORMAT;
}

static int take_word(struct span *in, const char *word)
{
	struct span got;
	int r = span_take(in, strlen(word), &got);

	if (r != ERR_OK)
		return r;
	return span_eq_str(got, word) ? ERR_OK : ERR_FORMAT;
}

/*
 * Length of the UTF-8 sequence at @p.
 *
 * @p     at least one byte
 * @n     bytes there (count)
 * @code  the code point, only when something else than 0 is returned
 *
 * Returns 1 to 4, or 0 for what UTF-8 forbids: overlong forms, surrogates,
 * code points above U+10FFFF, a sequence that is cut off. Source: RFC 3629.
 */
size_t json_utf8(const uint8_t *p, size_t n, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len;
	uint32_t c;

	if (n == 0)
		return 0;
	c = p[0];
	len = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
	if (len == 4 && (c & 0xf8) != 0xf0)
		return 0;
	if (len > n)
		return 0;
	if (len > 1)
		c &= 0x7fU >> len;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return len;
}

static int put(struct text *t, const uint8_t *p, size_t n)
{
	if (n > t->max - t->n)
		return ERR_LIMIT;
	memcpy(t->p + t->n, p, n);
	t->n += n;
	return ERR_OK;
}

static int put_code(struct text *t, uint32_t c)
{
	uint8_t b[4];

	if (c < 0x80) {
		b[0] = (uint8_t)c;
		return put(t, b, 1);
	}
	if (c < 0x800) {
		b[0] = (uint8_t)(0xc0 | c >> 6);
		b[1] = (uint8_t)(0x80 | (c & 0x3f));
		return put(t, b, 2);
	}
	if (c < 0x10000) {
		b[0] = (uint8_t)(0xe0 | c >> 12);
		b[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		b[2] = (uint8_t)(0x80 | (c & 0x3f));
		return put(t, b, 3);
	}
	b[0] = (uint8_t)(0xf0 | c >> 18);
	b[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	b[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	b[3] = (uint8_t)(0x80 | (c & 0x3f));
	return put(t, b, 4);
}

static int hex4(struct span *in, uint32_t *out)
{
	struct span digits;
	uint32_t v = 0;
	int r = span_take(in, 4, &digits);

	if (r != ERR_OK)
		return r;
	for (size_t i = 0; i < 4; i++) {
		uint8_t c = digits.p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return ERR_FORMAT;
	}
	*out = v;
	return ERR_OK;
}

/* \uXXXX, or two of them for code points above U+FFFF. NUL is refused: names and
 * passwords are kept as C strings. */
static int take_u(struct span *in, struct text *t)
{
	uint32_t c, low;
	int r = hex4(in, &c);

	if (r != ERR_OK)
		return r;
	if (c == 0 || (c >= 0xdc00 && c <= 0xdfff))
		return ERR_FORMAT;
	if (c >= 0xd800 && c <= 0xdbff) {
		r = take_word(in, "\\u");
		if (r == ERR_OK)
			r = hex4(in, &low);
		if (r != ERR_OK)
			return r;
		if (low < 0xdc00 || low > 0xdfff)
			return ERR_FORMAT;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return put_code(t, c);
}

static int take_escape(struct span *in, struct text *t)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	uint8_t c;
	int r = span_get_u8(in, &c);

	if (r != ERR_OK)
		return r;
	if (c == 'u')
		return take_u(in, t);
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return ERR_FORMAT;
	return put_code(t, (uint8_t)to[at - from]);
}

static int take_string(struct span *in, struct text *t)
{
	int r = take(in, '"');

	while (r == ERR_OK) {
		uint32_t code;
		size_t len;

		if (in->n == 0)
			return ERR_SHORT;
		if (*in->p == '"') {
			r = take(in, '"');
			t->p[t->n] = '\0';
			return r;
		}
		if (*in->p == '\\') {
			r = take(in, '\\');
			if (r == ERR_OK)
				r = take_escape(in, t);
			continue;
		}
		len = json_utf8(in->p, in->n, &code);
		if (len == 0 || code < 0x20)
			return ERR_FORMAT;
		r = put(t, in->p, len);
		in->p += len;
		in->n -= len;
	}
	return r;
}

static int take_number(struct span *in, uint64_t max, uint64_t *out)
{
	struct span digits = {in->p, 0};

	while (in->n && *in->p >= '0' && *in->p <= '9') {
		in->p++;
		in->n--;
		digits.n++;
	}
	if (digits.n == 0 || (digits.n > 1 && digits.p[0] == '0'))
		return ERR_FORMAT;
	return span_to_u64(digits, max, out);
}

static int take_value(struct span *in, const struct json_field *f, struct json_value *v)
{
	struct text t = {v->text, 0, JSON_STRING_MAX};
	int r;

	if (f->type == JSON_T_BOOL) {
		v->number = in->n && *in->p == 't';
		r = take_word(in, v->number ? "true" : "false");
	} else if (f->type == JSON_T_NUMBER) {
		r = take_number(in, f->max, &v->number);
		if (r == ERR_OK && v->number < f->min)
			r = ERR_RANGE;
	} else {
		r = take_string(in, &t);
		v->n = t.n;
		if (r == ERR_OK && (t.n < f->min || t.n > f->max))
			r = ERR_RANGE;
	}
	if (r == ERR_OK)
		v->is_set = true;
	return r;
}

static int take_pair(struct span *in, const struct json_field *fields, size_t count,
		     struct json_value *out)
{
	char key[JSON_KEY_MAX + 1];
	struct text t = {key, 0, JSON_KEY_MAX};
	int r = take_string(in, &t);
	size_t i = 0;

	if (r != ERR_OK)
		return r;
	while (i < count && strcmp(fields[i].name, key) != 0)
		i++;
	if (i == count)
		return ERR_NOENT;
	if (out[i].is_set)
		return ERR_EXIST;
	skip_blank(in);
	r = take(in, ':');
	if (r != ERR_OK)
		return r;
	skip_blank(in);
	return take_value(in, &fields[i], &out[i]);
}

static int take_object(struct span *in, const struct json_field *fields, size_t count,
		       struct json_value *out)
{
	uint8_t c = ',';
	int r = take(in, '{');

	if (r != ERR_OK)
		return r;
	skip_blank(in);
	if (in->n && *in->p == '}')
		return take(in, '}');
	while (c == ',') {
		skip_blank(in);
		r = take_pair(in, fields, count, out);
		if (r != ERR_OK)
			return r;
		skip_blank(in);
		r = span_get_u8(in, &c);
		if (r != ERR_OK)
			return r;
	}
	return c == '}' ? ERR_OK : ERR_FORMAT;
}

/*
 * Read a request's body.
 *
 * @text    whole body
 * @fields  what may come; names are at most JSON_KEY_MAX bytes
 * @count   of @fields and @out, at most JSON_FIELDS_MAX
 * @out     a value for each field, in their order; wiped unless ERR_OK is returned
 *
 * Returns ERR_OK, ERR_SHORT, ERR_FORMAT, ERR_TRAILING, ERR_NOENT (a key that is
 * no field, or a field that is missing), ERR_EXIST (a key twice), ERR_LIMIT or
 * ERR_RANGE. Stricter than RFC 8259: one flat object, whole numbers from 0 on
 * without exponent, no NUL in strings.
 */
int json_read(struct span text, const struct json_field *fields, size_t count,
	      struct json_value *out)
{
	int r;

	memset(out, 0, count * sizeof(*out));
	skip_blank(&text);
	r = take_object(&text, fields, count, out);
	if (r == ERR_OK) {
		skip_blank(&text);
		if (text.n)
			r = ERR_TRAILING;
	}
	for (size_t i = 0; i < count && r == ERR_OK; i++) {
		if (!fields[i].is_optional && !out[i].is_set)
			r = ERR_NOENT;
	}
	if (r != ERR_OK)
		wipe(out, count * sizeof(*out));
	return r;
}
