/*
 * svcd: PID 1.
 *
 * DESIGN: mounts, then one poll loop over a signalfd, a timerfd and one link
 * per task. The loop waits without limit only in poll(); nothing else in it
 * blocks, so feeding the watchdog from it proves that it turns. svcd decides
 * nothing about packets: it starts policyd, which loads the closed rule set
 * before it brings up a link, and starts it again when it dies, while the
 * kernel goes on enforcing what it has.
 *
 *   svcd          PID 1 of the device: mounts, watchdog, restart of the board
 *   svcd serial=S  the serial number, when the device tree has none
 *   svcd --host   PID 1 of a PID namespace on a development machine: only the
 *                 tasks; SIGTERM stops them and ends svcd
 *
 * SIGTERM, SIGINT: orderly restart. SIGUSR1, SIGUSR2: orderly power-off.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "datafs.h"
#include "identity.h"
#include "mounts.h"
#include "spawn.h"
#include "super.h"
#include "tun.h"
#include "watchdog.h"

#define RUN_DIR "/run/luytre"
#define DEV_SOCKET RUN_DIR "/dev.sock"
#define POLICY_DIR "/conf/policy"
#define WEB_DIR "/conf/web"
#define FACTORY_WEB "/conf/factory/web"
#define FIRST_WEB WEB_DIR "/first"
#define CONSOLE_DIR "/conf/console"
#define FACTORY_CONSOLE "/conf/factory/console"
#define HOSTNAME "luytre"

enum svcd_end { END_NONE, END_RESTART, END_POWER_OFF };

struct svcd_state {
	bool is_host;
	int signals;  /* signalfd */
	int timer;    /* timerfd, absolute monotonic time */
	int watchdog; /* -1 for none */
	uint64_t feed_due_ms;
	enum svcd_end end;
	struct super super;
};

static struct svcd_state st;

static uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Only before the main loop: the kernel restarts the board when PID 1 ends. */
static void fatal(const char *what)
{
	console_say("fatal", "what=\"%s\" error=\"%s\"", what, strerror(errno));
	_exit(1);
}

static int open_signals(void)
{
	static const int wanted[] = {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP};
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		(void)sigaddset(&set, wanted[i]);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* A folder that task @uid owns alone; it may exist. */
static void make_dir(const char *path, uint32_t uid, mode_t mode)
{
	if ((mkdir(path, mode) != 0 && errno != EEXIST) || chown(path, uid, uid) != 0 ||
	    chmod(path, mode) != 0)
		console_say("no-folder", "path=%s error=\"%s\"", path, strerror(errno));
}

/* What tasks own below /conf. The flashing tool leaves the first accounts of the
 * console and of the web interface; it cannot know our users, and webd sees nothing
 * but its own folder. */
static void make_conf(void)
{
	make_dir(POLICY_DIR, TABLE_POLICYD_UID, 0700);
	make_dir(WEB_DIR, TABLE_WEBD_UID, 0700);
	make_dir(CONSOLE_DIR, TABLE_CONSOLED_UID, 0700);
	if (rename(FACTORY_WEB, FIRST_WEB) == 0 &&
	    lchown(FIRST_WEB, TABLE_WEBD_UID, TABLE_WEBD_UID) != 0)
		console_say("no-file", "path=" FIRST_WEB " error=\"%s\"",
			    strerror(errno));
	if (lchown(FACTORY_CONSOLE, TABLE_CONSOLED_UID, TABLE_CONSOLED_UID) != 0 &&
	    errno != ENOENT && errno != ENOTDIR)
		console_say("no-file", "path=" FACTORY_CONSOLE " error=\"%s\"",
			    strerror(errno));
}

#if CONFIG_PROFILE_DEV
/* The development socket: listens for root only, policyd accepts. */
static int open_dev_socket(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), DEV_SOCKET);
	(void)unlink(DEV_SOCKET); /* not there on a fresh /run */
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    chmod(DEV_SOCKET, 0600) != 0 || listen(fd, 8) != 0) {
		console_say("no-dev-socket", "path=" DEV_SOCKET " error=\"%s\"",
			    strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	return fd;
}
#else
static int open_dev_socket(void)
{
	return -1;
}
#endif

static void say_hello(void)
{
	struct utsname u = {0};

	(void)uname(&u); /* an empty release is printed then */
#if CONFIG_PROFILE_DEV
	console_say("boot", "profile=dev kernel=%s", u.release);
#else
	console_say("boot", "profile=release kernel=%s", u.release);
#endif
}

static void boot_board(struct svcd_state *s)
{
	mounts_make();
	console_open(); /* again, now that /dev is there for certain */
	say_hello();
	if (sethostname(HOSTNAME, strlen(HOSTNAME)) != 0)
		console_say("no-hostname", "error=\"%s\"", strerror(errno));
	(void)reboot(RB_DISABLE_CAD); /* Ctrl-Alt-Del becomes SIGINT, if there is one */
	s->watchdog = watchdog_open();
	if (datafs_mount("conf", "/conf", s->watchdog) == ERR_OK)
		make_conf();
	if (datafs_mount("log", "/log", s->watchdog) != ERR_OK)
		console_say("degraded", "what=\"no log partition\"");
}

static void boot_host(void)
{
	say_hello();
	make_conf();
}

static void arm_timer(struct svcd_state *s)
{
	uint64_t due_ms = super_due_ms(&s->super);
	struct itimerspec its = {0};

	if (s->watchdog >= 0 && s->feed_due_ms < due_ms)
		due_ms = s->feed_due_ms;
	if (due_ms != SUPER_NEVER) {
		its.it_value.tv_sec = (time_t)(due_ms / 1000);
		its.it_value.tv_nsec = (long)(due_ms % 1000) * 1000000 + 1;
	}
	/* All zero disarms. With valid arguments this call cannot fail. */
	(void)timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &its, NULL);
}

