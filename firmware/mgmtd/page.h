/*
 * One page that says that the device is there; stands in for the web interface.
 */
#ifndef LUYTRE_PAGE_H
#define LUYTRE_PAGE_H

#include "http.h"

struct http_server {
	uint64_t now_ms;
};

struct http_conn {
	struct http_server *server;
	uint64_t due_ms;
	unsigned matched; /* bytes of the empty line that ends the head */
	size_t got;       /* bytes of the head */
	size_t sent;
	bool is_asked;
	bool is_over;
};

#endif
