/*
 * Heads of requests: every limit at n-1, n and n+1, every form that is refused.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include "mgmtd/http_parse.h"

#define ROOM (2 * HTTP_HEAD_MAX)
#define HOST "Host: 192.168.1.1\r\n"

/* Scan and parse a whole text; the status when refused, 0 when taken, 1 when the end
 * of the head is not there. */
static unsigned judge(struct span text, struct http_request *q)
{
	struct http_scan s = {0};
	unsigned status = 400;
	size_t used;
	int r = http_scan(&s, text, &used);

	if (r == ERR_SHORT)
		return 1;
	if (r == ERR_LIMIT)
		return 431;
	if (r != ERR_OK)
		return 400;
	assert_int_equal(used, text.n);
	r = http_parse(text, q, &status);
	return r == ERR_OK ? 0 : status;
}

static unsigned judge_str(const char *text)
{
	struct http_request q;

	return judge(span_str(text), &q);
}

/* "GET /aaa... HTTP/1.1" of @n bytes. */
static unsigned with_line(size_t n)
{
	static char text[ROOM];
	const size_t fixed = strlen("GET / HTTP/1.1");

	(void)snprintf(text, sizeof(text), "GET /");
	memset(text + 5, 'a', n - fixed);
	(void)snprintf(text + 5 + n - fixed, 64, " HTTP/1.1\r\n" HOST "\r\n");
	return judge_str(text);
}

/* A head of @n bytes. */
static unsigned with_head(size_t n)
{
	static char text[ROOM];
	const char *begin = "GET / HTTP/1.1\r\n" HOST "X-Pad: ";
	const size_t fixed = strlen(begin) + 4;

	memcpy(text, begin, fixed - 4);
	memset(text + fixed - 4, 'a', n - fixed);
	memcpy(text + n - 4, "\r\n\r\n", 5);
	return judge_str(text);
}

static unsigned with_fields(unsigned n)
{
	char text[4096];
	int at = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);

	for (unsigned i = 1; i < n; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "X-%u: y\r\n", i);
	(void)snprintf(text + at, sizeof(text) - (size_t)at, "\r\n");
	return judge_str(text);
}

static unsigned with_path(size_t n)
{
	char text[256] = "GET /", tail[] = " HTTP/1.1\r\n" HOST "\r\n";

	memset(text + 5, 'p', n - 1);
	memcpy(text + 4 + n, tail, sizeof(tail));
	return judge_str(text);
}

static unsigned with_host(size_t n)
{
	char text[400] = "GET / HTTP/1.1\r\nHost: ";
	const size_t at = strlen(text);

	memset(text + at, 'h', n);
	memcpy(text + at + n, "\r\n\r\n", 5);
	return judge_str(text);
}

static void limits_are_exact(void **state)
{
	(void)state;
	/* the line is within its limit, but the path in it is not */
	assert_int_equal(with_line(HTTP_LINE_MAX - 1), 400);
	assert_int_equal(with_line(HTTP_LINE_MAX), 400);
	assert_int_equal(with_line(HTTP_LINE_MAX + 1), 431);
	assert_int_equal(with_head(HTTP_HEAD_MAX - 1), 0);
	assert_int_equal(with_head(HTTP_HEAD_MAX), 0);
	assert_int_equal(with_head(HTTP_HEAD_MAX + 1), 431);
	assert_int_equal(with_fields(HTTP_FIELDS_MAX - 1), 0);
	assert_int_equal(with_fields(HTTP_FIELDS_MAX), 0);
	assert_int_equal(with_fields(HTTP_FIELDS_MAX + 1), 431);
	assert_int_equal(with_path(HTTP_PATH_MAX - 1), 0);
	assert_int_equal(with_path(HTTP_PATH_MAX), 0);
	assert_int_equal(with_path(HTTP_PATH_MAX + 1), 400);
	assert_int_equal(with_host(1), 0);
	assert_int_equal(with_host(255), 0);
	assert_int_equal(with_host(256), 400);
}

