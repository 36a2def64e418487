/* Keysets and signed artifacts with keys made for this run: who may sign what.
 * Each forgery is refused for its own reason. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>

#include "lib/b64.h"
#include "lib/hex.h"
#include "lib/keyset.h"
#include "lib/manifest.h"

#define KEYS 5 /* 0, 1: root; 2: config; 3: blocklist; 4: in no keyset */
#define TEXT_MAX 8000
#define NOW 1770000000

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_pk_context keys[KEYS];
static char ids[KEYS][2 * SIG_KEY_ID_BYTES + 1], spkis[KEYS][B64_TEXT(SIG_SPKI_MAX) + 1];
static struct keyset trusted;
static struct man_floor floor_now;
static int floor_result;

static const struct man_device device = {
	.serial = "LT-1", .board = "qemu-arm64", .fleets = {"nghe-an"}, .fleet_count = 1};

static int get_floor(void *arg, enum man_type type, const struct man_scope *scope,
		     struct man_floor *out)
{
	(void)arg;
	(void)type;
	(void)scope;
	*out = floor_now;
	return floor_result;
}

static void make_key(unsigned i)
{
	uint8_t der[SIG_SPKI_MAX], hash[32];
	int n;

	mbedtls_pk_init(&keys[i]);
	assert_int_equal(
		mbedtls_pk_setup(&keys[i], mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)),
		0);
	assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1,
					     mbedtls_pk_ec(keys[i]),
					     mbedtls_ctr_drbg_random, &drbg),
			 0);
	n = mbedtls_pk_write_pubkey_der(&keys[i], der, sizeof(der));
	assert_true(n > 0);
	/* it is written to the end of the buffer */
	(void)b64_encode(span_of(der + sizeof(der) - n, (size_t)n), spkis[i]);
	assert_int_equal(mbedtls_sha256(der + sizeof(der) - n, (size_t)n, hash, 0), 0);
	hex_encode(hash, SIG_KEY_ID_BYTES, ids[i]);
}

/* Append a signature line over the first @signed_n bytes, named as key @as. */
static void sign_as(char *text, size_t signed_n, unsigned with, unsigned as)
{
	uint8_t hash[32], sig[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	char line[B64_TEXT(sizeof(sig)) + 1];
	size_t n = 0, at = strlen(text);

	assert_int_equal(mbedtls_sha256((const uint8_t *)text, signed_n, hash, 0), 0);
	assert_int_equal(mbedtls_pk_sign(&keys[with], MBEDTLS_MD_SHA256, hash,
					 sizeof(hash), sig, sizeof(sig), &n,
					 mbedtls_ctr_drbg_random, &drbg),
			 0);
	(void)b64_encode(span_of(sig, n), line);
	(void)snprintf(text + at, TEXT_MAX - at, "sig %s es256 %s\n", ids[as], line);
}

static void sign(char *text, size_t signed_n, unsigned with)
{
	sign_as(text, signed_n, with, with);
}

/* Keyset @version: root 2 of {0, 1}, blocklist 1 of {3}, config 1 of {2}. */
static size_t keyset_text(char *text, unsigned version, unsigned epoch)
{
	(void)snprintf(text, TEXT_MAX,
		       "luytre-manifest 1\ntype keyset\nscope *\nversion %u\n"
		       "issued 1760000000\nexpires 1890000000\nkeyset %u\nbody\n"
		       "key es256 %s\nkey es256 %s\nkey es256 %s\nkey es256 %s\n"
		       "role root 2 1 %s %s\nrole blocklist 1 1 %s\n"
		       "role config 1 %u %s\n\n",
		       version, version > 1 ? version - 1 : 1, spkis[0], spkis[1],
		       spkis[2], spkis[3], ids[0], ids[1], ids[3], epoch, ids[2]);
	return strlen(text);
}

static int setup(void **state)
{
	static char text[TEXT_MAX];
	struct man_report rep;
	size_t n;

	(void)state;
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	if (mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0) != 0)
		return -1;
	for (unsigned i = 0; i < KEYS; i++)
		make_key(i);
	n = keyset_text(text, 1, 1);
	sign(text, n, 0);
	sign(text, n, 1);
	return keyset_load(span_str(text), &device, &trusted, &rep) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		mbedtls_pk_free(&keys[i]);
	mbedtls_ctr_drbg_free(&drbg);
	mbedtls_entropy_free(&entropy);
	return 0;
}

