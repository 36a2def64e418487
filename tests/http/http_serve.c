/*
 * The web server of the product over plain TCP on 127.0.0.1, with a policyd that
 * follows a script: for browsers, curl and tests/http/run. Never in an image.
 *
 * usage: http_serve [-p PORT] [-u PACK] [-c CONFIG] [-w COUNTERS] [-l CONTROLS]
 *
 * Prints "port N" when it listens. Reads commands from stdin, answers "ok":
 *   advance MS       both clocks go on by MS
 *   utc SECONDS      0: the clock is not set
 *   state WORD       of policyd's STATUS
 *   profile WORD     of policyd's STATUS
 *   quiet            policyd answers nothing any more
 *   save fail|work   storing the accounts
 * Ends when stdin is closed (unless it is a terminal or /dev/null).
 *
 * Accounts: one for each role, called as the role, password TEST_WORD, second factor
 * TEST_KEY where the role needs one; "new", whose password must be changed.
 *
 * Browsers want TLS for "__Host-" cookies and https origins: the cookie's name and
 * the Origin field are rewritten on the way; nothing else is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "mgmtd/http_server.h"

#define TEST_WORD "Tre-Xanh-2026"
#define TEST_KEY "12345678901234567890"
#define PENDING_MAX 32
#define BUF_BYTES 16384

struct link {
	int fd;
	struct http_conn conn;
	uint8_t in[BUF_BYTES];
	size_t in_n;
	uint8_t out[BUF_BYTES + 64];
	size_t out_n, out_at;
};

struct pending {
	uint32_t id;
	enum http_ask what;
	int code;
	char text[400];
	struct http_doc doc;
};

struct fake {
	struct http_server server;
	struct link links[HTTP_CONNS_MAX];
	struct pending pending[PENDING_MAX];
	size_t pending_n;
	uint8_t *docs[3];
	size_t doc_n[3];
	int64_t ahead_ms;
	bool has_clock, is_quiet, save_fails, is_trial;
	char state[32], profile[32];
	uint64_t serial;
};

static struct fake fake; /* megabytes: not on the stack */

