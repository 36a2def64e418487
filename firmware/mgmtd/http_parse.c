#include "http_parse.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 10

/* A field that means something here: where it is put, and that it comes once. */
enum field {
	FIELD_HOST,
	FIELD_LENGTH,
	FIELD_CODING,
	FIELD_CONNECTION,
	FIELD_EXPECT,
	FIELD_UPGRADE,
	FIELD_ORIGIN,
	FIELD_FETCH_SITE,
	FIELD_COOKIE,
	FIELD_CSRF,
	FIELD_TYPE,
	FIELD_ETAG,
	FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
	[FIELD_HOST] = "host",
	[FIELD_LENGTH] = "content-length",
	[FIELD_CODING] = "transfer-encoding",
	[FIELD_CONNECTION] = "connection",
	[FIELD_EXPECT] = "expect",
	[FIELD_UPGRADE] = "upgrade",
	[FIELD_ORIGIN] = "origin",
	[FIELD_FETCH_SITE] = "sec-fetch-site",
	[FIELD_COOKIE] = "cookie",
	[FIELD_CSRF] = "x-csrf",
	[FIELD_TYPE] = "content-type",
	[FIELD_ETAG] = "if-none-match",
};

/* Name of @method as on the wire. */
const char *http_method_name(enum http_method method)
{
	static const char *const names[HTTP_METHOD_COUNT] = {"GET", "POST", "DELETE"};

	return names[method];
}

/* One byte of a head; ERR_SHORT: more must come. */
static int scan_byte(struct http_scan *s, uint8_t c)
{
	if (++s->total > HTTP_HEAD_MAX)
		return ERR_LIMIT;
	if (s->is_cr) {
		if (c != '\n')
			return ERR_FORMAT;
		s->is_cr = false;
		if (s->line == 0)
			return s->lines ? ERR_OK : ERR_FORMAT;
		s->line = 0;
		s->lines++;
		return ERR_SHORT;
	}
	if (c == '\r') {
		s->is_cr = true;
		return ERR_SHORT;
	}
	if ((c < ' ' && c != '\t') || c >= 0x7f)
		return ERR_FORMAT; /* a bare LF too */
	s->line++;
	if (s->lines == 0 && s->line > HTTP_LINE_MAX)
		return ERR_LIMIT;
	if (s->lines > HTTP_FIELDS_MAX)
		return ERR_LIMIT; /* a byte of one field too many */
	return ERR_SHORT;
}

/*
 * Look for the end of a head in the next bytes of a stream.
 *
 * @s     all zero before the first byte of a request
 * @in    what came
 * @used  how many bytes of @in belong to the head; also set on errors
 *
 * Returns ERR_OK when the head is complete, ERR_SHORT when all of @in belongs to
 * it and more must come, ERR_LIMIT over HTTP_LINE_MAX, HTTP_FIELDS_MAX or
 * HTTP_HEAD_MAX, ERR_FORMAT for a byte that no head has, a line end that is not
 * CR LF, or an empty first line.
 */
int http_scan(struct http_scan *s, struct span in, size_t *used)
{
	int r = ERR_SHORT;
	size_t i = 0;

	while (i < in.n && r == ERR_SHORT)
		r = scan_byte(s, in.p[i++]);
	*used = i;
	return r;
}

static bool is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_path(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-' || c == '/';
}

/* No query, no %XX, no empty segment, none that begins with a dot. */
static int parse_path(struct span in, char path[HTTP_PATH_MAX + 1])
{
	if (in.n == 0 || in.n > HTTP_PATH_MAX || in.p[0] != '/')
		return ERR_FORMAT;
	for (size_t i = 0; i < in.n; i++) {
		if (!is_path(in.p[i]))
			return ERR_FORMAT;
		if (i > 0 && in.p[i - 1] == '/' && (in.p[i] == '/' || in.p[i] == '.'))
			return ERR_FORMAT;
	}
	memcpy(path, in.p, in.n);
	path[in.n] = '\0';
	return ERR_OK;
}

/* Up to the next @end, which is taken too; all of @in when there is none. */
static struct span take_until(struct span *in, uint8_t end)
{
	const uint8_t *at = in->n ? memchr(in->p, end, in->n) : NULL;
	struct span out = {in->p, at ? (size_t)(at - in->p) : in->n};
	size_t used = out.n + (at ? 1 : 0);

	in->p += used;
	in->n -= used;
	return out;
}

static int parse_line(struct span line, struct http_request *out, unsigned *status)
{
	const struct span method = take_until(&line, ' ');
	const struct span path = take_until(&line, ' ');
	unsigned m = 0;

	for (size_t i = 0; i < method.n; i++) {
		if (!is_token(method.p[i]))
			return ERR_FORMAT;
	}
	if (method.n == 0 || line.n != 8 || memcmp(line.p, "HTTP/", 5) != 0)
		return ERR_FORMAT;
	if (memcmp(line.p, "HTTP/1.1", 8) != 0) {
		*status = 505;
		return ERR_FORMAT;
	}
	while (m < HTTP_METHOD_COUNT && !span_eq_str(method, http_method_name(m)))
		m++;
	if (m == HTTP_METHOD_COUNT) {
		*status = 501;
		return ERR_FORMAT;
	}
	out->method = (enum http_method)m;
	return parse_path(path, out->path);
}

