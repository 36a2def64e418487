/*
 * link: -lllhttp
 * The parser against llhttp: whatever llhttp refuses is refused, and what is taken
 * llhttp reads the same. Inputs are heads of browsers and tools with changes drawn
 * from a fixed sequence.
 */
#include "test.h"

#include <string.h>
#include <strings.h>
/* llhttp names its methods as we do */
#define HTTP_GET LLHTTP_GET
#define HTTP_POST LLHTTP_POST
#define HTTP_DELETE LLHTTP_DELETE
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_POST
#undef HTTP_DELETE
#include "mgmtd/http_parse.h"

#define INPUTS 300000
#define FIELD_ROOM 1024

static const char *const seeds[] = {
	"GET / HTTP/1.1\r\nHost: 192.168.1.1\r\nConnection: keep-alive\r\n"
	"sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\nUser-Agent: "
	"Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,*/*;q=0.8\r\n"
	"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: vi,en;q=0.9\r\n\r\n",
	"POST /api/login HTTP/1.1\r\nHost: [fd00::1]:8443\r\nContent-Length: 17\r\n"
	"Content-Type: application/json\r\nOrigin: https://[fd00::1]:8443\r\n\r\n",
	"DELETE /api/draft HTTP/1.1\r\nHost: a.local\r\nCookie: __Host-luytre=abc; "
	"b=c\r\n"
	"X-CSRF: 0123\r\nConnection: close\r\n\r\n",
	"GET /app.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"abc\"\r\nAccept: "
	"*/*\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: "
	"chunked\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\nExpect: 100-continue\r\n\r\n",
};

static const char *const scraps[] = {
	"\r\n",
	"\n",
	"\r",
	" ",
	"\t",
	":",
	"Content-Length: 5\r\n",
	"Host: y\r\n",
	"chunked",
	"\r\n ",
	"HTTP/1.0",
	"HTTP/2.0",
	"%2e",
	"Content-Length : 1\r\n",
	"Transfer-Encoding: gzip, chunked\r\n",
	"Connection: upgrade\r\nUpgrade: h2c\r\n",
	"/../",
	"\x80",
	"+1",
	"0",
	",",
	";",
	"http://z/",
};

struct seen {
	llhttp_t parser; /* first: found from the callbacks */
	char url[2048], name[FIELD_ROOM], value[FIELD_ROOM];
	size_t url_n, name_n, value_n;
	char host[FIELD_ROOM], cookie[FIELD_ROOM], origin[FIELD_ROOM];
	bool is_head_done;
};

static uint32_t next_random(uint64_t *s)
{
	*s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*s >> 33);
}

static struct seen *seen_of(llhttp_t *p)
{
	return p->data;
}

static int append(char *to, size_t room, size_t *n, const char *at, size_t len)
{
	if (len > room - 1 - *n)
		len = room - 1 - *n;
	memcpy(to + *n, at, len);
	*n += len;
	to[*n] = '\0';
	return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	return append(seen_of(p)->url, sizeof(seen_of(p)->url), &seen_of(p)->url_n, at,
		      n);
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
	return append(seen_of(p)->name, FIELD_ROOM, &seen_of(p)->name_n, at, n);
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	return append(seen_of(p)->value, FIELD_ROOM, &seen_of(p)->value_n, at, n);
}

static int on_value_end(llhttp_t *p)
{
	struct seen *s = seen_of(p);

	/* llhttp keeps the blanks after a value, which are no part of it (RFC 9112) */
	while (s->value_n && strchr(" \t", s->value[s->value_n - 1]))
		s->value[--s->value_n] = '\0';
	if (!strcasecmp(s->name, "host"))
		memcpy(s->host, s->value, FIELD_ROOM);
	if (!strcasecmp(s->name, "cookie"))
		memcpy(s->cookie, s->value, FIELD_ROOM);
	if (!strcasecmp(s->name, "origin"))
		memcpy(s->origin, s->value, FIELD_ROOM);
	s->name_n = s->value_n = 0;
	s->name[0] = s->value[0] = '\0';
	return 0;
}

