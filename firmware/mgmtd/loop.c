/*
 * DESIGN: one thread. A turn: wait for the TUN, a message or the next deadline; give
 * lwIP its packets and its time; give every connection a slice. When a connection
 * has more to do, the next turn does not wait.
 */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc.h"
#include "net_lwip.h"
#include "net_tun.h"
#include "page.h"
#include "say.h"
#include "tls_server.h"

#define TICK_MS 1000 /* http wants the time at least this often */

static struct {
	struct loop_fds fds;
	int policyd; /* link to policyd, -1 while it is away */
	struct http_server http;
	struct http_conn conns[TLS_SERVER_CONNS];
} loop;

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
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

/*
 * Start the network: lwIP on the TUN, the TLS server on lwIP.
 *
 * Returns ERR_OK, ERR_NOMEM or ERR_INTERNAL.
 */
int loop_open(const struct tls_key *key, const struct loop_fds *fds)
{
	int r = net_tun_open(fds->tun);

	loop.fds = *fds;
	loop.policyd = -1;
	http_tick(&loop.http, now_ms(), 0);
	return r == ERR_OK ? tls_server_open(key, &ops) : r;
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
		if (loop.policyd >= 0)
			(void)close(loop.policyd);
		loop.policyd = m.fd;
		m.fd = -1;
	}
	ipc_msg_clear(&m);
	return true;
}

/* policyd says something nobody has asked for, or it is gone. */
static void take_answer(void)
{
	struct ipc_msg m;
	int r = ipc_recv(loop.policyd, &m);

	if (r == ERR_OK)
		ipc_msg_clear(&m);
	if (r != ERR_NOENT && r != ERR_SYS)
		return;
	(void)close(loop.policyd);
	loop.policyd = -1;
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
			{.fd = loop.policyd, .events = POLLIN}, /* -1 is skipped */
		};

		if (poll(p, sizeof(p) / sizeof(p[0]), timeout_ms(has_more)) < 0 &&
		    errno != EINTR)
			return ERR_SYS;
		if (p[0].revents && !take_link())
			return ERR_NOENT;
		if (p[2].revents && p[2].fd == loop.policyd)
			take_answer();
		if (p[1].revents)
			net_tun_read();
		sys_check_timeouts();
		http_tick(&loop.http, now_ms(), 0);
		has_more = tls_server_run(now_ms());
	}
}
