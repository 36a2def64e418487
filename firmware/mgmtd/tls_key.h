/*
 * The device's key and certificate for its web interface.
 */
#ifndef LUYTRE_TLS_KEY_H
#define LUYTRE_TLS_KEY_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "err.h"

#define TLS_KEY_FINGERPRINT_BYTES 97 /* SHA-256, "AB:CD:...:", with NUL */
#define TLS_KEY_FILE_MAX 2048

struct tls_key {
	mbedtls_pk_context key;
	mbedtls_x509_crt cert;
	char fingerprint[TLS_KEY_FINGERPRINT_BYTES];
	const char *how; /* "loaded", "made" or "replaced" */
};

int tls_key_load(struct tls_key *k, int folder) MUST_CHECK;

#endif
