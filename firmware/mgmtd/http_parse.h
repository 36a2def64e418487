/*
 * Head of an HTTP/1.1 request: found in a stream byte by byte within its
 * limits, then parsed whole. A strict subset; everything else is refused.
 */
#ifndef LUYTRE_HTTP_PARSE_H
#define LUYTRE_HTTP_PARSE_H

#include "http.h"

enum http_method { HTTP_GET, HTTP_POST, HTTP_DELETE, HTTP_METHOD_COUNT };

/* State of the search for the end of a head. */
struct http_scan {
	size_t total; /* bytes seen */
	size_t line;  /* bytes of this line, without CR LF */
	size_t lines; /* complete lines */
	bool is_cr;   /* the last byte was a CR */
};

struct http_request {
	enum http_method method;
	char path[HTTP_PATH_MAX + 1];
	bool is_close; /* "Connection: close" */
	bool has_length;
	uint64_t length;  /* of the body (bytes) */
	struct span host; /* all of them borrow from the head; n = 0: not there */
	struct span origin;
	struct span fetch_site;
	struct span cookie;
	struct span csrf;
	struct span content_type;
	struct span etag; /* If-None-Match */
};

const char *http_method_name(enum http_method method);
int http_scan(struct http_scan *s, struct span in, size_t *used) MUST_CHECK;
int http_parse(struct span head, struct http_request *out, unsigned *status) MUST_CHECK;

#endif
