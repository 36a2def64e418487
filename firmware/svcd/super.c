/*
 * DESIGN: start and restart are one path: a task that is to run waits in
 * TASK_WAITING until its due time, and super_tick() starts it. A task that
 * ends, for whatever reason, goes back there with a pause that doubles. svcd
 * ends a task only by SIGKILL; the death is then seen by super_reap() like any
 * other. Nothing in here returns an error: PID 1 has nobody to return it to.
 */
#include "super.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "console.h"
#include "peers.h"
#include "spawn.h"

#define RECEIVE_BURST 32 /* messages of one task before the others get their turn */

/*
 * Take over the task table; nothing is started.
 *
 * @dev_socket, @tun  stay open for the life of svcd, -1 for none
 */
void super_init(struct super *s, bool is_host, int dev_socket, int tun)
{
	const char *why = NULL;

	memset(s, 0, sizeof(*s));
	s->is_host = is_host;
	s->dev_socket = dev_socket;
	s->tun = tun;
	if (table_size() > TABLE_TASKS_MAX ||
	    table_check(table_at(0), table_size(), &why) != ERR_OK) {
		console_say("bad-table", "reason=\"%s\"", why ? why : "too long");
		return;
	}
	for (size_t i = 0; i < table_size(); i++) {
		struct task *t = &s->tasks[s->n++];

		t->spec = table_at(i);
		t->state = TASK_OFF;
		t->link = -1;
		t->due_ms = SUPER_NEVER;
	}
}

static bool is_wanted(const struct super *s, const struct task_spec *spec)
{
	if ((spec->flags & TASK_TUN) != 0 && s->tun < 0)
		return false;
	if ((spec->flags & TASK_CONSOLE) != 0)
		return access("/dev/console", R_OK | W_OK) == 0;
	if ((spec->flags & TASK_TERMINAL) == 0)
		return true;
	return !s->is_host && access(spec->tty, R_OK | W_OK) == 0;
}

/*
 * Ask for every task of the table; the next super_tick() starts them.
 */
void super_start(struct super *s, uint64_t now_ms)
{
	for (size_t i = 0; i < s->n; i++) {
		struct task *t = &s->tasks[i];

		if (!is_wanted(s, t->spec)) {
			console_say("skipped", "task=%s without=%s", t->spec->name,
				    t->spec->tty                       ? t->spec->tty
				    : (t->spec->flags & TASK_TUN) != 0 ? "tun"
								       : "/dev/console");
			continue;
		}
		if (!s->is_host && cgroup_make(t->spec) != ERR_OK)
			console_say("no-cgroup", "task=%s error=\"%s\"", t->spec->name,
				    strerror(errno));
		t->state = TASK_WAITING;
		t->due_ms = now_ms;
	}
}

static void close_link(struct task *t)
{
	if (t->link >= 0)
		(void)close(t->link);
	t->link = -1;
}

static void wait_again(struct task *t, uint64_t ran_ms, uint64_t now_ms)
{
	t->pid = 0;
	t->state = TASK_WAITING;
	t->due_ms = now_ms + backoff_next_ms(&t->backoff, ran_ms);
}

static void kill_task(struct task *t, const char *reason)
{
	console_say("killing", "task=%s pid=%d reason=\"%s\"", t->spec->name, (int)t->pid,
		    reason);
	t->due_ms = SUPER_NEVER;
	close_link(t);
	(void)kill(t->pid, SIGKILL); /* fails only when it is dead: reaped next */
}

/* The running task with this number, NULL when there is none. */
static struct task *task_of(struct super *s, enum ipc_task id)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->tasks[i].spec->id == id && s->tasks[i].link >= 0)
			return &s->tasks[i];
	}
	return NULL;
}

/* Link a task that has just started to those that run already. */
static void connect_task(struct super *s, const struct task *t)
{
	const struct table_link *l;

	for (size_t i = 0; (l = table_link_at(i)) != NULL; i++) {
		enum ipc_task id = t->spec->id, failed;
		struct task *other;

		if (l->a != id && l->b != id)
			continue;
		other = task_of(s, l->a == id ? l->b : l->a);
		if (!other || peers_connect(t->link, id, other->link, other->spec->id,
					    &failed) == ERR_OK)
			continue;
		console_say("no-link", "task=%s peer=%s error=\"%s\"", t->spec->name,
			    other->spec->name, strerror(errno));
		if (failed == other->spec->id)
			kill_task(other, "does not read its messages");
	}
}