static int parse_length(struct span v, struct http_request *out)
{
	if (v.n == 0 || v.n > LENGTH_DIGITS_MAX || (v.n > 1 && v.p[0] == '0'))
		return ERR_FORMAT;
	out->has_length = true;
	return span_to_u64(v, UINT32_MAX, &out->length);
}

static bool is_host(struct span v)
{
	if (v.n == 0 || v.n > 255)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		      (c >= 'a' && c <= 'z') || strchr(".:[]-", c)))
			return false;
	}
	return true;
}

static bool is_word(struct span v, const char *word)
{
	return v.n == strlen(word) && strncasecmp((const char *)v.p, word, v.n) == 0;
}

static int take_field(enum field f, struct span v, struct http_request *out,
		      unsigned *status)
{
	struct span *const keep[FIELD_COUNT] = {
		[FIELD_ORIGIN] = &out->origin,     [FIELD_FETCH_SITE] = &out->fetch_site,
		[FIELD_COOKIE] = &out->cookie,     [FIELD_CSRF] = &out->csrf,
		[FIELD_TYPE] = &out->content_type, [FIELD_ETAG] = &out->etag,
	};

	if (f == FIELD_HOST) {
		out->host = v;
		return is_host(v) ? ERR_OK : ERR_FORMAT;
	}
	if (f == FIELD_LENGTH)
		return parse_length(v, out);
	if (f == FIELD_CONNECTION) {
		out->is_close = is_word(v, "close");
		/* other options need a header or a protocol that is not spoken here */
		return out->is_close || is_word(v, "keep-alive") ? ERR_OK : ERR_FORMAT;
	}
	if (f == FIELD_CODING || f == FIELD_EXPECT || f == FIELD_UPGRADE) {
		*status = f == FIELD_EXPECT ? 417 : 501;
		return ERR_FORMAT;
	}
	*keep[f] = v;
	return ERR_OK;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span v)
{
	while (v.n && is_blank(v.p[0])) {
		v.p++;
		v.n--;
	}
	while (v.n && is_blank(v.p[v.n - 1]))
		v.n--;
	return v;
}

static int parse_field(struct span line, uint32_t *seen, struct http_request *out,
		       unsigned *status)
{
	const struct span all = line;
	const struct span name = take_until(&line, ':');

	if (name.n == 0 || name.n == all.n)
		return ERR_FORMAT;
	for (size_t i = 0; i < name.n; i++) {
		if (!is_token(name.p[i]))
			return ERR_FORMAT; /* also the blank of a folded line */
	}
	for (unsigned f = 0; f < FIELD_COUNT; f++) {
		if (!is_word(name, field_names[f]))
			continue;
		if (*seen & (1U << f))
			return ERR_EXIST;
		*seen |= 1U << f;
		/* blanks after a length mean something else to other parsers */
		if (f == FIELD_LENGTH && line.n && is_blank(line.p[line.n - 1]))
			return ERR_FORMAT;
		return take_field((enum field)f, trim(line), out, status);
	}
	return ERR_OK;
}

/* One line with its CR LF; http_scan() saw to it that they come in pairs. */
static struct span take_line(struct span *in)
{
	struct span line = take_until(in, '\n');

	if (line.n)
		line.n--;
	return line;
}

/*
 * Parse a complete head.
 *
 * @head    what http_scan() delimited, with the empty line at its end
 * @out     filled only when ERR_OK is returned; borrows from @head
 * @status  status code to answer with when refused
 *
 * Returns ERR_OK, or ERR_FORMAT, ERR_RANGE or ERR_EXIST (a known field twice).
 * The rules go beyond RFC 9112: one exact form of everything, no transfer coding,
 * no Expect, no Upgrade, no body with GET or DELETE, a length with every POST.
 */
int http_parse(struct span head, struct http_request *out, unsigned *status)
{
	struct http_request q;
	struct span line;
	uint32_t seen = 0;
	int r;

	memset(&q, 0, sizeof(q));
	*status = 400;
	r = parse_line(take_line(&head), &q, status);
	if (r != ERR_OK)
		return r;
	for (line = take_line(&head); line.n; line = take_line(&head)) {
		r = parse_field(line, &seen, &q, status);
		if (r != ERR_OK)
			return r;
	}
	if (head.n || !(seen & (1U << FIELD_HOST)))
		return ERR_FORMAT;
	if (q.method == HTTP_POST && !q.has_length) {
		*status = 411;
		return ERR_FORMAT;
	}
	if (q.method != HTTP_POST && q.length)
		return ERR_FORMAT;
	*out = q;
	return ERR_OK;
}