static void take_signals(struct svcd_state *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			s->end = END_RESTART;
			break;
		case SIGUSR1:
		case SIGUSR2:
			s->end = END_POWER_OFF;
			break;
		default:
			break; /* SIGCHLD: super_reap() runs every turn; SIGHUP: none */
		}
	}
}

/* Stop all tasks when a signal or a person asked for it. */
static void stop_if_asked(struct svcd_state *s, uint64_t now_ms)
{
	if (s->super.wants_restart && s->end == END_NONE)
		s->end = END_RESTART;
	if (s->end == END_NONE || s->super.is_stopping)
		return;
	console_say("stopping", "for=%s",
		    s->end == END_RESTART ? "restart" : "power-off");
	super_stop(&s->super, now_ms);
}

/* One turn: wait for something, then do all that is due. */
static void turn(struct svcd_state *s)
{
	struct pollfd fds[2 + TABLE_TASKS_MAX] = {0};
	uint64_t now_ms, expirations;

	arm_timer(s);
	fds[0] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = s->timer, .events = POLLIN};
	for (size_t i = 0; i < s->super.n; i++)
		fds[2 + i] = (struct pollfd){.fd = s->super.tasks[i].link,
					     .events = POLLIN}; /* -1 is skipped */
	if (poll(fds, 2 + (nfds_t)s->super.n, -1) < 0 && errno != EINTR)
		console_say("poll", "error=\"%s\"", strerror(errno));
	now_ms = clock_ms();
	if (fds[1].revents != 0 &&
	    read(s->timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		console_say("timer", "error=\"%s\"", strerror(errno));
	take_signals(s);
	for (size_t i = 0; i < s->super.n; i++) {
		if (fds[2 + i].revents != 0 && s->super.tasks[i].link == fds[2 + i].fd)
			super_receive(&s->super, i, now_ms);
	}
	stop_if_asked(s, now_ms);
	super_reap(&s->super, now_ms);
	super_tick(&s->super, now_ms);
	if (now_ms >= s->feed_due_ms) {
		watchdog_feed(s->watchdog);
		s->feed_due_ms = now_ms + WATCHDOG_FEED_MS;
	}
}

/* The board's end. The watchdog stays armed: if this hangs, it resets. */
static void end_board(const struct svcd_state *s)
{
	(void)kill(-1, SIGKILL); /* shells, orphans; fails when nobody is left */
	mounts_release();
	console_say("stopped", "for=%s", s->end == END_RESTART ? "restart" : "power-off");
	(void)reboot(s->end == END_RESTART ? RB_AUTOBOOT : RB_POWER_OFF);
	console_say("fatal", "what=\"restart refused\" error=\"%s\"", strerror(errno));
	for (;;)
		(void)pause();
}

/* Value of a NAME=VALUE argument. The kernel hands unknown boot arguments to
 * PID 1: all others are ignored. */
static const char *argument(int argc, char **argv, const char *name)
{
	size_t n = strlen(name);

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], name, n) == 0)
			return argv[i] + n;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int dev_socket;

	st.is_host = argc > 1 && strcmp(argv[1], "--host") == 0;
	if (getpid() != 1) {
		(void)fprintf(stderr, "svcd: must be PID 1 of its own namespace; on a "
				      "development machine use board/host/run\n");
		return 2;
	}
	(void)umask(022);
	st.watchdog = -1;
	if (!st.is_host)
		console_open();
	st.signals = open_signals();
	if (st.signals < 0)
		fatal("signalfd");
	st.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (st.timer < 0)
		fatal("timerfd");
	if (st.is_host)
		boot_host();
	else
		boot_board(&st);
	make_dir(RUN_DIR, 0, 0755);
	identity_write(RUN_DIR "/serial", argument(argc, argv, "serial="));
	make_dir(SPAWN_EMPTY_DIR, 0, 0555);
	dev_socket = open_dev_socket();
	super_init(&st.super, st.is_host, dev_socket, tun_open());
	super_start(&st.super, clock_ms());
	while (!super_is_stopped(&st.super))
		turn(&st);
	if (!st.is_host)
		end_board(&st);
	console_say("stopped", "for=host");
	return 0;
}
