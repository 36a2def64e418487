/* Artifacts that others have signed (tests/vectors): plain openssl, SoftHSM
 * through PKCS#11, Chromium's WebCrypto and WebAuthn. Each verifies with its
 * own key and with no other; every changed bit of the signed text is refused. */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/file.h"
#include "lib/keyset.h"

#define FOLDER "tests/vectors/"
#define BEFORE_EXPIRY 1800000000

static const char *const names[] = {
	"openssl-es256",      "openssl-es384",      "openssl-ps256-2048",
	"openssl-ps256-4096", "softhsm-es256",      "softhsm-es384",
	"softhsm-ps256",      "chromium-webcrypto", "chromium-webauthn",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

static const struct man_device device = {.serial = "LT-VECTOR", .board = "host"};
static struct keyset keys;
static uint8_t *files[NAMES];
static size_t sizes[NAMES];

static int no_floor(void *arg, enum man_type type, const struct man_scope *scope,
		    struct man_floor *out)
{
	(void)arg;
	(void)type;
	(void)scope;
	(void)out;
	return ERR_NOENT;
}

static int verify(struct span file, struct man *out, struct man_report *rep)
{
	const struct man_ctx ctx = {
		.keys = &keys,
		.type = MAN_CONFIG,
		.scopes = MAN_ALLOW(MAN_SCOPE_DEVICE),
		.device = &device,
		.mode = MAN_NEW,
		.payload = MAN_PAYLOAD_ATTACHED,
		.clock = {.now_s = BEFORE_EXPIRY, .is_verified = true},
		.floor = no_floor,
	};

	return man_verify(&ctx, file, out, rep);
}

static int setup(void **state)
{
	struct man_report rep;
	uint8_t *text = NULL;
	size_t n = 0;
	int r;

	(void)state;
	if (file_load(FOLDER "keyset", MAN_TEXT_MAX, &text, &n) != ERR_OK)
		return -1;
	r = keyset_load(span_of(text, n), &device, &keys, &rep);
	free(text);
	for (size_t i = 0; r == ERR_OK && i < NAMES; i++) {
		char path[100];

		(void)snprintf(path, sizeof(path), FOLDER "%s.config", names[i]);
		r = file_load(path, MAN_CONFIG_FILE_MAX, &files[i], &sizes[i]);
	}
	return r;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMES; i++)
		free(files[i]);
	return 0;
}

static void each_one_verifies(void **state)
{
	uint8_t seen[NAMES][SIG_KEY_ID_BYTES];
	struct man_report rep;
	struct man m;

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		int r = verify(span_of(files[i], sizes[i]), &m, &rep);

		if (r != ERR_OK)
			fail_msg("%s: %s", names[i], man_why_name(rep.why));
		assert_int_equal(m.signers.count, 1);
		memcpy(seen[i], m.signers.id[0], SIG_KEY_ID_BYTES);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(seen[i], seen[k], SIG_KEY_ID_BYTES);
	}
}

/* No file of the folder is left out of the test. */
static void all_files_are_tested(void **state)
{
	DIR *d = opendir(FOLDER);
	struct dirent *de;
	size_t count = 0;

	(void)state;
	if (!d) {
		fail_msg("no folder " FOLDER);
		return;
	}
	while ((de = readdir(d)) != NULL)
		count += strstr(de->d_name, ".config") != NULL;
	(void)closedir(d);
	assert_int_equal(count, NAMES);
}

static void each_bit_counts(void **state)
{
	struct man_report rep;
	struct man m;

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		/* one bit of every eighth byte, another bit each time */
		for (size_t at = i % 8; at < sizes[i]; at += 8) {
			uint8_t bit = (uint8_t)(1U << (at / 8 % 8));

			files[i][at] ^= bit;
			if (verify(span_of(files[i], sizes[i]), &m, &rep) == ERR_OK)
				fail_msg("%s: byte %zu changed and accepted", names[i],
					 at);
			files[i][at] ^= bit;
		}
	}
}

/* A signature under the name of another key of the role. */
static void no_other_key_verifies(void **state)
{
	char ids[NAMES][2 * SIG_KEY_ID_BYTES];
	uint8_t *places[NAMES];
	struct man_report rep;
	struct man m;

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		if (!files[i])
			fail_msg("%s is missing", names[i]);
		else
			places[i] = memmem(files[i], sizes[i], "\nsig ", 5);
		assert_non_null(places[i]);
		memcpy(ids[i], places[i] + 5, sizeof(ids[i]));
	}
	for (size_t i = 0; i < NAMES; i++) {
		memcpy(places[i] + 5, ids[(i + 1) % NAMES], sizeof(ids[i]));
		assert_int_not_equal(verify(span_of(files[i], sizes[i]), &m, &rep),
				     ERR_OK);
		memcpy(places[i] + 5, ids[i], sizeof(ids[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_one_verifies),
		cmocka_unit_test(all_files_are_tested),
		cmocka_unit_test(each_bit_counts),
		cmocka_unit_test(no_other_key_verifies),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
