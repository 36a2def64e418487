/*
 * DESIGN: everything between fork and exec happens in child_setup(), one step
 * after the other, each with a name; the first step that fails is printed and
 * the child ends. The child never goes on with more rights than the table
 * gives. Order matters: cgroup and OOM score need root, the bounding set needs
 * CAP_SETPCAP, so both come before the uid changes; capabilities survive the
 * change by SECBIT_KEEP_CAPS and reach the program as ambient ones.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "fds.h"
#include "files.h"

#define SPAWN_EXIT 126    /* exit status of a child that never became the task */
#define SPAWN_PARK_FD 100 /* where descriptors wait until theirs are free */
#define MIB (1024UL * 1024UL)

static int set_limits(const struct task_spec *s)
{
	const struct {
		int what;
		rlim_t value;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_NOFILE, s->files_max},
		{RLIMIT_FSIZE, s->file_size_max_mib * MIB},
		{RLIMIT_MSGQUEUE, 0},
		{RLIMIT_RTPRIO, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit rl = {limits[i].value, limits[i].value};

		if (setrlimit((__rlimit_resource_t)limits[i].what, &rl) != 0)
			return -1;
	}
	return 0;
}

/* Nothing outside @caps can ever be gained again, by no program. */
static int drop_bounding_set(uint64_t caps)
{
	for (int cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) < 0)
			return errno == EINVAL && cap > 0 ? 0 : -1;
		if ((caps >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return -1;
	}
	return 0;
}

static int set_caps(uint64_t caps)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	for (unsigned i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(caps >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = data[i].permitted;
	}
	if (syscall(SYS_capset, &head, data) != 0)
		return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return -1;
	for (unsigned long cap = 0; cap < 64; cap++) {
		if ((caps >> cap & 1) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0)
			return -1;
	}
	return 0;
}

/* Returns the name of the step that failed (errno is set), or NULL. */
static const char *drop_rights(const struct task_spec *s)
{
	if ((s->flags & TASK_ROOT) != 0)
		return NULL;
	if (drop_bounding_set(s->caps) != 0)
		return "bounding-set";
	if (prctl(PR_SET_SECUREBITS,
		  SECBIT_KEEP_CAPS | SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) != 0)
		return "securebits";
	if (setgroups(0, NULL) != 0)
		return "setgroups";
	if (setresgid(s->uid, s->uid, s->uid) != 0)
		return "setresgid";
	if (setresuid(s->uid, s->uid, s->uid) != 0)
		return "setresuid";
	if (set_caps(s->caps) != 0)
		return "capabilities";
	return NULL;
}

/* Make @to, a number that the task expects, the same as @from. By system call
 * number: gcc's analyzer takes a dup2() whose result is a known constant for a
 * leak. */
static int place_fd(int from, int to)
{
	if (from == to)
		return fcntl(to, F_SETFD, 0);
	return syscall(SYS_dup3, from, to, 0) < 0 ? -1 : 0;
}

static const char *open_terminal(const char *tty)
{
	int fd;

	if (setsid() < 0)
		return "setsid";
	fd = open(tty, O_RDWR);
	if (fd < 0)
		return "terminal";
	if (ioctl(fd, TIOCSCTTY, 0) != 0)
		return "controlling-terminal";
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
		if (place_fd(fd, i) != 0)
			return "descriptor";
	}
	return NULL;
}

/* What is open above the standard descriptors is closed by place_fds(). */
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-fd-leak"
#endif

/* PID 1's console descriptor is non-blocking; a task gets one that waits, so
 * that no line of it is lost. */
static const char *open_console(void)
{
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY);

	if (fd < 0)
		return "console";
	if (place_fd(fd, STDOUT_FILENO) != 0 || place_fd(fd, STDERR_FILENO) != 0)
		return "descriptor";
	return NULL;
}

/* The task that talks to the person at the console: reads it, too. */
static const char *open_console_both(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return "console";
	if (place_fd(fd, STDIN_FILENO) != 0 || place_fd(fd, STDOUT_FILENO) != 0)
		return "descriptor";
	return NULL;
}

#pragma GCC diagnostic pop

