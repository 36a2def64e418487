/*
 * DESIGN: one thread. A turn: wait for the TUN, a message or the next deadline; give
 * lwIP its packets and its time; give every connection a slice. When a connection
 * has more to do, the next turn does not wait.
 */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "http_server.h"
#include "ipc.h"
#include "net_lwip.h"
#include "net_tun.h"
#include "policy.h"
#include "tls_server.h"

#define TICK_MS 1000 /* http wants the time at least this often */

/* Sessions: NIST SP 800-63B-4 2.2.3 allows less; requirement AC-08. */
#define SESSION_IDLE_S 300
#define SESSION_ABSOLUTE_S (8 * 3600)

/* Before this the clock was not set: 2026-01-01. */
#define CLOCK_SET_S 1767225600

static struct {
	struct loop_fds fds;
	struct keep *keep;
	struct policy policy;
	struct http_server http;
	struct http_conn conns[TLS_SERVER_CONNS];
} loop;

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int64_t utc_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail for this clock */
	return ts.tv_sec >= CLOCK_SET_S ? ts.tv_sec : 0;
}

/* What the web server needs of us: http.h. */

static int on_ask(void *ctx, uint32_t id, enum http_ask what, unsigned kind,
		  struct span body)
{
	(void)ctx;
	return policy_ask(&loop.policy, id, what, kind, body);
}

static int on_doc_read(void *ctx, struct http_doc doc, size_t at, uint8_t *out, size_t n)
{
	(void)ctx;
	return pread(doc.id, out, n, (off_t)at) == (ssize_t)n ? ERR_OK : ERR_SYS;
}

static void on_doc_close(void *ctx, struct http_doc doc)
{
	(void)ctx;
	(void)close(doc.id); /* a memfd that was only read */
}

static int on_random(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	return getrandom(out, n, 0) == (ssize_t)n ? ERR_OK : ERR_SYS;
}

static int on_save(void *ctx, struct span text)
{
	(void)ctx;
	return keep_save(loop.keep, text);
}

static void on_event(void *ctx, enum http_event event, const char *text)
{
	uint8_t body[200];
	struct sbuf b;
	int r;

	(void)ctx;
	sbuf_init(&b, body, sizeof(body));
	sbuf_putf(&b, "%s %.160s", http_event_name(event), text);
	r = ipc_send(loop.fds.svcd, IPC_EVENT, 0, span_of(body, b.n), -1);
	(void)r; /* svcd counts what it does not take; there is nobody else to tell */
}

static struct http_conn *open_conn(void *ctx, unsigned place,
				   const struct http_peer *peer)
{
	(void)ctx;
	http_init(&loop.conns[place], &loop.http, peer);
	return &loop.conns[place];
}

static void close_conn(void *ctx, unsigned place)
{
	(void)ctx;
	http_clear(&loop.conns[place]);
}

static const struct tls_server_ops ops = {open_conn, close_conn, NULL};

static int open_http(const struct loop_setup *setup)
{
	const struct http_setup http = {
		.ops = {on_ask, on_doc_read, on_doc_close, on_random, on_save, on_event,
			NULL},
		.pack = setup->pack,
		.idle_s = SESSION_IDLE_S,
		.absolute_s = SESSION_ABSOLUTE_S,
		.iterations = CONFIG_MGMT_PASSWORD_ITERATIONS,
	};

	return http_server_init(&loop.http, &http, setup->accounts);
}

/*
 * Start the network: lwIP on the TUN, the TLS server on lwIP, the web server in it.
 *
 * Returns ERR_OK, or an error of http_server_init(), net_tun_open() or
 * tls_server_open().
 */
int loop_open(const struct loop_setup *setup)
{
	int r;

	loop.fds = setup->fds;
	loop.keep = setup->keep;
	policy_init(&loop.policy);
	r = open_http(setup);
	if (r == ERR_OK)
		r = net_tun_open(loop.fds.tun);
	return r == ERR_OK ? tls_server_open(setup->key, &ops) : r;
}

/* svcd hands over links. False: it is gone, or has sent what it must not. */
static bool take_link(void)
{
	struct ipc_msg m;
	int r = ipc_recv(loop.fds.svcd, &m);

	if (r == ERR_BUSY)
		return true;
	if (r != ERR_OK)
		return false;
	if (ipc_check(&m, IPC_TASK_svcd, IPC_TASK_webd) == ERR_OK && m.type == IPC_PEER &&
	    m.body.p[0] == IPC_TASK_policyd) {
		policy_link(&loop.policy, &loop.http, m.fd);
		m.fd = -1;
	}
	ipc_msg_clear(&m);
	return true;
}

static int timeout_ms(bool has_more)
{
	uint32_t next = sys_timeouts_sleeptime();

	if (has_more)
		return 0;
	return next < TICK_MS ? (int)next : TICK_MS;
}

/*
 * Serve. Returns only when svcd is gone (ERR_NOENT) or poll fails (ERR_SYS).
 */
int loop_run(void)
{
	bool has_more = false;

	for (;;) {
		struct pollfd p[] = {
			{.fd = loop.fds.svcd, .events = POLLIN},
			{.fd = loop.fds.tun, .events = POLLIN},
			{.fd = loop.policy.fd, .events = POLLIN}, /* -1 is skipped */
		};

		if (poll(p, sizeof(p) / sizeof(p[0]), timeout_ms(has_more)) < 0 &&
		    errno != EINTR)
			return ERR_SYS;
		/* first: a deadline that begins in this turn begins now */
		http_tick(&loop.http, now_ms(), utc_s());
		if (p[0].revents && !take_link())
			return ERR_NOENT;
		if (p[2].revents && p[2].fd == loop.policy.fd)
			policy_receive(&loop.policy, &loop.http);
		if (p[1].revents)
			net_tun_read();
		sys_check_timeouts();
		has_more = tls_server_run(now_ms());
		has_more = http_work(&loop.http) || has_more;
	}
}
