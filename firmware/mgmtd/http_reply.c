/* Answers: one status line, always the same security fields, one body. */
#include "http_server.h"

#include <string.h>
#include <time.h>

/* No HSTS: the appliance is reached by address with a certificate of its own;
 * HSTS is not for addresses, and there is no plain HTTP to be led away from. */
#define SECURITY                                                                         \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; "               \
	"style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "     \
	"frame-ancestors 'none'; base-uri 'none'\r\n"                                    \
	"X-Content-Type-Options: nosniff\r\n"                                            \
	"X-Frame-Options: DENY\r\n"                                                      \
	"Referrer-Policy: no-referrer\r\n"                                               \
	"Cross-Origin-Opener-Policy: same-origin\r\n"                                    \
	"Cross-Origin-Embedder-Policy: require-corp\r\n"                                 \
	"Cross-Origin-Resource-Policy: same-origin\r\n"                                  \
	"Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"

static const char *reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{303, "See Other"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "Status";
}

/* IMF-fixdate, as RFC 9110 section 5.6.7 wants it; nothing without a clock. */
static void put_date(struct sbuf *b, int64_t utc_s)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const time_t t = (time_t)utc_s;
	struct tm tm;

	if (utc_s <= 0 || !gmtime_r(&t, &tm))
		return;
	sbuf_putf(b, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday],
		  tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		  tm.tm_sec);
}

/* @fields: further fields with their line ends. */
static void head(struct http_conn *c, unsigned status, size_t n, const char *fields)
{
	struct sbuf b;

	sbuf_init(&b, c->out_head, sizeof(c->out_head));
	sbuf_putf(&b, "HTTP/1.1 %u %s\r\n", status, reason(status));
	put_date(&b, c->server->utc_s);
	if (status != 304)
		sbuf_putf(&b, "Content-Length: %zu\r\n", n);
	sbuf_putf(&b, "%s" SECURITY, fields);
	if (c->is_last)
		sbuf_putf(&b, "Connection: close\r\n");
	sbuf_putf(&b, "\r\n");
	c->out_head_n = b.n;
	c->out_head_at = 0;
	if (b.is_full) { /* cannot be: the longest head is tested */
		c->out_head_n = 0;
		c->is_last = true;
	}
	c->state = HTTP_SEND;
	c->deadline_ms = c->server->now_ms + HTTP_SEND_MS;
}

#define JSON_FIELDS "Content-Type: application/json\r\nCache-Control: no-store\r\n"

/* A writer for the answer of @c, its outer object open. */
struct json_out http_json(struct http_conn *c)
{
	struct json_out o;

	json_init(&o, c->answer, sizeof(c->answer));
	json_open(&o, NULL, '{');
	return o;
}

/*
 * Answer with what was written.
 *
 * @o       from http_json(), its outer object still open
 * @fields  further header fields with their line ends, or ""
 */
void http_reply_json(struct http_conn *c, const struct json_out *o, const char *fields)
{
	struct json_out out = *o;
	char all[256];
	struct sbuf b;

	json_close(&out, '}');
	if (out.b.is_full) {
		http_reply_error(c, API_ERR_INTERNAL, span_str("answer too long"));
		return;
	}
	sbuf_init(&b, all, sizeof(all) - 1);
	sbuf_putf(&b, JSON_FIELDS "%s", fields);
	all[b.n] = '\0';
	c->out = span_of(c->answer, out.b.n);
	head(c, 200, c->out.n, all);
}

/*
 * Refuse.
 *
 * @detail  for a person, any bytes; may be empty
 */
void http_reply_error(struct http_conn *c, enum api_error error, struct span detail)
{
	struct json_out o = http_json(c);

	json_str(&o, "error", api_error_name(error));
	json_text(&o, "detail", detail);
	json_close(&o, '}');
	c->out = span_of(c->answer, o.b.is_full ? 0 : o.b.n);
	head(c, api_error_status(error), c->out.n, JSON_FIELDS);
}

#define DOC_FIELDS                                                                       \
	"Content-Type: application/octet-stream\r\nCache-Control: no-store\r\n"          \
	"Content-Disposition: attachment\r\n"

/* Answer with @bytes exactly, as a download; they stay until the answer is out. */
void http_reply_span(struct http_conn *c, struct span bytes)
{
	c->out = bytes;
	head(c, 200, bytes.n, DOC_FIELDS);
}

/* Answer with a document of policyd, which is JSON; @doc is given back afterwards. */
void http_reply_doc(struct http_conn *c, struct http_doc doc)
{
	c->doc = doc;
	c->doc_at = 0;
	head(c, 200, doc.n, JSON_FIELDS);
}

/* Answer with a static file, or 304 when the peer has it. */
void http_reply_asset(struct http_conn *c, const struct http_asset *a)
{
	static const char *const types[HTTP_TYPE_COUNT] = {
		[HTTP_TYPE_HTML] = "text/html; charset=utf-8",
		[HTTP_TYPE_CSS] = "text/css; charset=utf-8",
		[HTTP_TYPE_JS] = "text/javascript; charset=utf-8",
		[HTTP_TYPE_JSON] = "application/json",
		[HTTP_TYPE_SVG] = "image/svg+xml",
		[HTTP_TYPE_PNG] = "image/png",
		[HTTP_TYPE_TEXT] = "text/plain; charset=utf-8",
		[HTTP_TYPE_ICO] = "image/x-icon",
	};
	const bool has_it = span_eq_str(c->request.etag, a->etag);
	char fields[300];
	struct sbuf b;

	sbuf_init(&b, fields, sizeof(fields) - 1);
	sbuf_putf(&b, "Content-Type: %s\r\nContent-Encoding: gzip\r\nETag: %s\r\n",
		  types[a->type], a->etag);
	sbuf_putf(&b, "Cache-Control: %s\r\n",
		  a->is_public ? "no-cache" : "private, no-cache");
	fields[b.n] = '\0';
	c->out = has_it ? span_of(NULL, 0) : a->gzip;
	head(c, has_it ? 304 : 200, c->out.n, fields);
}

/* Send the browser to the path @to of this server. */
void http_reply_redirect(struct http_conn *c, const char *to)
{
	char fields[HTTP_PATH_MAX + 64];
	struct sbuf b;

	sbuf_init(&b, fields, sizeof(fields) - 1);
	sbuf_putf(&b, "Location: %s\r\nCache-Control: no-store\r\n", to);
	fields[b.n] = '\0';
	c->out = span_of(NULL, 0);
	head(c, 303, 0, fields);
}
