/*
 * DESIGN: one request at a time. While an answer is being made or sent nothing is
 * taken from the peer, so that it cannot queue work; after the last answer of a
 * connection everything that still comes is thrown away, so that the answer is
 * not lost to a reset.
 */
#include "http_server.h"

#include <string.h>
#include "wipe.h"

static void next_request(struct http_conn *c)
{
	http_drop_big(c);
	wipe(c->head, c->head_n);
	wipe(c->json, c->body_n < sizeof(c->json) ? c->body_n : sizeof(c->json));
	wipe(c->answer, sizeof(c->answer));
	c->head_n = 0;
	c->body_n = 0;
	memset(&c->scan, 0, sizeof(c->scan));
	memset(&c->request, 0, sizeof(c->request));
	c->session_id = 0;
	c->ask_id = 0;
	c->out_head_n = c->out_head_at = 0;
	c->out = span_of(NULL, 0);
	c->doc = (struct http_doc){.id = -1};
	c->doc_at = 0;
	c->state = HTTP_READ_HEAD;
	c->deadline_ms = c->server->now_ms + HTTP_IDLE_MS;
}

/*
 * A connection was accepted.
 *
 * @c     caller's storage, kept until http_clear()
 * @s     outlives @c
 * @peer  copied
 *
 * When HTTP_CONNS_MAX connections are there already, http_wants_close() is true
 * at once.
 */
void http_init(struct http_conn *c, struct http_server *s, const struct http_peer *peer)
{
	memset(c, 0, sizeof(*c));
	c->server = s;
	c->peer = *peer;
	next_request(c);
	for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
		if (!s->conns[i]) {
			s->conns[i] = c;
			return;
		}
	}
	c->state = HTTP_CLOSED;
}

/* The connection is gone: whatever was under way for it is dropped. */
void http_clear(struct http_conn *c)
{
	struct http_server *s = c->server;

	if (!s)
		return;
	for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
		if (s->conns[i] == c)
			s->conns[i] = NULL;
	}
	api_job_drop(c);
	if (c->doc.id >= 0)
		s->setup.ops.doc_close(s->setup.ops.ctx, c->doc);
	http_drop_big(c);
	wipe(c, sizeof(*c));
	c->doc.id = -1;
	c->state = HTTP_CLOSED;
}

static size_t take_head(struct http_conn *c, struct span in)
{
	unsigned status = 400;
	size_t used;
	int r;

	if (c->head_n == 0)
		c->deadline_ms = c->server->now_ms + HTTP_HEADER_MS;
	r = http_scan(&c->scan, in, &used);
	if (r == ERR_LIMIT) {
		c->is_last = true;
		http_reply_error(c, API_ERR_HEADER, span_of(NULL, 0));
		return used;
	}
	/* http_scan() takes no byte beyond HTTP_HEAD_MAX */
	memcpy(c->head + c->head_n, in.p, used);
	c->head_n += used;
	if (r == ERR_SHORT)
		return used;
	if (r == ERR_OK)
		r = http_parse(span_of(c->head, c->head_n), &c->request, &status);
	if (r != ERR_OK) {
		c->is_last = true;
		http_reply_error(c, api_error_of_status(status), span_of(NULL, 0));
		return used;
	}
	if (++c->requests >= HTTP_REQUESTS_MAX || c->request.is_close)
		c->is_last = true;
	http_route_head(c);
	return used;
}

static size_t take_body(struct http_conn *c, struct span in)
{
	uint8_t *to = c->server->big_owner == c ? c->server->big : c->json;
	const size_t left = (size_t)c->request.length - c->body_n;
	const size_t n = in.n < left ? in.n : left;

	/* http_route_head() compared the length with the room there is */
	memcpy(to + c->body_n, in.p, n);
	c->body_n += n;
	if (c->body_n == c->request.length)
		http_route_body(c);
	return n;
}

/*
 * Bytes of the peer.
 *
 * Returns how many were taken; the rest is given again later, when
 * http_wants_input() is true.
 */
size_t http_input(struct http_conn *c, struct span in)
{
	size_t used = 0;

	while (used < in.n) {
		const struct span left = {in.p + used, in.n - used};

		if (c->state == HTTP_READ_HEAD)
			used += take_head(c, left);
		else if (c->state == HTTP_READ_BODY)
			used += take_body(c, left);
		else if (c->state == HTTP_CLOSED || (c->state == HTTP_SEND && c->is_last))
			return in.n;
		else
			break;
	}
	return used;
}

/* Would http_input() take anything now? */
bool http_wants_input(const struct http_conn *c)
{
	return c->state != HTTP_WAIT && (c->state != HTTP_SEND || c->is_last);
}

/* Everything was sent. */
static void sent(struct http_conn *c)
{
	struct http_server *s = c->server;

	if (c->doc.id >= 0)
		s->setup.ops.doc_close(s->setup.ops.ctx, c->doc);
	c->doc.id = -1;
	if (c->is_last) {
		http_drop_big(c);
		c->state = HTTP_CLOSED;
	} else {
		next_request(c);
	}
}

static size_t copy(uint8_t *out, size_t max, const void *from, size_t n)
{
	if (n > max)
		n = max;
	if (n)
		memcpy(out, from, n);
	return n;
}

static size_t output_doc(struct http_conn *c, uint8_t *out, size_t max)
{
	const struct http_ops *ops = &c->server->setup.ops;
	size_t n = c->doc.n - c->doc_at;

	if (n > max)
		n = max;
	if (n && ops->doc_read(ops->ctx, c->doc, c->doc_at, out, n) != ERR_OK) {
		/* the head is out: only the end of the connection can say it */
		c->is_last = true;
		c->doc_at = c->doc.n;
		return 0;
	}
	c->doc_at += n;
	return n;
}

/*
 * What to send.
 *
 * @out  filled with at most @max bytes
 *
 * Returns how many; 0: nothing now.
 */
size_t http_output(struct http_conn *c, uint8_t *out, size_t max)
{
	size_t n, body;

	if (c->state != HTTP_SEND)
		return 0;
	n = copy(out, max, c->out_head + c->out_head_at, c->out_head_n - c->out_head_at);
	c->out_head_at += n;
	body = copy(out + n, max - n, c->out.p, c->out.n);
	c->out.p += body;
	c->out.n -= body;
	n += body;
	if (c->doc.id >= 0 && c->out_head_at == c->out_head_n)
		n += output_doc(c, out + n, max - n);
	if (n)
		c->deadline_ms = c->server->now_ms + HTTP_SEND_MS;
	if (c->out_head_at == c->out_head_n && c->out.n == 0 &&
	    (c->doc.id < 0 || c->doc_at == c->doc.n))
		sent(c);
	return n;
}

/* Was the last byte given out, or is there nobody to talk to? */
bool http_wants_close(const struct http_conn *c)
{
	return c->state == HTTP_CLOSED;
}
