/*
 * Any bytes as the head of a request: refused, or within every rule, which are
 * checked here again in another way.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../fuzz/lines.h"
#include "mgmtd/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static unsigned is_named(const char *line, const char *name)
{
	return strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':';
}

static void check_lines(const char *text, const struct http_request *q)
{
	static const char *const once[] = {"host",         "content-length", "connection",
					   "cookie",       "origin",         "x-csrf",
					   "content-type", "if-none-match"};
	static const char *const never[] = {"transfer-encoding", "expect", "upgrade"};
	unsigned lines = 0, seen[8] = {0};

	for (const char *p = strstr(text, "\r\n") + 2; *p != '\r';
	     p = strstr(p, "\r\n") + 2) {
		lines++;
		must(*p != ' ' && *p != '\t' && *p != ':');
		must(strcspn(p, ":") < strcspn(p, " \t\r\n"));
		for (unsigned i = 0; i < 8; i++)
			seen[i] += is_named(p, once[i]);
		for (unsigned i = 0; i < 3; i++)
			must(!is_named(p, never[i]));
		if (is_named(p, "content-length")) {
			const char *v = p + 15 + strspn(p + 15, " \t");
			const size_t digits = strspn(v, "0123456789");

			must(digits > 0 && digits < 11 && (digits == 1 || *v != '0'));
			must(v[digits + strspn(v + digits, " \t")] == '\r');
			must(strtoull(v, NULL, 10) == q->length && q->has_length);
		}
	}
	must(lines <= HTTP_FIELDS_MAX);
	must(seen[0] == 1);
	for (unsigned i = 1; i < 8; i++)
		must(seen[i] <= 1);
	must(seen[1] || !q->has_length);
}

static void check(const char *text, size_t n, const struct http_request *q)
{
	static const char *const methods[] = {"GET ", "POST ", "DELETE "};
	const char *path = strchr(text, ' ') + 1;
	const size_t len = strlen(q->path);

	must(n <= HTTP_HEAD_MAX && strlen(text) == n);
	must(strcspn(text, "\r\n") <= HTTP_LINE_MAX);
	must(strcmp(text + n - 4, "\r\n\r\n") == 0 &&
	     strstr(text, "\r\n\r\n") == text + n - 4);
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)text[i];

		must(c < 0x7f && (c >= ' ' || c == '\t' || c == '\r' || c == '\n'));
		must(c != '\n' || (i > 0 && text[i - 1] == '\r'));
		must(c != '\r' || text[i + 1] == '\n');
	}
	must(strncmp(text, methods[q->method], strlen(methods[q->method])) == 0);
	must(len >= 1 && len <= HTTP_PATH_MAX && strncmp(path, q->path, len) == 0);
	must(strncmp(path + len, " HTTP/1.1\r\n", 11) == 0);
	must(q->path[0] == '/' && !strstr(q->path, "//") && !strstr(q->path, "/.") &&
	     !strpbrk(q->path, "%?#;\\:@&=+ ~*\"'<>"));
	must(q->method == HTTP_POST ? q->has_length : q->length == 0);
	check_lines(text, q);
}

/* The same bytes in pieces end at the same place in the same way. */
static void check_pieces(const uint8_t *data, size_t size, int want, size_t end)
{
	struct http_scan s = {0};
	size_t at = 0, used;
	int r = ERR_SHORT;

	while (r == ERR_SHORT && at < size) {
		r = http_scan(&s, span_of(data + at, 1), &used);
		at += used;
	}
	must(r == want && at == end);
}

int LLVMFuzzerTestOneInput(const uint8_t *text, size_t text_n)
{
	static uint8_t data[65536];
	const size_t size = lines_expand(text, text_n, data, sizeof(data));
	struct http_scan s = {0};
	struct http_request q;
	unsigned status = 0;
	size_t used;
	char *copy = malloc(size + 1);
	int r;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	r = http_scan(&s, span_of(copy, size), &used);
	must(used <= size && used <= HTTP_HEAD_MAX + 1);
	if (size)
		check_pieces(data, size, r, used);
	if (r == ERR_OK) {
		copy[used] = '\0';
		r = http_parse(span_of(copy, used), &q, &status);
		if (r == ERR_OK)
			check(copy, used, &q);
		else
			must(status >= 400 && status < 600);
	}
	free(copy);
	return 0;
}
