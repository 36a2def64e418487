/* Sealed memfds: what can still change is refused before it is mapped. */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/sealed.h"

#define ALL (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int memfd_with(int seals, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void what_is_made_can_be_mapped(void **state)
{
	struct sealed s = {.data = {NULL, 0}};
	int fd = -1;

	(void)state;
	assert_int_equal(sealed_make("x", span_str("content"), &fd), ERR_OK);
	assert_int_equal(sealed_map(fd, 7, &s), ERR_OK);
	assert_true(span_eq_str(s.data, "content"));
	assert_int_equal(write(fd, "y", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	sealed_unmap(&s);
	sealed_unmap(&s); /* harmless */
	assert_int_equal(sealed_map(fd, 6, &s), ERR_LIMIT);
	assert_int_equal(close(fd), 0);
}

/* Each seal alone missing, and F_SEAL_FUTURE_WRITE in place of F_SEAL_WRITE. */
static void each_seal_is_needed(void **state)
{
	static const int wrong[] = {
		0,
		ALL & ~F_SEAL_WRITE,
		ALL & ~F_SEAL_SHRINK,
		ALL & ~F_SEAL_GROW,
		ALL & ~F_SEAL_SEAL,
		(ALL & ~F_SEAL_WRITE) | F_SEAL_FUTURE_WRITE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sealed s;
		int fd = memfd_with(wrong[i], 100);

		assert_int_equal(sealed_map(fd, 1000, &s), ERR_SEAL);
		assert_int_equal(close(fd), 0);
	}
}

static void other_descriptors_are_refused(void **state)
{
	int pipes[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int empty = memfd_with(ALL, 0);
	struct sealed s;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(sealed_map(file, 1 << 30, &s), ERR_SEAL);
	assert_int_equal(sealed_map(pipes[0], 1000, &s), ERR_SEAL);
	assert_int_equal(sealed_map(-1, 1000, &s), ERR_SYS);
	assert_int_equal(sealed_map(empty, 1000, &s), ERR_SHORT);
	assert_int_equal(close(file), 0);
	assert_int_equal(close(empty), 0);
	assert_int_equal(close(pipes[0]), 0);
	assert_int_equal(close(pipes[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_made_can_be_mapped),
		cmocka_unit_test(each_seal_is_needed),
		cmocka_unit_test(other_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
