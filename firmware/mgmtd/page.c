#include "page.h"

#include <string.h>

static const char page[] =
	"HTTP/1.1 200 OK\r\n"
	"Content-Type: text/html; charset=utf-8\r\n"
	"Content-Length: 125\r\n"
	"Cache-Control: no-store\r\n"
	"Content-Security-Policy: default-src 'none'\r\n"
	"Strict-Transport-Security: max-age=31536000\r\n"
	"X-Content-Type-Options: nosniff\r\n"
	"Connection: close\r\n"
	"\r\n"
	"<!doctype html><html lang=\"vi\"><meta charset=\"utf-8\"><title>Lũy Tre</title>"
	"<p>Thiết bị đang hoạt động.</p></html>\n";

/*
 * A connection was accepted.
 */
void http_init(struct http_conn *c, struct http_server *s, const struct http_peer *peer)
{
	(void)peer;
	memset(c, 0, sizeof(*c));
	c->server = s;
	c->due_ms = s->now_ms + HTTP_HEADER_MS;
}

/*
 * Take bytes of the request; only its end matters.
 */
size_t http_input(struct http_conn *c, struct span in)
{
	static const char end[] = "\r\n\r\n";

	for (size_t i = 0; i < in.n && !c->is_asked; i++) {
		if (in.p[i] == (uint8_t)end[c->matched])
			c->matched++;
		else
			c->matched = in.p[i] == '\r';
		c->is_asked = c->matched == sizeof(end) - 1;
		c->is_over |= ++c->got > HTTP_HEAD_MAX;
	}
	if (c->is_asked)
		c->due_ms = c->server->now_ms + HTTP_SEND_MS;
	return in.n;
}

/*
 * Give bytes of the answer. Returns how many.
 */
size_t http_output(struct http_conn *c, uint8_t *out, size_t max)
{
	size_t n = sizeof(page) - 1 - c->sent;

	if (!c->is_asked || c->is_over)
		return 0;
	if (n > max)
		n = max;
	memcpy(out, page + c->sent, n);
	c->sent += n;
	return n;
}

/*
 * Whether everything was given out, or the peer took too long.
 */
bool http_wants_close(const struct http_conn *c)
{
	return c->is_over || c->sent == sizeof(page) - 1 ||
	       c->server->now_ms >= c->due_ms;
}

/*
 * Whether bytes would be taken now.
 */
bool http_wants_input(const struct http_conn *c)
{
	return !c->is_asked;
}

/*
 * The connection is gone.
 */
void http_clear(struct http_conn *c)
{
	c->is_over = true;
}

/*
 * The time, for deadlines.
 */
void http_tick(struct http_server *s, uint64_t now_ms, int64_t utc_s)
{
	(void)utc_s;
	s->now_ms = now_ms;
}