/* A configuration artifact without signatures; returns the signed bytes. */
static size_t config_text(char *text, const char *type, const char *scope,
			  unsigned version, unsigned long expires)
{
	uint8_t hash[32];
	char hex[65];

	assert_int_equal(mbedtls_sha256((const uint8_t *)"abc", 3, hash, 0), 0);
	hex_encode(hash, 32, hex);
	(void)snprintf(text, TEXT_MAX,
		       "luytre-manifest 1\ntype %s\nscope %s\nversion %u\n"
		       "issued 1760000000\nexpires %lu\nkeyset 1\npayload 3 %s\n\n",
		       type, scope, version, expires, hex);
	return strlen(text);
}

static enum man_why judge_with(const char *text, bool is_time_known)
{
	const struct man_ctx ctx = {
		.keys = &trusted,
		.type = MAN_CONFIG,
		.scopes = MAN_ALLOW(MAN_SCOPE_DEVICE) | MAN_ALLOW(MAN_SCOPE_FLEET),
		.device = &device,
		.clock = {.now_s = NOW, .is_verified = is_time_known},
		.floor = get_floor,
	};
	struct man_report rep;
	struct man m;
	int r = man_verify(&ctx, span_str(text), &m, &rep);

	assert_int_equal(r, man_why_err(rep.why));
	return rep.why;
}

static enum man_why judge(const char *text)
{
	return judge_with(text, true);
}

static void finish(char *text, const char *payload)
{
	(void)snprintf(text + strlen(text), TEXT_MAX - strlen(text), "\n%s", payload);
}

static void the_right_key_is_accepted(void **state)
{
	static char text[TEXT_MAX];
	size_t n = config_text(text, "config", "device/LT-1", 7, 1790000000);

	(void)state;
	floor_result = ERR_NOENT;
	sign(text, n, 2);
	finish(text, "abc");
	assert_int_equal(judge(text), MAN_WHY_OK);
	n = config_text(text, "config", "fleet/nghe-an", 7, 1790000000);
	sign(text, n, 2);
	finish(text, "abc");
	assert_int_equal(judge(text), MAN_WHY_OK);
}

struct forgery {
	const char *name;
	enum man_why why;
	const char *type, *scope;
	unsigned version;
	unsigned long expires;
	unsigned with, as;
	const char *payload;
};

static const struct forgery forgeries[] = {
	{"key of another role", MAN_WHY_THRESHOLD, "config", "device/LT-1", 7, 1790000000,
	 3, 3, "abc"},
	{"key of nobody", MAN_WHY_THRESHOLD, "config", "device/LT-1", 7, 1790000000, 4, 4,
	 "abc"},
	{"another key under its name", MAN_WHY_SIG_BAD, "config", "device/LT-1", 7,
	 1790000000, 4, 2, "abc"},
	{"list signed as such", MAN_WHY_THRESHOLD, "blocklist", "device/LT-1", 7,
	 1790000000, 3, 3, "abc"},
	{"list signed by config", MAN_WHY_TYPE, "blocklist", "device/LT-1", 7, 1790000000,
	 2, 2, "abc"},
	{"other device", MAN_WHY_SCOPE_OTHER, "config", "device/LT-2", 7, 1790000000, 2,
	 2, "abc"},
	{"every device", MAN_WHY_SCOPE_KIND, "config", "*", 7, 1790000000, 2, 2, "abc"},
	{"expired", MAN_WHY_EXPIRED, "config", "device/LT-1", 7, NOW - 1, 2, 2, "abc"},
	{"swapped payload", MAN_WHY_PAYLOAD, "config", "device/LT-1", 7, 1790000000, 2, 2,
	 "abd"},
	{"cut payload", MAN_WHY_TRUNCATED, "config", "device/LT-1", 7, 1790000000, 2, 2,
	 "ab"},
	{"long payload", MAN_WHY_TRAILING, "config", "device/LT-1", 7, 1790000000, 2, 2,
	 "abcd"},
};

static void each_forgery_has_its_reason(void **state)
{
	static char text[TEXT_MAX];

	(void)state;
	floor_result = ERR_NOENT;
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		const struct forgery *f = &forgeries[i];
		size_t n = config_text(text, f->type, f->scope, f->version, f->expires);
		enum man_why got;

		sign_as(text, n, f->with, f->as);
		finish(text, f->payload);
		got = judge(text);
		if (got != f->why)
			fail_msg("%s: %s, wanted %s", f->name, man_why_name(got),
				 man_why_name(f->why));
	}
}

