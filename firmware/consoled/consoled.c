/*
 * consoled: the serial menu. Started by svcd without any capability, as its own
 * user, with the console as descriptors 0 and 1 and a link to svcd.
 *
 * DESIGN: it can ask policyd what webd can ask: status, apply what is signed,
 * confirm, roll back; and svcd to restart the device. Its accounts are its own:
 * who takes over webd gets no login here, and the other way round. It starts no
 * program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "console.h"
#include "fds.h"
#include "file.h"
#include "ipc.h"
#include "sealed.h"
#include "store.h"
#include "wipe.h"

#define FOLDER "/conf/console"
#define FILE_NAME "accounts"
#define FACTORY "/conf/factory/console" /* from the flashing tool */

struct state {
	struct console console;
	struct accounts accounts;
	int policyd; /* link, -1 for none */
	uint8_t out[256];
	size_t out_n;
	uint8_t file[MAN_CONFIG_FILE_MAX];
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int ask(void *ctx, enum ipc_type type, uint32_t seq, struct span body,
	       struct span file)
{
	struct state *s = ctx;
	int memfd = -1;
	int r = ERR_NOENT;

	if (s->policyd < 0)
		return ERR_NOENT;
	if (file.n && sealed_make("file", file, &memfd) != ERR_OK)
		return ERR_SYS;
	r = ipc_send(s->policyd, type, seq, body, memfd);
	if (memfd >= 0)
		(void)close(memfd); /* policyd has its own */
	return r;
}

static int restart(void *ctx)
{
	(void)ctx;
	return ipc_send(FDS_SVCD, IPC_RESTART, 0, span_of(NULL, 0), -1);
}

static int random_bytes(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	return getrandom(out, n, 0) == (ssize_t)n ? ERR_OK : ERR_SYS;
}

static void event(void *ctx, const char *text)
{
	(void)ctx;
	if (ipc_send(FDS_SVCD, IPC_EVENT, 0, span_str(text), -1) != ERR_OK)
		return; /* svcd is gone, the loop sees it */
}

static int write_file(struct store_folder *folder, struct span text)
{
	const struct store_io *io = &store_folder_io;
	int file = io->create(folder, FILE_NAME ".new");
	bool is_good = file >= 0;

	while (is_good && text.n) {
		long n = io->write(folder, file, text.p, text.n);

		is_good = n > 0;
		if (is_good)
			text = span_of(text.p + n, text.n - (size_t)n);
	}
	is_good = is_good && io->sync(folder, file) == 0;
	if (file >= 0 && io->close(folder, file) != 0)
		is_good = false;
	return is_good && io->rename(folder, FILE_NAME ".new", FILE_NAME) == 0 &&
			       io->sync_folder(folder) == 0
		       ? ERR_OK
		       : ERR_SYS;
}

static int save(void *ctx, struct span text)
{
	struct store_folder folder = {.fd = -1};
	int r = store_folder_open(&folder, FOLDER);

	(void)ctx;
	if (r == ERR_OK)
		r = write_file(&folder, text);
	store_folder_close(&folder);
	return r;
}

static int load(struct state *s, const char *path)
{
	uint8_t *text = NULL;
	size_t n = 0;
	int r = file_load(path, ACCOUNTS_FILE_MAX, &text, &n);

	if (r == ERR_OK)
		r = accounts_parse(span_of(text, n), &s->accounts);
	if (text)
		wipe(text, n);
	free(text);
	return r;
}

/* Who may log in. A damaged file is not replaced: nobody can log in then, and the
 * console says so. */
static int load_accounts(struct state *s)
{
	char text[96];
	int r = load(s, FOLDER "/" FILE_NAME);

	if (r == ERR_NOENT)
		r = load(s, FACTORY);
	if (r == ERR_OK || r == ERR_NOENT)
		return r;
	(void)snprintf(text, sizeof(text), "accounts file=damaged reason=\"%s\"",
		       err_text(r));
	event(s, text);
	return r;
}

/* Bytes as they come, no signals, no echo, no flow control. Output keeps its
 * line ends for the other writers. */
static void set_terminal(void)
{
	struct termios tio;

	if (tcgetattr(STDIN_FILENO, &tio) != 0)
		return; /* no terminal: a test's socket */
	tio.c_iflag = IGNBRK;
	tio.c_lflag = 0;
	tio.c_oflag |= OPOST | ONLCR;
	tio.c_cflag &= (tcflag_t) ~(CSIZE | PARENB);
	tio.c_cflag |= CS8 | CREAD | CLOCAL;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &tio); /* best effort */
}