static void start_task(struct super *s, struct task *t, uint64_t now_ms)
{
	struct spawn_env env = {.is_host = s->is_host,
				.link = -1,
				.dev = -1,
				.tun = -1,
				.folder = -1,
				.file = -1};
	int pair[2] = {-1, -1};
	int r;

	if ((t->spec->flags & TASK_LINK) != 0) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
		    fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) {
			console_say("failed", "task=%s step=link error=\"%s\"",
				    t->spec->name, strerror(errno));
			r = ERR_SYS;
			goto out;
		}
		env.link = pair[1];
	}
	if ((t->spec->flags & TASK_DEV_SOCKET) != 0)
		env.dev = s->dev_socket;
	if ((t->spec->flags & TASK_TUN) != 0)
		env.tun = s->tun;
	if (t->spec->folder)
		env.folder = open(t->spec->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->spec->file)
		env.file = open(t->spec->file, O_RDONLY | O_CLOEXEC);
	r = spawn_task(t->spec, &env, &t->pid);
	if (r != ERR_OK) {
		console_say("failed", "task=%s step=fork error=\"%s\"", t->spec->name,
			    strerror(errno));
		goto out;
	}
	gate_init(&t->gate, t->spec->id);
	t->link = pair[0];
	pair[0] = -1;
	t->started_ms = now_ms;
	t->state = t->spec->ready_ms != 0 ? TASK_STARTING : TASK_RUNNING;
	t->due_ms = t->spec->ready_ms != 0 ? now_ms + t->spec->ready_ms : SUPER_NEVER;
	console_say("started", "task=%s pid=%d", t->spec->name, (int)t->pid);
	connect_task(s, t);
out:
	if (pair[0] >= 0)
		(void)close(pair[0]);
	if (pair[1] >= 0)
		(void)close(pair[1]);
	if (env.file >= 0)
		(void)close(env.file);
	if (env.folder >= 0)
		(void)close(env.folder); /* was only opened to be handed over */
	if (r != ERR_OK)
		wait_again(t, 0, now_ms);
}

/*
 * Do what is due: starts, and ends of tasks that did not become ready.
 */
void super_tick(struct super *s, uint64_t now_ms)
{
	if (s->is_stopping) {
		if (!s->is_killing && now_ms >= s->stop_due_ms) {
			s->is_killing = true;
			(void)kill(-1, SIGKILL); /* everybody but PID 1 */
		}
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		struct task *t = &s->tasks[i];

		if (now_ms < t->due_ms)
			continue;
		if (t->state == TASK_WAITING)
			start_task(s, t, now_ms);
		else if (t->state == TASK_STARTING)
			kill_task(t, "not ready in time");
	}
}

static void task_died(struct super *s, struct task *t, int status, uint64_t now_ms)
{
	uint64_t ran_ms = now_ms - t->started_ms;

	if (WIFSIGNALED(status))
		console_say("died", "task=%s signal=%d after=%llums", t->spec->name,
			    WTERMSIG(status), (unsigned long long)ran_ms);
	else
		console_say("died", "task=%s exit=%d after=%llums", t->spec->name,
			    WEXITSTATUS(status), (unsigned long long)ran_ms);
	close_link(t);
	if (!s->is_host)
		cgroup_kill(t->spec->name);
	if (s->is_stopping) {
		t->pid = 0;
		t->state = TASK_OFF;
		t->due_ms = SUPER_NEVER;
		return;
	}
	wait_again(t, ran_ms, now_ms);
}

/*
 * Collect every process that ended: tasks get their restart, orphans vanish.
 */
void super_reap(struct super *s, uint64_t now_ms)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < s->n; i++) {
			if (s->tasks[i].pid == pid)
				task_died(s, &s->tasks[i], status, now_ms);
		}
	}
}

