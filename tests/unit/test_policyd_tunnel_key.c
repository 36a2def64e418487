/* The private key of a tunnel in a folder: made once, durable, never half. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policyd/wg.h"

static char folder_name[64];
static struct store_folder folder;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(folder_name, sizeof(folder_name), "/tmp/luytre-key-XXXXXX");
	if (!mkdtemp(folder_name))
		return -1;
	return store_folder_open(&folder, folder_name);
}

static int teardown(void **state)
{
	static const char *const files[] = {"wireguard-wg0", "wireguard-wg0.new",
					    "wireguard-wg1"};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		(void)unlinkat(folder.fd, files[i], 0);
	store_folder_close(&folder);
	return rmdir(folder_name);
}

static int get(const char *name, uint8_t key[CFG_KEY_BYTES])
{
	char why[200] = "";
	int r = wg_key(&store_folder_io, &folder, name, key, why, sizeof(why));

	assert_true((r == ERR_OK) == (why[0] == '\0'));
	return r;
}

static void it_is_made_once(void **state)
{
	uint8_t first[CFG_KEY_BYTES], again[CFG_KEY_BYTES], other[CFG_KEY_BYTES];
	struct stat st;

	(void)state;
	assert_int_equal(get("wg0", first), ERR_OK);
	assert_int_equal(get("wg0", again), ERR_OK);
	assert_memory_equal(first, again, sizeof(first));
	assert_int_equal(get("wg1", other), ERR_OK);
	assert_memory_not_equal(first, other, sizeof(first));
	assert_int_equal(first[0] & 7, 0);
	assert_int_equal(first[31] >> 6, 1);
	assert_int_equal(fstatat(folder.fd, "wireguard-wg0", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, CFG_KEY_TEXT_BYTES);
	assert_int_equal(faccessat(folder.fd, "wireguard-wg0.new", F_OK, 0), -1);
}

/* What is no key is replaced; a half written successor does not count. */
static void damage_is_replaced(void **state)
{
	static const char *const bad[] = {
		"", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		"not base64 not base64 not base64 not base64\n",
		"0123456789012345678901234567890123456789012345678901234567890123456789"};
	uint8_t key[CFG_KEY_BYTES], again[CFG_KEY_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int f = openat(folder.fd, "wireguard-wg0", O_WRONLY | O_TRUNC | O_CREAT,
			       0600);

		assert_true(f >= 0);
		assert_int_equal(write(f, bad[i], strlen(bad[i])), strlen(bad[i]));
		assert_int_equal(close(f), 0);
		assert_int_equal(get("wg0", key), ERR_OK);
		assert_int_equal(key[31] >> 6, 1);
		f = openat(folder.fd, "wireguard-wg0.new", O_WRONLY | O_CREAT, 0600);
		assert_true(f >= 0);
		assert_int_equal(close(f), 0);
		assert_int_equal(get("wg0", again), ERR_OK);
		assert_memory_equal(key, again, sizeof(key));
	}
}

static int fail_at, calls;

static int fails(void)
{
	errno = EIO;
	return ++calls == fail_at;
}

static int f_create(void *arg, const char *name)
{
	return fails() ? -1 : store_folder_io.create(arg, name);
}

static long f_write(void *arg, int file, const void *p, size_t n)
{
	/* short writes, too */
	return fails() ? -1 : store_folder_io.write(arg, file, p, n > 20 ? 20 : n);
}

static int f_sync(void *arg, int file)
{
	return fails() ? -1 : store_folder_io.sync(arg, file);
}

static int f_close(void *arg, int file)
{
	int r = store_folder_io.close(arg, file);

	return fails() ? -1 : r;
}

static int f_rename(void *arg, const char *from, const char *to)
{
	return fails() ? -1 : store_folder_io.rename(arg, from, to);
}

static int f_sync_folder(void *arg)
{
	return fails() ? -1 : store_folder_io.sync_folder(arg);
}

/* A key is handed out only when it is there after a restart. */
static void no_key_without_storage(void **state)
{
	static const uint8_t none[CFG_KEY_BYTES];
	struct store_io io = store_folder_io;
	uint8_t key[CFG_KEY_BYTES], again[CFG_KEY_BYTES];
	char why[200];
	int r = ERR_SYS;

	(void)state;
	io.create = f_create;
	io.write = f_write;
	io.sync = f_sync;
	io.close = f_close;
	io.rename = f_rename;
	io.sync_folder = f_sync_folder;
	for (fail_at = 1; r != ERR_OK; fail_at++) {
		(void)unlinkat(folder.fd, "wireguard-wg0", 0);
		calls = 0;
		why[0] = '\0';
		r = wg_key(&io, &folder, "wg0", key, why, sizeof(why));
		if (r != ERR_OK) {
			assert_memory_equal(key, none, sizeof(none));
			assert_non_null(strstr(why, "wg0"));
		}
	}
	assert_true(fail_at > 6);
	assert_int_equal(get("wg0", again), ERR_OK);
	assert_memory_equal(key, again, sizeof(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_made_once, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(no_key_without_storage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
