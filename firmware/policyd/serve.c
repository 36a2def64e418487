/*
 * DESIGN: one thread, one poll loop; a configuration is applied to its end
 * before the next message is read. A development tool that sends anything bad is
 * closed. A task that svcd linked to us is dropped after SERVE_BAD_MAX bad
 * messages and svcd is told, who restarts it. Who a peer is follows from its
 * descriptor; nothing that a peer sends ends policyd.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "intake.h"
#include "ipc.h"
#include "report.h"
#include "say.h"
#include "wg.h"

#define STATUS_BYTES 4000 /* most that a STATUS message takes: include/msg.def */

/* Peers that svcd links to us, then the development tools. */
static const enum ipc_task linked[] = {IPC_TASK_webd, IPC_TASK_consoled};
#define LINKED_COUNT (sizeof(linked) / sizeof(linked[0]))
#define PEERS_MAX (LINKED_COUNT + SERVE_DEV_MAX)

struct peer {
	int fd; /* -1 = not there */
	enum ipc_task task;
	unsigned bad; /* messages over this link */
	struct ipc_rate rate;
};

struct server {
	struct intake *in;
	int link, dev;
	struct peer peers[PEERS_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void drop_peer(struct peer *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
}

static void set_peer(struct peer *p, int fd)
{
	drop_peer(p);
	p->fd = fd;
	p->bad = 0;
	memset(&p->rate, 0, sizeof(p->rate));
}

/*
 * Tell svcd what is in force.
 *
 * @link  descriptor to svcd
 *
 * Returns ERR_OK, or the error of ipc_send().
 */
int serve_ready(const struct engine *e, int link)
{
	char text[160];
	struct sbuf b;

	sbuf_init(&b, text, sizeof(text));
	sbuf_put_u8(&b, e->state == ENGINE_CLOSED ? READY_CLOSED : READY_ENFORCED);
	sbuf_putf(&b, "%s serial=%llu", engine_state_name(e->state),
		  (unsigned long long)e->cfg.serial);
	return ipc_send(link, IPC_READY, 0, span_of(text, b.n), -1);
}

/* What is measured, not configured. */
static void put_health(const struct server *s, struct sbuf *b)
{
	const struct engine *e = &s->in->engine;
	const struct table_load *t = &s->in->load;
	struct selftest now;
	char ways[80];

	if (e->state == ENGINE_ENFORCED) {
		selftest_before(&s->in->engine.rtnl, &e->cfg, &now);
		selftest_text(&now, '\n', ways, sizeof(ways));
		sbuf_putf(b, "profile=%s\n%s\n", cfg_profile_name(e->cfg.profile), ways);
	}
	if (t->is_known)
		sbuf_putf(b, "connections=%llu\nconnections_max=%llu\nrefused=%llu\n",
			  (unsigned long long)t->count, (unsigned long long)t->max,
			  (unsigned long long)t->dropped);
}

/* The public keys of tunnels: what the other ends must be told. */
static void put_tunnels(struct sbuf *b, const struct cfg *cfg)
{
	for (size_t i = 0; i < cfg->port_count; i++) {
		char text[CFG_KEY_TEXT_BYTES];
		uint8_t key[CFG_KEY_BYTES];

		if (cfg->ports[i].kind != CFG_WIREGUARD ||
		    wg_public_key(cfg->ports[i].name, key) != ERR_OK)
			continue;
		cfg_key_text(key, text);
		sbuf_putf(b, "wireguard.%s=%s\n", cfg->ports[i].name, text);
	}
}

static int send_status(const struct server *s, const struct peer *p, uint32_t seq)
{
	const struct engine *e = &s->in->engine;
	const struct trust *t = &s->in->trust;
	char text[STATUS_BYTES];
	struct sbuf b;

	sbuf_init(&b, text, sizeof(text));
	sbuf_putf(&b, "state=%s\n", engine_state_name(e->state));
	if (e->state == ENGINE_ENFORCED)
		sbuf_putf(&b,
			  "serial=%llu\nsha256=%s\ndevice=%s\nagency=%s\nrules=%"
			  "zu\nports=%zu\n",
			  (unsigned long long)e->cfg.serial, e->cfg.sha256, e->cfg.device,
			  e->cfg.agency, e->cfg.rule_count, e->cfg.port_count);
	sbuf_putf(&b, "kernel_rules=%zu\ngeneration=%u\n", e->kernel_rules,
		  e->generation);
	if (t->is_open)
		sbuf_putf(&b, "device_serial=%s\nkeyset=%llu\n", t->serial,
			  (unsigned long long)t->keys.version);
	else
		sbuf_putf(&b, "no_trust=%s\n", t->why);
	if (trial_is_on(s->in))
		sbuf_putf(&b, "trial_left=%llu\n",
			  (unsigned long long)trial_left_s(s->in));
	put_health(s, &b);
	put_tunnels(&b, &e->cfg);
	return ipc_send(p->fd, IPC_STATUS, seq, span_of(text, b.n), -1);
}

static int put_artifact(const struct server *s, const struct peer *p,
			const struct ipc_msg *m)
{
	uint8_t body[12 + INTAKE_TEXT_BYTES];
	struct intake_result result;
	struct sbuf b;

	if (m->body.p[0] == ART_CONFIG)
		intake_put(s->in, m->fd, &result);
	else if (m->body.p[0] == ART_KEYSET)
		intake_put_keyset(s->in, m->fd, &result);
	else if (m->body.p[0] == ART_COMMAND)
		intake_put_command(s->in, m->fd, &result);
	else
		return ERR_TYPE;
	sbuf_init(&b, body, sizeof(body));
	sbuf_put_le32(&b, (uint32_t)result.code);
	sbuf_put_le32(&b, (uint32_t)result.version);
	sbuf_put_le32(&b, (uint32_t)(result.version >> 32));
	sbuf_put(&b, result.text, strlen(result.text));
	return ipc_send(p->fd, IPC_ART_RESULT, m->seq, span_of(body, b.n), -1);
}

static int end_trial(const struct server *s, const struct peer *p,
		     const struct ipc_msg *m)
{
	uint8_t body[4 + INTAKE_TEXT_BYTES];
	struct intake_result result;
	struct sbuf b;

	if (m->type == IPC_CONFIRM)
		trial_confirm(s->in, m->body, &result);
	else
		trial_end(s->in, "rolled back by a person", &result);
	sbuf_init(&b, body, sizeof(body));
	sbuf_put_le32(&b, (uint32_t)result.code);
	sbuf_put(&b, result.text, strlen(result.text));
	return ipc_send(p->fd, IPC_TRIAL_RESULT, m->seq, span_of(body, b.n), -1);
}

static int send_report(const struct server *s, const struct peer *p,
		       const struct ipc_msg *m)
{
	uint8_t body[4];
	struct sbuf b;
	int fd = -1, r = report_make(&s->in->engine, m->body.p[0], &fd);

	if (r == ERR_TYPE)
		return r;
	if (r != ERR_OK) /* the message has a descriptor in any case: an empty one */
		fd = memfd_create("report", MFD_CLOEXEC);
	if (fd < 0)
		return ERR_SYS;
	sbuf_init(&b, body, sizeof(body));
	sbuf_put_le32(&b, (uint32_t)r);
	r = ipc_send(p->fd, IPC_REPORT, m->seq, span_of(body, b.n), fd);
	(void)close(fd);
	return r;
}

/* One message of a peer; anything but ERR_OK makes it a bad one. */
static int serve_message(const struct server *s, struct peer *p, const struct ipc_msg *m)
{
	int r = ipc_check(m, p->task, IPC_TASK_policyd);

	if (r == ERR_OK)
		r = ipc_rate_check(&p->rate, m->type, now_ms());
	if (r != ERR_OK)
		return r;
	if (m->type == IPC_ART_PUT)
		return put_artifact(s, p, m);
	if (m->type == IPC_STATUS_GET)
		return send_status(s, p, m->seq);
	if (m->type == IPC_REPORT_GET)
		return send_report(s, p, m);
	return end_trial(s, p, m);
}

static void bad_message(const struct server *s, struct peer *p, int reason)
{
	const uint8_t body[1] = {(uint8_t)p->task};

	p->bad++;
	say("bad-message", "from=%s count=%u reason=\"%s\"", ipc_task_name(p->task),
	    p->bad, err_text(reason));
	if (p->task == IPC_TASK_dev) {
		drop_peer(p);
		return;
	}
	if (p->bad < SERVE_BAD_MAX)
		return;
	drop_peer(p);
	if (ipc_send(s->link, IPC_BAD_PEER, 0, span_of(body, sizeof(body)), -1) != ERR_OK)
		say("not-told", "to=svcd message=BAD_PEER");
}

static void serve_peer(const struct server *s, struct peer *p)
{
	struct ipc_msg m;
	int r = ipc_recv(p->fd, &m);

	if (r == ERR_BUSY)
		return;
	if (r == ERR_OK) {
		r = serve_message(s, p, &m);
		ipc_msg_clear(&m);
	}
	if (r == ERR_OK)
		return;
	if (r == ERR_NOENT || r == ERR_SYS)
		drop_peer(p); /* it died; svcd sends a new link */
	else
		bad_message(s, p, r);
}

static void accept_peer(struct server *s)
{
	int fd = accept4(s->dev, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return; /* it went away again */
	for (size_t i = LINKED_COUNT; i < PEERS_MAX; i++) {
		if (s->peers[i].fd >= 0)
			continue;
		set_peer(&s->peers[i], fd);
		return;
	}
	(void)close(fd); /* all places taken */
}

/* svcd hands over a new link to a task. False when svcd is gone. */
static bool serve_link(struct server *s)
{
	struct ipc_msg m;
	int r = ipc_recv(s->link, &m);

	if (r != ERR_OK)
		return r != ERR_NOENT && r != ERR_SYS;
	if (ipc_check(&m, IPC_TASK_svcd, IPC_TASK_policyd) == ERR_OK &&
	    m.type == IPC_PEER) {
		for (size_t i = 0; i < LINKED_COUNT; i++) {
			if (linked[i] != m.body.p[0])
				continue;
			set_peer(&s->peers[i], m.fd);
			m.fd = -1;
			return true;
		}
	}
	ipc_msg_clear(&m);
	return true;
}

static int turn(struct server *s, int timeout_ms)
{
	struct pollfd p[2 + PEERS_MAX];
	int n;

	p[0] = (struct pollfd){.fd = s->link, .events = POLLIN};
	p[1] = (struct pollfd){.fd = s->dev, .events = POLLIN};
	for (size_t i = 0; i < PEERS_MAX; i++)
		p[2 + i] = (struct pollfd){.fd = s->peers[i].fd, .events = POLLIN};
	n = poll(p, 2 + PEERS_MAX, timeout_ms);
	if (n < 0)
		return errno == EINTR ? ERR_OK : ERR_SYS;
	if (p[0].revents && !serve_link(s))
		return ERR_NOENT;
	if (p[1].revents)
		accept_peer(s);
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (p[2 + i].revents && s->peers[i].fd == p[2 + i].fd)
			serve_peer(s, &s->peers[i]);
	}
	return ERR_OK;
}

/* How long to wait for messages: a trial's end must not be missed. */
static int wait_ms(const struct intake *in, uint64_t most_ms)
{
	uint64_t left_ms;

	/* after a failure to store the end, once a check interval is often enough */
	if (!trial_is_on(in))
		return (int)most_ms;
	left_ms = trial_left_s(in) * 1000;
	return (int)(left_ms < most_ms ? left_ms : most_ms);
}

/*
 * Serve until svcd goes away.
 *
 * @link  descriptor to svcd
 * @dev   listening socket of the development profile, -1 for none
 *
 * Returns ERR_NOENT when svcd is gone, or ERR_SYS.
 */
int serve_run(struct intake *in, int link, int dev)
{
	struct server s = {.in = in, .link = link, .dev = dev};
	uint64_t due_ms = now_ms() + SERVE_CHECK_MS;
	int r = ERR_OK;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		s.peers[i].fd = -1;
		s.peers[i].task = i < LINKED_COUNT ? linked[i] : IPC_TASK_dev;
	}
	while (r == ERR_OK) {
		uint64_t now = now_ms();

		if (now >= due_ms) {
			intake_end_rules(in);
			intake_restore(in);
			intake_retry(in);
			pressure_look(&in->load);
			due_ms = now_ms() + SERVE_CHECK_MS;
			now = now_ms();
		}
		r = turn(&s, wait_ms(in, due_ms > now ? due_ms - now : 0));
		trial_tick(in);
	}
	return r;
}
