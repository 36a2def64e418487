#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "watchdog.h"

#define TOOL_EXEC_FAILED 127

static pid_t tool_start(const char *const *argv)
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin", NULL};
	pid_t pid = fork();
	sigset_t none;

	if (pid != 0)
		return pid;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(argv[0], (char *const *)(uintptr_t)argv,
		     (char *const *)(uintptr_t)env);
	_exit(TOOL_EXEC_FAILED);
}

/*
 * Run a program and wait for it; the watchdog is fed meanwhile.
 *
 * @argv       argv[0] is the absolute path; output goes to the console
 * @timeout_s  after this the program is killed
 * @watchdog   descriptor, -1 for none
 * @status     exit status of the program, set on ERR_OK
 *
 * SIGCHLD must be blocked. Returns ERR_OK, ERR_NOENT (not in the image),
 * ERR_BUSY (killed by timeout) or ERR_SYS (could not start, or ended by a
 * signal).
 */
int tool_run(const char *const *argv, unsigned timeout_s, int watchdog, int *status)
{
	const struct timespec second = {.tv_sec = 1};
	sigset_t chld;
	unsigned waited_s = 0;
	int raw = 0;
	pid_t pid;

	if (access(argv[0], X_OK) != 0)
		return ERR_NOENT;
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	pid = tool_start(argv);
	if (pid < 0)
		return ERR_SYS;
	for (;;) {
		pid_t got = waitpid(pid, &raw, WNOHANG);

		if (got == pid)
			break;
		if (got < 0 && errno != EINTR)
			return ERR_SYS;
		watchdog_feed(watchdog);
		if (sigtimedwait(&chld, NULL, &second) < 0 && errno == EAGAIN &&
		    ++waited_s == timeout_s) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &raw, 0);
			return ERR_BUSY;
		}
	}
	if (!WIFEXITED(raw) || WEXITSTATUS(raw) == TOOL_EXEC_FAILED)
		return ERR_SYS;
	*status = WEXITSTATUS(raw);
	return ERR_OK;
}