static void die(const char *what)
{
	(void)fprintf(stderr, "serve: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The callbacks of policyd's side. */

static void status_text(const struct fake *f, char *text, size_t max)
{
	(void)snprintf(text, max,
		       "state=%s\nserial=%llu\nsha256=%064d\ndevice=LT-0001\n"
		       "agency=Xã Bình An <b>\nrules=3\nports=3\nkernel_rules=70\n"
		       "generation=5\ndevice_serial=LT-0001\nkeyset=1\n%sprofile=%s\n"
		       "management=ok\nsoc=unknown\nconnections=12\n"
		       "connections_max=65536\nrefused=0\nwireguard.wg0=abc=\n",
		       f->state, (unsigned long long)f->serial, 0,
		       f->is_trial ? "trial_left=240\n" : "", f->profile);
}

static void answer_put(struct fake *f, struct pending *p, struct span body)
{
	if (body.n < 6 || memcmp(body.p, "luytre", 6) != 0) {
		p->code = ERR_SIGNATURE;
		(void)snprintf(p->text, sizeof(p->text), "signature does not verify");
		return;
	}
	f->is_trial = true;
	f->serial++;
	(void)snprintf(p->text, sizeof(p->text),
		       "rules=3 ports=3 confirm=123456 within=240 management=ok soc=ok");
}

static void answer_trial(struct fake *f, struct pending *p, enum http_ask what,
			 struct span body)
{
	if (!f->is_trial) {
		p->code = ERR_NOENT;
		(void)snprintf(p->text, sizeof(p->text), "nothing is on trial");
	} else if (what == HTTP_ASK_CONFIRM && !span_eq_str(body, "123456")) {
		p->code = ERR_REFUSED;
		(void)snprintf(p->text, sizeof(p->text), "wrong code");
	} else {
		f->serial -= what == HTTP_ASK_ROLLBACK;
		f->is_trial = false;
		(void)snprintf(p->text, sizeof(p->text), "serial=%llu",
			       (unsigned long long)f->serial);
	}
}

static int on_ask(void *ctx, uint32_t id, enum http_ask what, unsigned kind,
		  struct span body)
{
	struct fake *f = ctx;
	struct pending *p = &f->pending[f->pending_n];

	(void)kind;
	if (f->pending_n == PENDING_MAX)
		return ERR_BUSY;
	if (f->is_quiet)
		return ERR_OK;
	memset(p, 0, sizeof(*p));
	p->id = id;
	p->what = what;
	p->doc.id = -1;
	f->pending_n++;
	if (what == HTTP_ASK_STATUS) {
		status_text(f, p->text, sizeof(p->text));
	} else if (what == HTTP_ASK_PUT) {
		answer_put(f, p, body);
	} else if (what == HTTP_ASK_CONFIRM || what == HTTP_ASK_ROLLBACK) {
		answer_trial(f, p, what, body);
	} else {
		const int n = (int)what - HTTP_ASK_CONFIG;

		if (f->docs[n])
			p->doc = (struct http_doc){.id = n, .n = f->doc_n[n]};
		else
			p->code = ERR_NOENT;
	}
	return ERR_OK;
}

static int on_doc_read(void *ctx, struct http_doc doc, size_t at, uint8_t *out, size_t n)
{
	const struct fake *f = ctx;

	memcpy(out, f->docs[doc.id] + at, n);
	return ERR_OK;
}

static void on_doc_close(void *ctx, struct http_doc doc)
{
	(void)ctx;
	(void)doc;
}

static int on_random(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	return getrandom(out, n, 0) == (ssize_t)n ? ERR_OK : ERR_SYS;
}

static int on_save(void *ctx, struct span text)
{
	const struct fake *f = ctx;

	(void)text;
	return f->save_fails ? ERR_SYS : ERR_OK;
}

static void on_event(void *ctx, enum http_event event, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "event %s %s\n", http_event_name(event), text);
}

static void deliver(struct fake *f)
{
	struct pending now[PENDING_MAX];
	const size_t n = f->pending_n;

	memcpy(now, f->pending, n * sizeof(now[0]));
	f->pending_n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct http_answer a = {.id = now[i].id,
					      .code = now[i].code,
					      .version = f->serial,
					      .text = span_str(now[i].text),
					      .doc = now[i].doc};

		http_policy_answer(&f->server, &a);
	}
}

/* Accounts */

static void hash_of(const char *text, struct password_hash *out)
{
	struct password_work w;

	out->iterations = PASSWORD_ITERATIONS_MIN;
	memset(out->salt, 7, sizeof(out->salt));
	if (password_begin(&w, span_str(text), out->salt, out->iterations) != ERR_OK)
		die("password");
	while (!password_step(&w, PASSWORD_STEP))
		;
	password_end(&w, out->hash);
}

static void add_account(struct accounts *all, const char *name, enum account_role role,
			bool is_new)
{
	static struct account a;

	memset(&a, 0, sizeof(a));
	memcpy(a.name, name, strlen(name) + 1);
	a.role = role;
	a.must_change = is_new;
	hash_of(TEST_WORD, &a.password);
	if (account_role_changes(role) && !is_new) {
		a.has_totp = true;
		memcpy(a.totp_key, TEST_KEY, TOTP_KEY_BYTES);
	}
	if (accounts_add(all, &a) != ERR_OK)
		die("account");
}

static void make_server(struct fake *f, const struct http_pack *pack)
{
	static struct accounts all;
	static uint8_t text[ACCOUNTS_FILE_MAX];
	struct http_setup setup = {
		.ops = {on_ask, on_doc_read, on_doc_close, on_random, on_save, on_event,
			f},
		.pack = pack,
	};
	struct sbuf b;

	http_setup_limits(&setup);
	setup.iterations = PASSWORD_ITERATIONS_MIN; /* tests log in often */
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		add_account(&all, account_role_name((enum account_role)i),
			    (enum account_role)i, false);
	add_account(&all, "new", ROLE_SOC_ADMIN, true);
	sbuf_init(&b, text, sizeof(text));
	accounts_print(&all, &b);
	if (http_server_init(&f->server, &setup, span_of(text, b.n)) != ERR_OK)
		die("server");
}

