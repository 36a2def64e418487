/*
 * DESIGN: one P-256 key a device, made at its first start after the kernel's random
 * generator is seeded (getrandom() waits), kept in the folder that svcd hands
 * over. The certificate is signed by the key itself: officers compare its
 * fingerprint with the console's. It names nothing but the product, so that it
 * says nothing about the device before login. Its dates span the life of the
 * hardware: a device whose clock is wrong must not lock anybody out. A damaged
 * file is replaced, and said so.
 */
#include "tls_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/sha256.h>

#include "file.h"
#include "wipe.h"

#define KEY_FILE "device.key"
#define CERT_FILE "device.crt"
#define SUBJECT "CN=luytre"
#define HOST "luytre"
#define NOT_BEFORE "20250101000000"
#define NOT_AFTER "20491231235959"
#define SERIAL_BYTES 16

/* Write a file whole or not at all, for this user only. */
static int save(int folder, const char *name, const uint8_t *p, size_t n)
{
	char fresh[32];
	int fd, r = ERR_SYS;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", name);
	(void)unlinkat(folder, fresh, 0); /* left over from a power cut, or not there */
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return ERR_SYS;
	if (write(fd, p, n) == (ssize_t)n && fsync(fd) == 0)
		r = ERR_OK;
	if (close(fd) != 0)
		r = ERR_SYS;
	if (r == ERR_OK && renameat(folder, fresh, folder, name) != 0)
		r = ERR_SYS;
	if (r == ERR_OK && fsync(folder) != 0)
		r = ERR_SYS;
	return r;
}

static int load_key(mbedtls_pk_context *key, int folder)
{
	uint8_t *text = NULL;
	size_t n = 0;
	int r = file_load_at(folder, KEY_FILE, TLS_KEY_FILE_MAX, &text, &n);

	if (r != ERR_OK)
		return r;
	r = mbedtls_pk_parse_key(key, text, n, NULL, 0, mbedtls_psa_get_random,
				 MBEDTLS_PSA_RANDOM_STATE) == 0 &&
			    mbedtls_pk_can_do(key, MBEDTLS_PK_ECDSA)
		    ? ERR_OK
		    : ERR_FORMAT;
	wipe(text, n);
	free(text);
	return r;
}

static int make_key(mbedtls_pk_context *key, int folder)
{
	uint8_t der[TLS_KEY_FILE_MAX];
	int n, r = ERR_INTERNAL;

	mbedtls_pk_free(key);
	mbedtls_pk_init(key);
	if (mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0 ||
	    mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
				mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) != 0)
		return ERR_INTERNAL;
	n = mbedtls_pk_write_key_der(key, der, sizeof(der)); /* to the end of @der */
	if (n > 0)
		r = save(folder, KEY_FILE, der + sizeof(der) - n, (size_t)n);
	wipe(der, sizeof(der));
	return r;
}

/* The certificate's bytes into the end of @der. Returns how many, negative: error. */
static int write_cert(mbedtls_x509write_cert *w, mbedtls_pk_context *key, uint8_t *der,
		      size_t max)
{
	mbedtls_x509_san_list san = {0};
	mbedtls_asn1_sequence usage = {0};
	uint8_t serial[SERIAL_BYTES];

	san.node.type = MBEDTLS_X509_SAN_DNS_NAME;
	san.node.san.unstructured_name.p = (unsigned char *)(uintptr_t)HOST;
	san.node.san.unstructured_name.len = strlen(HOST);
	usage.buf.tag = MBEDTLS_ASN1_OID;
	usage.buf.p = (unsigned char *)(uintptr_t)MBEDTLS_OID_SERVER_AUTH;
	usage.buf.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH);
	if (mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, serial, sizeof(serial)) != 0)
		return -1;
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, full length */
	mbedtls_x509write_crt_set_version(w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(w, key);
	mbedtls_x509write_crt_set_issuer_key(w, key);
	if (mbedtls_x509write_crt_set_subject_name(w, SUBJECT) != 0 ||
	    mbedtls_x509write_crt_set_issuer_name(w, SUBJECT) != 0 ||
	    mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof(serial)) != 0 ||
	    mbedtls_x509write_crt_set_validity(w, NOT_BEFORE, NOT_AFTER) != 0 ||
	    mbedtls_x509write_crt_set_basic_constraints(w, 0, -1) != 0 ||
	    mbedtls_x509write_crt_set_key_usage(w, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) !=
		    0 ||
	    mbedtls_x509write_crt_set_ext_key_usage(w, &usage) != 0 ||
	    mbedtls_x509write_crt_set_subject_alternative_name(w, &san) != 0)
		return -1;
	return mbedtls_x509write_crt_der(w, der, max, mbedtls_psa_get_random,
					 MBEDTLS_PSA_RANDOM_STATE);
}

