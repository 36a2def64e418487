/*
 * DESIGN: management is reachable when its port is up and has a carrier; the
 * SOC is reachable when a route leads to one of its addresses through such a
 * port and the next hop answers ARP or neighbour discovery. More cannot be known
 * from here: policyd talks to nobody but the kernel. A new configuration must not
 * lose a way that was there before; what was broken before may stay broken, or
 * nothing could be repaired.
 */
#include "selftest.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define NUD_ANSWERS (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)
#define NUD_OPEN (NUD_INCOMPLETE | NUD_STALE | NUD_DELAY | NUD_PROBE)

static void bad(struct selftest_way *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void bad(struct selftest_way *w, const char *fmt, ...)
{
	va_list ap;

	w->state = SELFTEST_BAD;
	va_start(ap, fmt);
	(void)vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
}

static const struct rtnl_link *by_index(const struct rtnl *r, int index)
{
	for (size_t i = 0; i < r->link_count; i++) {
		if (r->links[i].index == index)
			return &r->links[i];
	}
	return NULL;
}

static const struct rtnl_link *by_name(const struct rtnl *r, const char *name)
{
	for (size_t i = 0; i < r->link_count; i++) {
		if (strcmp(r->links[i].name, name) == 0)
			return &r->links[i];
	}
	return NULL;
}

static void look_management(const struct rtnl *r, const struct cfg *cfg,
			    struct selftest_way *w)
{
	const struct rtnl_link *l;
	const char *name;

	w->state = SELFTEST_NOT_ASKED;
	if (!cfg->management.is_set)
		return;
	name = cfg->ports[cfg->management.port].name;
	l = by_name(r, name);
	if (!l || !l->is_up || !l->has_carrier) {
		bad(w, "the management port %s has no link", name);
		return;
	}
	w->state = SELFTEST_GOOD;
}

/* One address of the SOC. @is_asking also makes the kernel ask. */
static void look_soc_addr(struct rtnl *r, const struct net_addr *a, bool is_asking,
			  struct selftest_way *w)
{
	char to[NET_TEXT_BYTES], via[NET_TEXT_BYTES];
	const struct rtnl_link *l;
	struct net_addr hop;
	uint16_t state;
	int index;

	(void)net_addr_text(a, to);
	if (rtnl_way(r, a, &index, &hop) != ERR_OK) {
		bad(w, "no route leads to the SOC %s", to);
		return;
	}
	l = by_index(r, index);
	if (!l || !l->is_up || !l->has_carrier) {
		bad(w, "the port %s toward the SOC %s has no link", l ? l->name : "?",
		    to);
		return;
	}
	if (!l->is_ether) { /* a tunnel has no neighbours to ask */
		w->state = SELFTEST_GOOD;
		return;
	}
	state = rtnl_neighbour(r, index, &hop);
	if (is_asking && !(state & (NUD_ANSWERS | NUD_INCOMPLETE | NUD_PROBE)) &&
	    rtnl_ask_neighbour(r, index, &hop, state) == ERR_OK)
		state = NUD_INCOMPLETE;
	(void)net_addr_text(&hop, via);
	if (state & NUD_ANSWERS || (!is_asking && state & NUD_OPEN)) {
		w->state = SELFTEST_GOOD;
		return;
	}
	bad(w, "%s on port %s, the way to the SOC %s, does not answer", via, l->name, to);
	if (state & NUD_OPEN)
		w->state = SELFTEST_WAITING;
}

static void look_soc(struct rtnl *r, const struct cfg *cfg, bool is_asking,
		     struct selftest_way *w)
{
	struct selftest_way best = {.state = SELFTEST_NOT_ASKED}, one;

	for (size_t i = 0; i < cfg->soc.count; i++) {
		memset(&one, 0, sizeof(one));
		look_soc_addr(r, &cfg->soc.addrs[i], is_asking, &one);
		if (best.state == SELFTEST_NOT_ASKED || one.state < best.state)
			best = one;
	}
	*w = best;
}

static void look(struct rtnl *r, const struct cfg *cfg, bool is_asking,
		 struct selftest *out)
{
	memset(out, 0, sizeof(*out));
	if (!cfg->management.is_set && cfg->soc.count == 0)
		return;
	if (rtnl_read_links(r) != ERR_OK) {
		bad(&out->management, "%.150s", r->why);
		return;
	}
	look_management(r, cfg, &out->management);
	look_soc(r, cfg, is_asking, &out->soc);
}

/*
 * Look what works now, at once and without asking anybody.
 */
void selftest_before(struct rtnl *r, const struct cfg *cfg, struct selftest *out)
{
	look(r, cfg, false, out);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait for news of neighbours and links. */
static void wait_news(struct mnl_socket *nl, int64_t until_ms)
{
	struct pollfd p = {.fd = mnl_socket_get_fd(nl), .events = POLLIN};
	int64_t left = until_ms - now_ms();
	uint8_t buf[8192];

	if (left > 0 && poll(&p, 1, (int)left) > 0)
		(void)mnl_socket_recvfrom(nl, buf, sizeof(buf)); /* only that it came */
}

/*
 * Find out whether management and SOC can get through under @cfg, which is in
 * force. Takes at most SELFTEST_WAIT_MS.
 */
void selftest_run(struct rtnl *r, const struct cfg *cfg, struct selftest *out)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int64_t until_ms = now_ms() + SELFTEST_WAIT_MS;

	if (nl &&
	    mnl_socket_bind(nl, RTMGRP_NEIGH | RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
		(void)mnl_socket_close(nl);
		nl = NULL;
	}
	look(r, cfg, true, out);
	while (nl && out->soc.state == SELFTEST_WAITING && now_ms() < until_ms) {
		wait_news(nl, until_ms);
		look(r, cfg, true, out);
	}
	if (nl)
		(void)mnl_socket_close(nl);
}

/*
 * What was there before and is not now.
 *
 * Returns a sentence, or NULL when nothing was lost.
 */
const char *selftest_loss(const struct selftest *before, const struct selftest *now)
{
	if (before->management.state == SELFTEST_GOOD &&
	    now->management.state >= SELFTEST_WAITING)
		return now->management.why;
	if (before->soc.state == SELFTEST_GOOD && now->soc.state >= SELFTEST_WAITING)
		return now->soc.why;
	return NULL;
}

static const char *word(const struct selftest_way *w)
{
	switch (w->state) {
	case SELFTEST_NOT_ASKED:
		return "not-configured";
	case SELFTEST_GOOD:
		return "reachable";
	case SELFTEST_WAITING:
	case SELFTEST_BAD:
	default:
		return "unreachable";
	}
}

/*
 * The result as key=value words.
 *
 * @between  what stands between the two
 */
void selftest_text(const struct selftest *t, char between, char *text, size_t max)
{
	(void)snprintf(text, max, "management=%s%csoc=%s", word(&t->management), between,
		       word(&t->soc));
}