/* The network */

static int64_t real_ms(clockid_t which)
{
	struct timespec ts;

	(void)clock_gettime(which, &ts); /* cannot fail for these clocks */
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

static void tick(struct fake *f)
{
	const int64_t utc_ms = real_ms(CLOCK_REALTIME) + f->ahead_ms;

	http_tick(&f->server, (uint64_t)(real_ms(CLOCK_BOOTTIME) + f->ahead_ms),
		  f->has_clock ? utc_ms / 1000 : 0);
}

static void drop(struct link *l)
{
	(void)close(l->fd);
	http_clear(&l->conn);
	memset(l, 0, sizeof(*l));
	l->fd = -1;
}

/* Replace @from by as many bytes of @to wherever it stands. */
static void rewrite(uint8_t *p, size_t n, const char *from, const char *to)
{
	const size_t len = strlen(from);
	uint8_t *at = p;

	while ((at = memmem(at, n - (size_t)(at - p), from, len)))
		memcpy(at, to, len);
}

static void read_link(struct link *l)
{
	static const char origin[] = "\r\nOrigin: http://";
	const size_t len = sizeof(origin) - 1;
	uint8_t *const to = l->in + l->in_n;
	ssize_t n = read(l->fd, to, sizeof(l->in) - l->in_n - 1);
	uint8_t *at;

	if (n <= 0) {
		drop(l);
		return;
	}
	rewrite(to, (size_t)n, "xxHost-luytre=", "__Host-luytre=");
	at = memmem(to, (size_t)n, origin, len);
	if (at) {
		memmove(at + len - 2, at + len - 3, (size_t)(to + n - (at + len - 3)));
		at[len - 3] = 's';
		n++;
	}
	l->in_n += (size_t)n;
}

static void pump(struct link *l)
{
	size_t used = l->in_n ? http_input(&l->conn, span_of(l->in, l->in_n)) : 0;

	memmove(l->in, l->in + used, l->in_n - used);
	l->in_n -= used;
	if (l->out_at == l->out_n) {
		l->out_at = 0;
		l->out_n = http_output(&l->conn, l->out, BUF_BYTES);
		rewrite(l->out, l->out_n, "__Host-luytre=", "xxHost-luytre=");
		rewrite(l->out, l->out_n, "; Secure;", ";        ");
	}
	if (l->out_n > l->out_at) {
		ssize_t n = send(l->fd, l->out + l->out_at, l->out_n - l->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			l->out_at += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			drop(l);
	} else if (http_wants_close(&l->conn)) {
		(void)shutdown(l->fd, SHUT_WR);
		drop(l);
	}
}

static void accept_link(struct fake *f, int listener)
{
	struct http_peer peer = {{[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}};
	struct sockaddr_in from;
	socklen_t n = sizeof(from);
	int fd = accept4(listener, (struct sockaddr *)&from, &n, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	memcpy(peer.addr + 12, &from.sin_addr, 4);
	for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
		if (f->links[i].fd >= 0)
			continue;
		f->links[i].fd = fd;
		http_init(&f->links[i].conn, &f->server, &peer);
		return;
	}
	(void)close(fd);
}

static void command(struct fake *f, char *line)
{
	char *word = strchr(line, ' ');

	if (word)
		*word++ = '\0';
	if (strcmp(line, "advance") == 0 && word)
		f->ahead_ms += strtoll(word, NULL, 10);
	else if (strcmp(line, "utc") == 0 && word && strcmp(word, "0") == 0)
		f->has_clock = false;
	else if (strcmp(line, "utc") == 0 && word)
		f->has_clock = true;
	else if (strcmp(line, "state") == 0 && word)
		(void)snprintf(f->state, sizeof(f->state), "%s", word);
	else if (strcmp(line, "profile") == 0 && word)
		(void)snprintf(f->profile, sizeof(f->profile), "%s", word);
	else if (strcmp(line, "quiet") == 0)
		f->is_quiet = true;
	else if (strcmp(line, "save") == 0 && word)
		f->save_fails = strcmp(word, "fail") == 0;
	else
		die(line);
	tick(f);
	deliver(f);
	(void)printf("ok\n");
	(void)fflush(stdout);
}

/* Commands of stdin; true when it has ended. */
static bool read_commands(struct fake *f)
{
	static char text[512];
	static size_t have;
	ssize_t n = read(0, text + have, sizeof(text) - 1 - have);
	char *end;

	if (n <= 0)
		return true;
	have += (size_t)n;
	text[have] = '\0';
	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		command(f, text);
		have -= (size_t)(end + 1 - text);
		memmove(text, end + 1, have + 1);
	}
	return false;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int one = 1;
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		die("listen");
	(void)printf("port %u\n", ntohs(a.sin_port));
	(void)fflush(stdout);
	return fd;
}

static void run(struct fake *f, int listener, bool has_commands)
{
	for (;;) {
		struct pollfd p[2 + HTTP_CONNS_MAX];
		const bool is_busy = http_work(&f->server) || f->pending_n;

		p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
		p[1] = (struct pollfd){.fd = has_commands ? 0 : -1, .events = POLLIN};
		for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
			struct link *l = &f->links[i];

			p[2 + i] = (struct pollfd){.fd = l->fd};
			if (l->fd >= 0 && l->in_n < sizeof(l->in) - 2)
				p[2 + i].events |= POLLIN;
			if (l->out_n > l->out_at)
				p[2 + i].events |= POLLOUT;
		}
		if (poll(p, 2 + HTTP_CONNS_MAX, is_busy ? 0 : 200) < 0)
			die("poll");
		tick(f);
		deliver(f);
		if (p[1].revents && read_commands(f))
			return;
		for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
			struct link *l = &f->links[i];

			if (l->fd >= 0 &&
			    (p[2 + i].revents & (POLLIN | POLLHUP | POLLERR)))
				read_link(l);
			for (int k = 0; k < 8 && l->fd >= 0; k++)
				pump(l);
		}
		if (p[0].revents)
			accept_link(f, listener);
	}
}