static void task_ready(struct task *t, const struct ipc_msg *m)
{
	static const char *const states[] = {[READY_CLOSED] = "closed",
					     [READY_ENFORCED] = "enforced",
					     [READY_RUNNING] = "running"};
	char text[200];

	console_escape(span_of(m->body.p + 1, m->body.n - 1), text, sizeof(text));
	console_say("ready", "task=%s state=%s text=\"%s\"", t->spec->name,
		    states[m->body.p[0]], text);
	if (t->state == TASK_STARTING) {
		t->state = TASK_RUNNING;
		t->due_ms = SUPER_NEVER;
	}
}

/* A task says that another one, which gate.c has found to be linked to it, sends
 * it too many bad messages. */
static void bad_peer(struct super *s, const struct task *from, const struct ipc_msg *m)
{
	enum ipc_task id = (enum ipc_task)m->body.p[0];
	struct task *t = task_of(s, id);

	console_say("bad-peer", "task=%s says=%s", ipc_task_name(id), from->spec->name);
	if (t)
		kill_task(t, "too many bad messages to a peer");
}

static void task_event(const struct task *t, const struct ipc_msg *m)
{
	char text[300];

	console_escape(m->body, text, sizeof(text));
	console_say("event", "task=%s text=\"%s\"", t->spec->name, text);
}

/* A message that gate.c let through. */
static void take_message(struct super *s, struct task *t, const struct ipc_msg *m)
{
	if (m->type == IPC_BAD_PEER)
		bad_peer(s, t, m);
	else if (m->type == IPC_EVENT)
		task_event(t, m);
	else if (m->type == IPC_RESTART)
		s->wants_restart = true;
	else
		task_ready(t, m);
}

/*
 * Read what a task sent over its link, at most RECEIVE_BURST messages: a task
 * that floods does not keep the main loop from the watchdog and the others.
 */
void super_receive(struct super *s, size_t i, uint64_t now_ms)
{
	struct task *t = &s->tasks[i];
	struct ipc_msg m;

	for (int burst = 0; burst < RECEIVE_BURST && t->link >= 0; burst++) {
		int r = ipc_recv(t->link, &m);
		int why = ERR_OK;
		enum gate_verdict verdict;

		if (r == ERR_BUSY)
			return;
		if (r == ERR_NOENT || r == ERR_SYS) {
			/* Closed by the task, or by its death. */
			if (s->is_stopping)
				close_link(t);
			else
				kill_task(t, "link closed");
			return;
		}
		verdict = gate_judge(&t->gate, r, &m, now_ms, &why);
		if (verdict == GATE_TAKE) {
			take_message(s, t, &m);
		} else {
			console_say("bad-message", "task=%s count=%u reason=\"%s\"",
				    t->spec->name, t->gate.bad, err_text(why));
		}
		if (r == ERR_OK)
			ipc_msg_clear(&m);
		if (verdict == GATE_RESTART)
			kill_task(t, "too many bad messages");
	}
}

/*
 * Stop all tasks: SIGTERM now, SIGKILL after SUPER_STOP_MS. Asking again while
 * stopping changes nothing.
 */
void super_stop(struct super *s, uint64_t now_ms)
{
	if (s->is_stopping)
		return;
	s->is_stopping = true;
	s->stop_due_ms = now_ms + SUPER_STOP_MS;
	for (size_t i = 0; i < s->n; i++) {
		struct task *t = &s->tasks[i];

		t->due_ms = SUPER_NEVER;
		if (t->pid > 0)
			(void)kill(t->pid, SIGTERM); /* dead already: reaped soon */
		else
			t->state = TASK_OFF;
	}
}

/*
 * Whether stopping is over: every task has ended.
 */
bool super_is_stopped(const struct super *s)
{
	if (!s->is_stopping)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		if (s->tasks[i].pid > 0)
			return false;
	}
	return true;
}

/*
 * When super_tick() has something to do next, SUPER_NEVER for nothing.
 */
uint64_t super_due_ms(const struct super *s)
{
	uint64_t due_ms = SUPER_NEVER;

	if (s->is_stopping)
		return s->is_killing ? SUPER_NEVER : s->stop_due_ms;
	for (size_t i = 0; i < s->n; i++) {
		if (s->tasks[i].due_ms < due_ms)
			due_ms = s->tasks[i].due_ms;
	}
	return due_ms;
}