static const struct {
	unsigned status;
	const char *text;
} rows[] = {
	{0, "GET / HTTP/1.1\r\n" HOST "\r\n"},
	{0, "DELETE /api/draft HTTP/1.1\r\n" HOST "\r\n"},
	{0, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"},
	{0, "POST /a HTTP/1.1\r\n" HOST "content-LENGTH: \t 12\r\n\r\n"},
	{0, "GET /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"},
	{0, "GET /a-b_c.d/e HTTP/1.1\r\nHost:[fd00::1]:8443\r\n\r\n"},
	{0, "GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n"},
	{0, "GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n"},
	{0, "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n"},
	/* request line */
	{400, "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"},
	{400, " GET / HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET  / HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /  HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET / HTTP/1.1 \r\n" HOST "\r\n"},
	{400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET / http/1.1\r\n" HOST "\r\n"},
	{400, "GET /\r\n" HOST "\r\n"},
	{400, "G(T / HTTP/1.1\r\n" HOST "\r\n"},
	{505, "GET / HTTP/1.0\r\n" HOST "\r\n"},
	{505, "GET / HTTP/1.9\r\n" HOST "\r\n"},
	{505, "GET / HTTP/2.0\r\n" HOST "\r\n"},
	{501, "get / HTTP/1.1\r\n" HOST "\r\n"},
	{501, "HEAD / HTTP/1.1\r\n" HOST "\r\n"},
	{501, "PUT / HTTP/1.1\r\n" HOST "\r\n"},
	{501, "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n"},
	{501, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"},
	{501, "TRACE / HTTP/1.1\r\n" HOST "\r\n"},
	/* path */
	{400, "GET * HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET a HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET http://x/ HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET //a HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /a//b HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /.. HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /a/../b HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /.git HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /%2e%2e HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /a?b=c HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /a;b HTTP/1.1\r\n" HOST "\r\n"},
	{400, "GET /a\\b HTTP/1.1\r\n" HOST "\r\n"},
	/* host */
	{400, "GET / HTTP/1.1\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
	/* length and coding */
	{411, "POST /a HTTP/1.1\r\n" HOST "\r\n"},
	{501, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"},
	{501, "POST /a HTTP/1.1\r\n" HOST
	      "Content-Length: 3\r\nTransfer-Encoding: identity\r\n\r\n"},
	{400,
	 "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 03\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3 \r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\t\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3 3\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 4294967296\r\n\r\n"},
	{400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n"},
	{400, "GET /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"},
	{400, "DELETE /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"},
	{417,
	 "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"},
	{501, "GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "Connection: close, x\r\n\r\n"},
	/* fields */
	{400, "GET / HTTP/1.1\r\n" HOST "X : y\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST " X: y\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "X: y\r\n z\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST ": y\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "X: \xc3\xa9\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "Cookie: a=b\r\nCookie: c=d\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "Origin: a\r\nOrigin: a\r\n\r\n"},
	/* line ends */
	{400, "GET / HTTP/1.1\n" HOST "\r\n"},
	{400, "GET / HTTP/1.1\r\n" HOST "\n"},
	{400, "GET / HTTP/1.1\rX\n" HOST "\r\n"},
	{400, "GET / HTTP/1.1\r\r\n" HOST "\r\n"},
	{1, "GET / HTTP/1.1\r\n" HOST},
	{1, ""},
};

static void forms_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned got = judge_str(rows[i].text);

		if (got != rows[i].status)
			print_message("# row %zu: %s\n", i, rows[i].text);
		assert_int_equal(got, rows[i].status);
	}
}

static void nul_is_refused_anywhere(void **state)
{
	static const char good[] = "GET / HTTP/1.1\r\nHost: a\r\nX: yy\r\n\r\n";
	char text[sizeof(good)];
	struct http_request q;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(good); i++) {
		memcpy(text, good, sizeof(good));
		text[i] = '\0';
		assert_int_equal(judge(span_of(text, sizeof(good) - 1), &q), 400);
	}
}

/* The head ends at the same byte however it is cut into pieces. */
static void pieces_do_not_matter(void **state)
{
	static const char text[] = "POST /api/login HTTP/1.1\r\nHost: a\r\n"
				   "Content-Length: 5\r\n\r\nhello";
	const size_t end = sizeof(text) - 1 - 5;

	(void)state;
	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		struct http_scan s = {0};
		size_t at = 0, used;
		int r = ERR_SHORT;

		while (r == ERR_SHORT) {
			size_t n =
				sizeof(text) - 1 - at < cut ? sizeof(text) - 1 - at : cut;

			r = http_scan(&s, span_of(text + at, n), &used);
			at += used;
		}
		assert_int_equal(r, ERR_OK);
		assert_int_equal(at, end);
	}
}

static void fields_are_taken(void **state)
{
	struct http_request q = {.method = HTTP_METHOD_COUNT};

	(void)state;
	assert_int_equal(judge(span_str("POST /api/x HTTP/1.1\r\nHost: 10.0.0.1:444\r\n"
					"ORIGIN: https://10.0.0.1:444\r\n"
					"Cookie: a=b; __Host-luytre=1\r\n"
					"x-csrf:ff\r\nContent-Type: application/json\r\n"
					"Sec-Fetch-Site: same-origin\r\n"
					"If-None-Match: \"x\"\r\n"
					"Content-Length: 17\r\n\r\n"),
			       &q),
			 0);
	assert_int_equal(q.method, HTTP_POST);
	assert_string_equal(q.path, "/api/x");
	assert_true(span_eq_str(q.host, "10.0.0.1:444"));
	assert_true(span_eq_str(q.origin, "https://10.0.0.1:444"));
	assert_true(span_eq_str(q.cookie, "a=b; __Host-luytre=1"));
	assert_true(span_eq_str(q.csrf, "ff"));
	assert_true(span_eq_str(q.content_type, "application/json"));
	assert_true(span_eq_str(q.fetch_site, "same-origin"));
	assert_true(span_eq_str(q.etag, "\"x\""));
	assert_int_equal(q.length, 17);
	assert_false(q.is_close);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(forms_are_judged),
		cmocka_unit_test(nul_is_refused_anywhere),
		cmocka_unit_test(pieces_do_not_matter),
		cmocka_unit_test(fields_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