/* Put the task's descriptors where it expects them and close all others. */
static const char *place_fds(const struct spawn_env *env)
{
	const int from[FDS_END - FDS_SVCD] = {[FDS_SVCD - FDS_SVCD] = env->link,
					      [FDS_DEV - FDS_SVCD] = env->dev,
					      [FDS_TUN - FDS_SVCD] = env->tun,
					      [FDS_FOLDER - FDS_SVCD] = env->folder,
					      [FDS_FILE - FDS_SVCD] = env->file};
	const unsigned count = sizeof(from) / sizeof(from[0]);
	unsigned first_free = FDS_SVCD;

	for (unsigned i = 0; i < count; i++) {
		int parked;

		if (from[i] < 0)
			continue;
		parked = fcntl(from[i], F_DUPFD, SPAWN_PARK_FD + (int)i);
		if (parked != SPAWN_PARK_FD + (int)i)
			return "park-descriptor";
	}
	for (unsigned i = 0; i < count; i++) {
		if (from[i] < 0) {
			(void)close(FDS_SVCD + (int)i); /* may not be open */
			continue;
		}
		if (place_fd(SPAWN_PARK_FD + (int)i, FDS_SVCD + (int)i) != 0)
			return "descriptor";
		first_free = FDS_SVCD + i + 1;
	}
	if (syscall(SYS_close_range, first_free, ~0U, 0) != 0)
		return "close-range";
	return NULL;
}

/* No network and no files, before the rights go that this needs. The program is
 * opened first: its file will not be seen any more. */
static const char *leave_all(const struct task_spec *s, int *program)
{
	*program = open(s->path, O_PATH | O_CLOEXEC);
	if (*program < 0)
		return "program";
	if (unshare(CLONE_NEWNET) != 0)
		return "network-namespace";
	if (chroot(SPAWN_EMPTY_DIR) != 0)
		return "root-folder";
	return NULL;
}

/* Everything the child does before exec. Returns the step that failed. */
static const char *child_setup(const struct task_spec *s, const struct spawn_env *env,
			       int *program)
{
	char number[16];
	const char *step;
	sigset_t none;

	(void)sigemptyset(&none);
	(void)signal(SIGPIPE, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &none, NULL) != 0)
		return "signal-mask";
	(void)umask(077);
	if (!env->is_host && cgroup_join(s->name) != ERR_OK)
		return "cgroup";
	(void)snprintf(number, sizeof(number), "%d", s->oom_score_adj);
	/* a development machine's container may forbid to lower it */
	if (files_write("/proc/self/oom_score_adj", number) != ERR_OK &&
	    !(env->is_host && errno == EACCES))
		return "oom-score";
	step = (s->flags & TASK_TERMINAL) != 0 ? open_terminal(s->tty)
	       : env->is_host                  ? NULL
					       : open_console();
	if (!step && (s->flags & TASK_CONSOLE) != 0)
		step = open_console_both();
	if (!step)
		step = place_fds(env);
	if (step)
		return step;
	if (set_limits(s) != 0)
		return "limits";
	step = (s->flags & TASK_ALONE) != 0 ? leave_all(s, program) : NULL;
	if (!step)
		step = drop_rights(s);
	if (step)
		return step;
	if (chdir("/") != 0)
		return "chdir";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return "no-new-privs";
	return NULL;
}

/*
 * Start a task of the table.
 *
 * @env  descriptors for the child stay the caller's in the parent
 * @pid  set on ERR_OK
 *
 * Returns ERR_OK or ERR_SYS (fork failed, errno is set). A child that cannot
 * set itself up says why on the console and ends with status 126: the caller
 * sees it as a task that died.
 */
int spawn_task(const struct task_spec *spec, const struct spawn_env *env, pid_t *pid)
{
	const char *step;
	int program = -1;
	pid_t child = fork();

	if (child < 0)
		return ERR_SYS;
	if (child > 0) {
		*pid = child;
		return ERR_OK;
	}
	step = child_setup(spec, env, &program);
	if (!step) {
		char *const *argv = (char *const *)(uintptr_t)spec->argv;
		char *const *envp = (char *const *)(uintptr_t)spec->envp;

		if (program >= 0)
			(void)syscall(SYS_execveat, program, "", argv, envp,
				      AT_EMPTY_PATH);
		else
			(void)execve(spec->path, argv, envp);
		step = "exec";
	}
	(void)dprintf(STDERR_FILENO,
		      "luytre: svcd: failed task=%s step=%s error=\"%s\"\n", spec->name,
		      step, strerror(errno));
	_exit(SPAWN_EXIT);
}