/* svcd hands over a new link. False when svcd is gone. */
static bool serve_svcd(struct state *s)
{
	struct ipc_msg m;
	int r = ipc_recv(FDS_SVCD, &m);

	if (r != ERR_OK)
		return r != ERR_NOENT && r != ERR_SYS;
	if (ipc_check(&m, IPC_TASK_svcd, IPC_TASK_consoled) == ERR_OK &&
	    m.type == IPC_PEER && m.body.p[0] == IPC_TASK_policyd) {
		if (s->policyd >= 0)
			(void)close(s->policyd);
		console_peer_lost(&s->console, clock_ms());
		s->policyd = m.fd;
		return true;
	}
	ipc_msg_clear(&m);
	return true;
}

static void serve_policyd(struct state *s)
{
	struct console_answer answer;
	struct ipc_msg m;
	int r = ipc_recv(s->policyd, &m);

	if (r == ERR_NOENT || r == ERR_SYS) {
		(void)close(s->policyd);
		s->policyd = -1;
		console_peer_lost(&s->console, clock_ms());
		return;
	}
	if (r != ERR_OK)
		return; /* busy, or a bad message: dropped */
	if (ipc_check(&m, IPC_TASK_policyd, IPC_TASK_consoled) == ERR_OK) {
		answer = (struct console_answer){
			.type = (enum ipc_type)m.type, .seq = m.seq, .body = m.body};
		console_answer(&s->console, &answer, clock_ms());
	}
	ipc_msg_clear(&m);
}

/* False when the terminal is gone. */
static bool serve_input(struct state *s)
{
	uint8_t bytes[512];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	console_input(&s->console, span_of(bytes, (size_t)n), clock_ms());
	wipe(bytes, sizeof(bytes));
	return n > 0;
}

/* Send what there is; what the line does not take now stays. */
static void serve_output(struct state *s)
{
	for (;;) {
		ssize_t n;

		if (s->out_n == 0)
			s->out_n = console_output(&s->console, s->out, sizeof(s->out));
		if (s->out_n == 0)
			return;
		n = write(STDOUT_FILENO, s->out, s->out_n);
		if (n <= 0)
			return;
		memmove(s->out, s->out + n, s->out_n - (size_t)n);
		s->out_n -= (size_t)n;
	}
}

static int wait_ms(const struct state *s, bool has_work)
{
	uint64_t due_ms = console_due_ms(&s->console), now = clock_ms();

	if (has_work || due_ms <= now)
		return 0;
	return due_ms - now < 60000 ? (int)(due_ms - now) : 60000;
}

/* One turn of the loop. False when svcd or the terminal is gone. */
static bool turn(struct state *s)
{
	bool has_work = console_work(&s->console, clock_ms());
	struct pollfd p[3];

	serve_output(s);
	p[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	if (s->out_n)
		p[0].events |= POLLOUT; /* one terminal, both ways */
	p[1] = (struct pollfd){.fd = FDS_SVCD, .events = POLLIN};
	p[2] = (struct pollfd){.fd = s->policyd, .events = POLLIN};
	if (poll(p, 3, wait_ms(s, has_work)) < 0)
		return errno == EINTR;
	if (p[1].revents && !serve_svcd(s))
		return false;
	if (p[2].revents && s->policyd == p[2].fd)
		serve_policyd(s);
	if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !serve_input(s))
		return false;
	console_tick(&s->console, clock_ms());
	return true;
}

int main(void)
{
	static struct state s; /* large */
	const struct console_ops ops = {.ask = ask,
					.restart = restart,
					.random = random_bytes,
					.save = save,
					.event = event,
					.ctx = &s};
	uint8_t ready[8] = {READY_RUNNING};
	int r;

	if (fcntl(FDS_SVCD, F_GETFD) < 0) {
		(void)fprintf(stderr, "consoled: is started by svcd\n");
		return 2;
	}
	s.policyd = -1;
	set_terminal();
	r = load_accounts(&s);
	console_init(&s.console, &ops, &s.accounts, span_of(s.file, sizeof(s.file)),
		     clock_ms());
#if CONFIG_PROFILE_DEV
	if (r == ERR_NOENT && console_make_first(&s.console) != ERR_OK)
		event(&s, "accounts file=missing reason=\"cannot write\"");
#else
	if (r == ERR_NOENT)
		event(&s, "accounts file=missing");
#endif
	if (ipc_send(FDS_SVCD, IPC_READY, 0, span_of(ready, 1), -1) != ERR_OK)
		return 1;
	while (turn(&s))
		continue;
	return 0;
}
