/*
 * What webd stands on: which packets go on to lwIP, the file of the accounts in two
 * slots, and the end of a process that calls what it may not.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mgmtd/keep.h"
#include "mgmtd/net_tun.h"
#include "mgmtd/sandbox.h"

static void only_whole_tcp_segments(void **state)
{
	uint8_t v4[40] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6};
	uint8_t v6[60] = {0x60, 0, 0, 0, 0, 20, 6, 64};

	(void)state;
	assert_true(net_tun_is_tcp(span_of(v4, 40)));
	assert_true(net_tun_is_tcp(span_of(v6, 60)));
	for (size_t n = 0; n < 40; n++)
		assert_false(net_tun_is_tcp(span_of(v4, n)));
	for (size_t n = 0; n < 60; n++)
		assert_false(net_tun_is_tcp(span_of(v6, n)));
	v4[0] = 0x46; /* options */
	assert_false(net_tun_is_tcp(span_of(v4, 40)));
	v4[0] = 0x45;
	v4[6] = 0x20; /* more fragments */
	assert_false(net_tun_is_tcp(span_of(v4, 40)));
	v4[6] = 0;
	v4[7] = 1; /* a later fragment */
	assert_false(net_tun_is_tcp(span_of(v4, 40)));
	v4[7] = 0;
	v4[9] = 17;
	assert_false(net_tun_is_tcp(span_of(v4, 40)));
	v6[6] = 44; /* fragment header */
	assert_false(net_tun_is_tcp(span_of(v6, 60)));
	v6[6] = 6;
	v6[5] = 21; /* another length */
	assert_false(net_tun_is_tcp(span_of(v6, 60)));
}

static int new_folder(void)
{
	char path[] = "/tmp/keep.XXXXXX";
	int fd;

	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		abort();
	return fd;
}

static void expect_text(int folder, const char *want)
{
	static uint8_t text[ACCOUNTS_FILE_MAX];
	struct keep k;
	size_t n = 0;

	assert_int_equal(keep_open(&k, folder, text, sizeof(text), &n), ERR_OK);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(text, want, n);
	(void)close(k.fd[0]);
	(void)close(k.fd[1]);
}

static void newest_whole_text_counts(void **state)
{
	static uint8_t text[ACCOUNTS_FILE_MAX];
	int folder = new_folder();
	struct keep k;
	size_t n = 0;

	(void)state;
	expect_text(folder, "");
	assert_int_equal(keep_open(&k, folder, text, sizeof(text), &n), ERR_OK);
	assert_int_equal(keep_save(&k, span_str("one")), ERR_OK);
	expect_text(folder, "one");
	assert_int_equal(keep_save(&k, span_str("two, longer")), ERR_OK);
	expect_text(folder, "two, longer");
	assert_int_equal(keep_save(&k, span_str("3")), ERR_OK);
	expect_text(folder, "3");
	/* the power goes off while the next one is written: every length of it */
	for (off_t cut = 0; cut < 52 + 11; cut++) {
		assert_int_equal(keep_save(&k, span_str("four, torn")), ERR_OK);
		assert_int_equal(ftruncate(k.fd[k.newest], cut), 0);
		if (cut < 52 + 10)
			expect_text(folder, "3");
		k.newest = 1 - k.newest;
		k.count--;
	}
}

static void first_text_is_taken_once(void **state)
{
	int folder = new_folder();
	int fd = openat(folder, "first", O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "factory", 7), 7);
	(void)close(fd);
	expect_text(folder, "factory");
	assert_int_not_equal(faccessat(folder, "first", F_OK, 0), 0);
	expect_text(folder, "factory");
}

#ifndef __SANITIZE_ADDRESS__ /* its runtime makes calls of its own in the sandbox */

/* Number of the signal that ended a child in the sandbox which did @what; 0: it
 * ended by itself. */
static int signal_of(void (*what)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter() != ERR_OK)
			_exit(1);
		what();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void allowed(void)
{
	uint8_t b[8];

	if (syscall(SYS_getrandom, b, sizeof(b), 0) != sizeof(b) ||
	    syscall(SYS_pread64, -1, b, 1, 0) != -1 ||
	    syscall(SYS_fcntl, -1, F_ADD_SEALS, 0) != -1)
		_exit(2);
}

static void opens(void)
{
	(void)syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY);
}

static void connects(void)
{
	(void)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void executes(void)
{
	(void)syscall(SYS_execve, "/bin/true", NULL, NULL);
}

static void maps(void)
{
	(void)syscall(SYS_mmap, NULL, 4096, 7, 0x22, -1, 0);
}

static void changes_flags(void)
{
	(void)syscall(SYS_fcntl, 0, F_SETFL, 0);
}

static void clones(void)
{
	(void)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void traces(void)
{
	(void)syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void forbidden_call_kills(void **state)
{
	(void)state;
	assert_int_equal(signal_of(allowed), 0);
	assert_int_equal(signal_of(opens), SIGSYS);
	assert_int_equal(signal_of(connects), SIGSYS);
	assert_int_equal(signal_of(executes), SIGSYS);
	assert_int_equal(signal_of(maps), SIGSYS);
	assert_int_equal(signal_of(changes_flags), SIGSYS);
	assert_int_equal(signal_of(clones), SIGSYS);
	assert_int_equal(signal_of(traces), SIGSYS);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_tcp_segments),
		cmocka_unit_test(newest_whole_text_counts),
		cmocka_unit_test(first_text_is_taken_once),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(forbidden_call_kills),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