static void load(const char *path, size_t max, uint8_t **text, size_t *n)
{
	if (file_load(path, max, text, n) != ERR_OK)
		die(path);
}

int main(int argc, char **argv)
{
	static struct http_pack pack;
	struct fake *f = &fake;
	struct stat st;
	uint8_t *text;
	size_t n;
	long port = 0;
	int o;

	for (size_t i = 0; i < HTTP_CONNS_MAX; i++)
		f->links[i].fd = -1;
	f->has_clock = true;
	f->serial = 17;
	(void)snprintf(f->state, sizeof(f->state), "enforced");
	(void)snprintf(f->profile, sizeof(f->profile), "2026-level2");
	while ((o = getopt(argc, argv, "p:u:c:w:l:")) != -1) {
		if (o == 'p') {
			port = strtol(optarg, NULL, 10);
		} else if (o == 'u') {
			load(optarg, HTTP_PACK_MAX, &text, &n);
			if (http_pack_read(span_of(text, n), &pack) != ERR_OK)
				die("the pack is malformed");
		} else if (o == 'c' || o == 'w' || o == 'l') {
			const int at = o == 'c' ? 0 : o == 'w' ? 1 : 2;

			load(optarg, HTTP_BIG_MAX, &f->docs[at], &f->doc_n[at]);
		} else {
			return 2;
		}
	}
	make_server(f, &pack);
	tick(f);
	run(f, listen_on((uint16_t)port), fstat(0, &st) == 0 && !S_ISCHR(st.st_mode));
	return 0;
}