static void floors_hold(void **state)
{
	static char text[TEXT_MAX];
	size_t n = config_text(text, "config", "device/LT-1", 7, 1790000000);

	(void)state;
	sign(text, n, 2);
	finish(text, "abc");
	floor_result = ERR_OK;
	floor_now = (struct man_floor){.epoch = 1, .version = 6};
	assert_int_equal(judge(text), MAN_WHY_OK);
	floor_now.version = 8;
	assert_int_equal(judge(text), MAN_WHY_VERSION);
	floor_now.version = 7; /* the same version, other bytes */
	assert_int_equal(judge(text), MAN_WHY_VERSION);
	floor_now.epoch = 2;
	assert_int_equal(judge(text), MAN_WHY_EPOCH);
	floor_result = ERR_SYS; /* a floor that cannot be read refuses */
	assert_int_not_equal(judge(text), MAN_WHY_OK);
	floor_result = ERR_NOENT;
	assert_int_equal(judge_with(text, false), MAN_WHY_TIME);
}

/* A raised epoch resets the floor; what was signed before does not come back by it. */
static void old_ones_stay_old(void **state)
{
	static char text[TEXT_MAX], keyset[TEXT_MAX];
	static struct keyset next, saved;
	struct man_report rep;
	size_t n = keyset_text(keyset, 2, 2);
	char *at;

	(void)state;
	sign(keyset, n, 0);
	sign(keyset, n, 1);
	assert_int_equal(keyset_update(&trusted, &device, span_str(keyset), &next, &rep),
			 ERR_OK);
	saved = trusted;
	trusted = next;
	floor_result = ERR_OK;
	floor_now = (struct man_floor){.epoch = 1, .version = 9};
	n = config_text(text, "config", "device/LT-1", 7, 1790000000);
	sign(text, n, 2);
	finish(text, "abc");
	assert_int_equal(judge(text), MAN_WHY_KEYSET_OLDER);
	n = config_text(text, "config", "device/LT-1", 7, 1790000000);
	at = strstr(text, "keyset 1");
	assert_non_null(at);
	at[7] = '2';
	sign(text, n, 2);
	finish(text, "abc");
	assert_int_equal(judge(text), MAN_WHY_OK);
	floor_now = (struct man_floor){.epoch = 2, .version = 6};
	n = config_text(text, "config", "device/LT-1", 7, 1790000000);
	sign(text, n, 2);
	finish(text, "abc");
	assert_int_equal(judge(text), MAN_WHY_OK);
	trusted = saved;
}

static void one_key_twice_is_one_signer(void **state)
{
	static char text[TEXT_MAX];
	static struct keyset next;
	struct man_report rep;
	size_t n = keyset_text(text, 2, 1);

	(void)state;
	sign(text, n, 0);
	sign(text, n, 0);
	assert_int_equal(keyset_update(&trusted, &device, span_str(text), &next, &rep),
			 ERR_THRESHOLD);
	assert_int_equal(rep.why, MAN_WHY_THRESHOLD);
	sign(text, n, 1);
	assert_int_equal(keyset_update(&trusted, &device, span_str(text), &next, &rep),
			 ERR_OK);
	assert_int_equal(next.version, 2);
}

static void keysets_go_up_one_by_one(void **state)
{
	static char text[TEXT_MAX];
	static struct keyset next;
	struct man_report rep;
	size_t n = keyset_text(text, 3, 1);

	(void)state;
	sign(text, n, 0);
	sign(text, n, 1);
	assert_int_not_equal(
		keyset_update(&trusted, &device, span_str(text), &next, &rep), ERR_OK);
	n = keyset_text(text, 1, 1);
	sign(text, n, 0);
	sign(text, n, 1);
	/* the keyset in force; its digest does not cover the signatures */
	assert_int_equal(keyset_update(&trusted, &device, span_str(text), &next, &rep),
			 ERR_ALREADY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_key_is_accepted),
		cmocka_unit_test(each_forgery_has_its_reason),
		cmocka_unit_test(floors_hold),
		cmocka_unit_test(old_ones_stay_old),
		cmocka_unit_test(one_key_twice_is_one_signer),
		cmocka_unit_test(keysets_go_up_one_by_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