static int make_cert(struct tls_key *k, int folder)
{
	uint8_t der[TLS_KEY_FILE_MAX];
	mbedtls_x509write_cert w;
	int n, r = ERR_INTERNAL;

	mbedtls_x509_crt_free(&k->cert);
	mbedtls_x509_crt_init(&k->cert);
	mbedtls_x509write_crt_init(&w);
	n = write_cert(&w, &k->key, der, sizeof(der));
	mbedtls_x509write_crt_free(&w);
	if (n > 0)
		r = save(folder, CERT_FILE, der + sizeof(der) - n, (size_t)n);
	if (r == ERR_OK &&
	    mbedtls_x509_crt_parse_der(&k->cert, der + sizeof(der) - n, (size_t)n) != 0)
		r = ERR_INTERNAL;
	return r;
}

static int load_cert(struct tls_key *k, int folder)
{
	uint8_t *text = NULL;
	size_t n = 0;
	int r = file_load_at(folder, CERT_FILE, TLS_KEY_FILE_MAX, &text, &n);

	if (r != ERR_OK)
		return r;
	r = mbedtls_x509_crt_parse_der(&k->cert, text, n) == 0 &&
			    mbedtls_pk_check_pair(&k->cert.pk, &k->key,
						  mbedtls_psa_get_random,
						  MBEDTLS_PSA_RANDOM_STATE) == 0
		    ? ERR_OK
		    : ERR_FORMAT;
	free(text);
	return r;
}

static int fingerprint(struct tls_key *k)
{
	uint8_t hash[32];

	if (mbedtls_sha256(k->cert.raw.p, k->cert.raw.len, hash, 0) != 0)
		return ERR_INTERNAL;
	for (size_t i = 0; i < sizeof(hash); i++)
		(void)snprintf(k->fingerprint + 3 * i, 4, "%02X:", hash[i]);
	k->fingerprint[3 * sizeof(hash) - 1] = '\0';
	return ERR_OK;
}

/*
 * Read key and certificate, or make them.
 *
 * @folder  open, this user's own
 *
 * Returns ERR_OK, ERR_SYS (errno is set) or ERR_INTERNAL. They are never freed:
 * they live as long as the process.
 */
int tls_key_load(struct tls_key *k, int folder)
{
	int r;

	mbedtls_pk_init(&k->key);
	mbedtls_x509_crt_init(&k->cert);
	k->how = "loaded";
	r = load_key(&k->key, folder);
	if (r == ERR_OK)
		r = load_cert(k, folder);
	else if (r == ERR_NOENT || r == ERR_FORMAT || r == ERR_LIMIT) {
		k->how = r == ERR_NOENT ? "made" : "replaced";
		r = make_key(&k->key, folder);
		if (r == ERR_OK)
			r = ERR_NOENT; /* a new key needs a new certificate */
	}
	if (r == ERR_NOENT || r == ERR_FORMAT || r == ERR_LIMIT) {
		if (strcmp(k->how, "loaded") == 0)
			k->how = "replaced";
		r = make_cert(k, folder);
	}
	return r == ERR_OK ? fingerprint(k) : r;
}
