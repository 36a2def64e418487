/*
 * Public keys and signatures of artifacts: es256, es384, ps256 and
 * webauthn-es256. A key is bound to one algorithm when it is listed; nothing a
 * signature line says can change that. Bytes: toolchain/FORMAT.manifest.md.
 */
#ifndef LUYTRE_SIG_H
#define LUYTRE_SIG_H

#include "bounds.h"
#include "span.h"

#define SIG_SHA256_BYTES 32

enum sig_alg {
	SIG_ES256 = 1, /* ECDSA P-256, SHA-256 */
	SIG_ES384,     /* ECDSA P-384, SHA-384 */
	SIG_PS256,     /* RSASSA-PSS, SHA-256, MGF1 SHA-256, salt 32 */
	SIG_WEBAUTHN,  /* WebAuthn assertion over the SHA-256, ECDSA P-256 */
};

struct sig_key {
	enum sig_alg alg;
	uint8_t id[SIG_KEY_ID_BYTES]; /* first bytes of SHA-256 of @spki */
	size_t spki_n;
	uint8_t spki[SIG_SPKI_MAX];    /* SubjectPublicKeyInfo, DER */
	char rp_id[SIG_RP_ID_MAX + 1]; /* SIG_WEBAUTHN only, else empty */
};

/* One signature, decoded; the spans borrow. */
struct sig_blob {
	enum sig_alg alg;
	struct span sig;         /* DER {r, s}, or the RSA block */
	struct span auth_data;   /* SIG_WEBAUTHN only */
	struct span client_data; /* SIG_WEBAUTHN only */
};

int sig_alg_parse(struct span in, enum sig_alg *out) MUST_CHECK;
const char *sig_alg_name(enum sig_alg alg);
int sig_sha256(struct span in, uint8_t out[SIG_SHA256_BYTES]) MUST_CHECK;
int sig_key_set(struct sig_key *key, enum sig_alg alg, struct span spki,
		struct span rp_id) MUST_CHECK;
int sig_verify(const struct sig_key *key, struct span message,
	       const struct sig_blob *blob) MUST_CHECK;

#endif
