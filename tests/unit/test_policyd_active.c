/* The stored configuration: old or new, whole, whatever fails.
 * link: -Wl,--wrap=write -Wl,--wrap=fsync -Wl,--wrap=renameat -Wl,--wrap=close */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policyd/active.h"

ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __real_close(int fd);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fsync(int fd);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __wrap_close(int fd);

static int fail_at; /* the how manieth call fails; 0 = none */
static int calls;

static int fails(void)
{
	if (fail_at == 0 || ++calls != fail_at)
		return 0;
	errno = EIO;
	return 1;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	if (fail_at == 0)
		return __real_write(fd, p, n);
	if (!fails())
		return __real_write(fd, p, n > 3 ? 3 : n); /* short writes happen */
	return -1;
}

int __wrap_fsync(int fd)
{
	return fails() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
	return fails() ? -1 : __real_renameat(a, from, b, to);
}

int __wrap_close(int fd)
{
	int r = __real_close(fd);

	return fails() ? -1 : r;
}

static void old_or_new_never_neither(void **state)
{
	char dir[] = "/tmp/active.XXXXXX", path[64], why[200];
	const struct span old = span_str("old configuration"), new = span_str("new one");
	int refused = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, ACTIVE_NAME);
	for (int at = 1; at < 20; at++) {
		uint8_t *text = NULL;
		size_t n = 0;
		int r;

		fail_at = 0;
		assert_int_equal(active_save(dir, old, why, sizeof(why)), ERR_OK);
		fail_at = at;
		calls = 0;
		r = active_save(dir, new, why, sizeof(why));
		fail_at = 0;
		refused += r != ERR_OK;
		assert_int_equal(active_load(path, 100, &text, &n), ERR_OK);
		assert_true(span_eq(span_of(text, n), new) ||
			    (r != ERR_OK && span_eq(span_of(text, n), old)));
		if (r != ERR_OK)
			assert_non_null(strstr(why, "Input/output error"));
		free(text);
	}
	assert_in_range(refused, 5, 18); /* every kind of call did fail once */
	assert_int_equal(unlink(path), 0);
	assert_true(rmdir(dir) == 0 || errno == ENOTEMPTY);
}

static void what_is_no_file_is_refused(void **state)
{
	char dir[] = "/tmp/active.XXXXXX", path[64];
	uint8_t *text = NULL;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/x", dir);
	assert_int_equal(active_load(path, 10, &text, &n), ERR_NOENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(active_load(path, 10, &text, &n), ERR_TYPE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(active_load(path, 100000, &text, &n), ERR_SYS);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(active_load("/etc/passwd", 3, &text, &n), ERR_LIMIT);
	assert_null(text);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_or_new_never_neither),
		cmocka_unit_test(what_is_no_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
