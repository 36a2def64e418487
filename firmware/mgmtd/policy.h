/*
 * Questions of the web server to policyd, as messages.
 */
#ifndef LUYTRE_MGMT_POLICY_H
#define LUYTRE_MGMT_POLICY_H

#include "http.h"

#define POLICY_OPEN_MAX (HTTP_CONNS_MAX + 1) /* a question of each, and the server's */

struct policy {
	int fd; /* link to policyd, -1 while it is away */
	struct {
		uint32_t id; /* of the question, 0: free */
		enum http_ask what;
	} open[POLICY_OPEN_MAX];
};

void policy_init(struct policy *p);
int policy_ask(struct policy *p, uint32_t id, enum http_ask what, unsigned kind,
	       struct span body) MUST_CHECK;
void policy_link(struct policy *p, struct http_server *http, int fd);
void policy_receive(struct policy *p, struct http_server *http);

#endif