static int on_head(llhttp_t *p)
{
	seen_of(p)->is_head_done = true;
	return HPE_PAUSED;
}

/* llhttp on @text: does it take the head? */
static bool oracle(const char *text, size_t n, struct seen *s)
{
	static llhttp_settings_t set;
	llhttp_errno_t e;

	llhttp_settings_init(&set);
	set.on_url = on_url;
	set.on_header_field = on_name;
	set.on_header_value = on_value;
	set.on_header_value_complete = on_value_end;
	set.on_headers_complete = on_head;
	memset(s, 0, sizeof(*s));
	llhttp_init(&s->parser, HTTP_REQUEST, &set);
	s->parser.data = s;
	e = llhttp_execute(&s->parser, text, n);
	return s->is_head_done && (e == HPE_OK || e == HPE_PAUSED || e == HPE_USER);
}

static bool ours(const char *text, size_t n, struct http_request *q)
{
	struct http_scan s = {0};
	unsigned status;
	size_t used;

	return http_scan(&s, span_of(text, n), &used) == ERR_OK && used == n &&
	       http_parse(span_of(text, n), q, &status) == ERR_OK;
}

static void same(const struct http_request *q, struct seen *s)
{
	static const uint8_t methods[] = {LLHTTP_GET, LLHTTP_POST, LLHTTP_DELETE};

	assert_int_equal(s->parser.method, methods[q->method]);
	assert_string_equal(q->path, s->url);
	assert_int_equal(s->parser.http_major, 1);
	assert_int_equal(s->parser.http_minor, 1);
	assert_true(span_eq_str(q->host, s->host));
	assert_true(span_eq_str(q->cookie, s->cookie));
	assert_true(span_eq_str(q->origin, s->origin));
	assert_int_equal(q->length, q->has_length ? s->parser.content_length : 0);
	assert_int_equal(q->is_close, !llhttp_should_keep_alive(&s->parser));
	assert_false(s->parser.upgrade);
}

static size_t mutate(char *text, size_t n, size_t room, uint64_t *state)
{
	const unsigned changes = next_random(state) % 4;

	for (unsigned i = 0; i < changes; i++) {
		const size_t at = next_random(state) % n;
		const char *scrap =
			scraps[next_random(state) % (sizeof(scraps) / sizeof(scraps[0]))];
		const size_t len = strlen(scrap);

		switch (next_random(state) % 4) {
		case 0:
			text[at] = (char)next_random(state);
			break;
		case 1:
			memmove(text + at, text + at + 1, n - at - 1);
			n--;
			break;
		case 2:
			text[at] ^= 0x20;
			break;
		default:
			if (n + len >= room)
				break;
			memmove(text + at + len, text + at, n - at);
			for (size_t k = 0; k < len; k++)
				text[at + k] = scrap[k];
			n += len;
		}
	}
	return n;
}

static void llhttp_never_refuses_what_we_take(void **state)
{
	uint64_t random = 4;
	unsigned taken = 0, refused = 0, only_us = 0;
	static struct seen s;

	(void)state;
	for (unsigned i = 0; i < INPUTS; i++) {
		char text[4096];
		const char *seed = seeds[i % (sizeof(seeds) / sizeof(seeds[0]))];
		size_t n = strlen(seed);
		struct http_request q;
		bool theirs, mine;

		memcpy(text, seed, n + 1);
		n = mutate(text, n, sizeof(text), &random);
		mine = ours(text, n, &q);
		theirs = oracle(text, n, &s);
		if (mine && !theirs)
			print_message("# taken, but llhttp says %s:\n%.*s\n",
				      llhttp_get_error_reason(&s.parser), (int)n, text);
		assert_true(theirs || !mine);
		if (mine)
			same(&q, &s);
		taken += mine;
		refused += !mine && !theirs;
		only_us += !mine && theirs;
	}
	/* all three kinds did come up */
	assert_true(taken > INPUTS / 10);
	assert_true(refused > INPUTS / 10);
	assert_true(only_us > INPUTS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(llhttp_never_refuses_what_we_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
