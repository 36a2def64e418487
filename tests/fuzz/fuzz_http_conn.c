/*
 * Any bytes on a connection, in pieces, with an operator logged in: answers are
 * whole, the server lives, and nothing reaches policyd as an order whose sender did
 * not know both secrets of the session. Byte 1 ends a piece, byte 2 lets time pass.
 */
#include "http_rig.h"
#include "../fuzz/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK_PIECE 1
#define MARK_TIME 2

static void must_at(bool is_true, int line)
{
	if (is_true)
		return;
	(void)fprintf(stderr, "%s:%d: broken promise\n", __FILE__, line);
	abort();
}

#define must(is_true) must_at(is_true, __LINE__)

static struct {
	struct sessions sessions;
	struct accounts accounts;
	struct locks locks;
	struct rates rates;
	uint64_t now_ms;
	int64_t utc_s;
} start; /* every input begins with the same server */

static void begin(void)
{
	static bool is_there;

	if (!is_there) {
		rig_start(&rig, NULL);
		rig_login(&rig, "operator");
		start.sessions = rig.server.sessions;
		start.accounts = rig.server.accounts;
		start.locks = rig.server.locks;
		start.rates = rig.server.rates;
		start.now_ms = rig.now_ms;
		start.utc_s = rig.utc_s;
		memset(start.rates.list, 0, sizeof(start.rates.list));
		is_there = true;
	}
	rig.server.sessions = start.sessions;
	rig.server.accounts = start.accounts;
	rig.server.locks = start.locks;
	rig.server.rates = start.rates;
	rig.server.own_ask_ms = start.now_ms;
	rig.server.draft_n = 0;
	rig.now_ms = start.now_ms;
	rig.utc_s = start.utc_s;
	rig_tick(&rig, 0);
	rig.ask = HTTP_ASK_STATUS;
	rig_connect(&rig);
}

/* Whole answers one after the other, each as long as it says. */
static void check_out(const char *p, size_t n)
{
	while (n) {
		const char *end = memmem(p, n, "\r\n\r\n", 4);
		const char *len;
		size_t all;

		must(n > 12 && memcmp(p, "HTTP/1.1 ", 9) == 0 && end);
		len = memmem(p, (size_t)(end - p), "Content-Length: ", 16);
		all = (size_t)(end - p) + 4 + (len ? strtoul(len + 16, NULL, 10) : 0);
		must(all <= n);
		must(memmem(p, (size_t)(end - p), "default-src 'none'", 18) != NULL);
		p += all;
		n -= all;
	}
}

static bool is_order(enum http_ask ask)
{
	return ask == HTTP_ASK_PUT || ask == HTTP_ASK_CONFIRM || ask == HTTP_ASK_ROLLBACK;
}

/* One piece: taken as far as the connection wants, work done, policyd answers. */
static void give(const uint8_t *p, size_t n)
{
	unsigned rounds = 0;

	while (n && !http_wants_close(&rig.conn) && rounds++ < 64) {
		const size_t used = http_input(&rig.conn, span_of(p, n));

		must(used <= n);
		p += used;
		n -= used;
		while (http_work(&rig.server))
			;
		rig_drain(&rig, 100);
		if (rig.conn.state == HTTP_WAIT && rig.conn.ask_id) {
			const struct http_answer a = {
				.id = rig.conn.ask_id,
				.text = span_str("state=enforced\n"),
				.doc = {-1, 0}};

			http_policy_answer(&rig.server, &a);
			rig_drain(&rig, 100);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t text_n)
{
	static uint8_t data[65536], stream[65536]; /* with and without the marks */
	const size_t size = lines_expand(text, text_n, data, sizeof(data));
	size_t first = 0, n = 0;

	begin();
	rig.out_n = 0;
	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] != MARK_PIECE && data[i] != MARK_TIME) {
			stream[n++] = data[i];
			continue;
		}
		give(data + first, i - first);
		if (i < size && data[i] == MARK_TIME) {
			rig_tick(&rig, 20000);
			rig_drain(&rig, 100);
		}
		first = i + 1;
	}
	check_out(rig.out, rig.out_n);
	if (is_order(rig.ask)) {
		must(memmem(stream, n, rig.cookie, 64) != NULL);
		must(memmem(stream, n, rig.csrf, 64) != NULL);
	}
	must(rig.server.accounts.count == ROLE_COUNT);
	must(rig.server.sessions.idle_s == 300);
	http_clear(&rig.conn);
	must(!rig.server.big_owner && !http_work(&rig.server));
	return 0;
}
