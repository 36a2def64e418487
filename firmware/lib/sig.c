#include "sig.h"

#include <string.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "webauthn.h"

#ifdef MBEDTLS_USE_PSA_CRYPTO
#error "pk_verify_ext() then takes any PSS salt length: use psa_verify_hash() instead"
#endif

#define HASH_MAX 48

static const struct {
	enum sig_alg alg;
	const char *name;
	mbedtls_md_type_t md;
	size_t coord; /* bytes of r and s; 0 for RSA */
} algs[] = {
	{SIG_ES256, "es256", MBEDTLS_MD_SHA256, 32},
	{SIG_ES384, "es384", MBEDTLS_MD_SHA384, 48},
	{SIG_PS256, "ps256", MBEDTLS_MD_SHA256, 0},
	{SIG_WEBAUTHN, "webauthn-es256", MBEDTLS_MD_SHA256, 32},
};
#define ALG_COUNT (sizeof(algs) / sizeof(algs[0]))

/* SubjectPublicKeyInfo up to the point: id-ecPublicKey, named curve,
 * uncompressed. Any other spelling of the same key would have another key id. */
static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
static const uint8_t p384_head[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
				    0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
				    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04};
/* RSA: the public exponent 65537 is the last thing in it. */
static const uint8_t rsa_tail[] = {0x02, 0x03, 0x01, 0x00, 0x01};

/*
 * Find the algorithm of a name as it stands in key and signature lines.
 *
 * Returns ERR_OK, or ERR_FORMAT for a name that is none.
 */
int sig_alg_parse(struct span in, enum sig_alg *out)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		if (span_eq_str(in, algs[i].name)) {
			*out = algs[i].alg;
			return ERR_OK;
		}
	}
	return ERR_FORMAT;
}

/*
 * Name of an algorithm; "?" for a value that is none.
 */
const char *sig_alg_name(enum sig_alg alg)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		if (algs[i].alg == alg)
			return algs[i].name;
	}
	return "?";
}

static int hash_of(mbedtls_md_type_t type, struct span in, uint8_t *out)
{
	const mbedtls_md_info_t *md = mbedtls_md_info_from_type(type);

	if (!md || mbedtls_md(md, in.p, in.n, out) != 0)
		return ERR_INTERNAL;
	return ERR_OK;
}

/*
 * SHA-256 of a span.
 *
 * Returns ERR_OK, or ERR_INTERNAL when the crypto library fails.
 */
int sig_sha256(struct span in, uint8_t out[SIG_SHA256_BYTES])
{
	return hash_of(MBEDTLS_MD_SHA256, in, out);
}

static bool has_head(struct span in, const uint8_t *head, size_t head_n, size_t point_n)
{
	return in.n == head_n + point_n && memcmp(in.p, head, head_n) == 0;
}

/* Whether the encoded key is of the kind that @alg needs. */
static bool is_spki_of(enum sig_alg alg, struct span spki)
{
	const size_t tail = sizeof(rsa_tail);

	switch (alg) {
	case SIG_ES256:
	case SIG_WEBAUTHN:
		return has_head(spki, p256_head, sizeof(p256_head), 64);
	case SIG_ES384:
		return has_head(spki, p384_head, sizeof(p384_head), 96);
	case SIG_PS256:
		return spki.n > tail &&
		       memcmp(spki.p + (spki.n - tail), rsa_tail, tail) == 0;
	}
	return false;
}

/* Parse the key with mbedTLS and make sure that it has just this encoding. */
static int parse_spki(enum sig_alg alg, struct span spki, mbedtls_pk_context *pk)
{
	uint8_t again[SIG_SPKI_MAX];
	size_t bits;
	int n;

	if (!is_spki_of(alg, spki) ||
	    mbedtls_pk_parse_public_key(pk, spki.p, spki.n) != 0)
		return ERR_FORMAT;
	bits = mbedtls_pk_get_bitlen(pk);
	if (alg == SIG_PS256 && (mbedtls_pk_get_type(pk) != MBEDTLS_PK_RSA ||
				 bits < SIG_RSA_BITS_MIN || bits > SIG_RSA_BITS_MAX))
		return ERR_RANGE;
	n = mbedtls_pk_write_pubkey_der(pk, again, sizeof(again));
	if (n < 0 || (size_t)n != spki.n ||
	    memcmp(again + sizeof(again) - (size_t)n, spki.p, spki.n) != 0)
		return ERR_FORMAT;
	return ERR_OK;
}

static int set_rp_id(struct sig_key *key, struct span rp_id)
{
	if ((key->alg == SIG_WEBAUTHN) != (rp_id.n > 0))
		return ERR_FORMAT;
	if (rp_id.n > SIG_RP_ID_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < rp_id.n; i++) {
		uint8_t c = rp_id.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		      (c == '.' && i > 0 && i + 1 < rp_id.n && rp_id.p[i - 1] != '.')))
			return ERR_FORMAT;
		key->rp_id[i] = (char)c;
	}
	return ERR_OK;
}

/*
 * Take a public key into a key entry: check that it suits its algorithm and has
 * the one allowed encoding, and compute its id.
 *
 * @key    filled; undefined unless ERR_OK
 * @spki   SubjectPublicKeyInfo, DER: P-256 or P-384 uncompressed, or RSA of
 *         SIG_RSA_BITS_MIN to SIG_RSA_BITS_MAX bits with exponent 65537
 * @rp_id  WebAuthn relying party id, lower case; empty for other algorithms
 *
 * Returns ERR_OK, ERR_FORMAT, ERR_RANGE (RSA size), ERR_LIMIT or ERR_INTERNAL.
 */
int sig_key_set(struct sig_key *key, enum sig_alg alg, struct span spki,
		struct span rp_id)
{
	uint8_t digest[SIG_SHA256_BYTES];
	mbedtls_pk_context pk;
	int r;

	if (spki.n > SIG_SPKI_MAX)
		return ERR_LIMIT;
	memset(key, 0, sizeof(*key));
	key->alg = alg;
	r = set_rp_id(key, rp_id);
	if (r != ERR_OK)
		return r;
	mbedtls_pk_init(&pk);
	r = parse_spki(alg, spki, &pk);
	mbedtls_pk_free(&pk);
	if (r != ERR_OK)
		return r;
	if (sig_sha256(spki, digest) != ERR_OK)
		return ERR_INTERNAL;
	memcpy(key->id, digest, SIG_KEY_ID_BYTES);
	memcpy(key->spki, spki.p, spki.n);
	key->spki_n = spki.n;
	return ERR_OK;
}

/* One DER INTEGER: positive, shortest form, at most @max value bytes. */
static int skip_der_uint(struct span *in, size_t max)
{
	struct span v;
	uint8_t tag, len;

	if (span_get_u8(in, &tag) != ERR_OK || tag != 0x02 ||
	    span_get_u8(in, &len) != ERR_OK || span_take(in, len, &v) != ERR_OK)
		return ERR_SIGNATURE;
	if (v.n == 0 || v.p[0] > 0x7f || (v.n > 1 && v.p[0] == 0 && v.p[1] <= 0x7f))
		return ERR_SIGNATURE;
	if (v.n > max + 1 || (v.n == max + 1 && v.p[0] != 0))
		return ERR_SIGNATURE;
	return ERR_OK;
}

/* ECDSA signature: SEQUENCE of two INTEGER, strict DER, nothing after it. */
static int check_ecdsa_der(struct span in, size_t coord)
{
	uint8_t tag, len;

	if (span_get_u8(&in, &tag) != ERR_OK || tag != 0x30 ||
	    span_get_u8(&in, &len) != ERR_OK || len > 0x7f || len != in.n)
		return ERR_SIGNATURE;
	for (int i = 0; i < 2; i++) {
		if (skip_der_uint(&in, coord) != ERR_OK)
			return ERR_SIGNATURE;
	}
	return in.n == 0 ? ERR_OK : ERR_SIGNATURE;
}

/* What a WebAuthn authenticator signs: auth_data || SHA-256(client_data). */
static int webauthn_hash(const struct sig_key *key, struct span message,
			 const struct sig_blob *blob, uint8_t *hash)
{
	uint8_t challenge[SIG_SHA256_BYTES];
	uint8_t buf[SIG_AUTH_DATA_MAX + SIG_SHA256_BYTES];
	int r;

	if (sig_sha256(message, challenge) != ERR_OK)
		return ERR_INTERNAL;
	r = webauthn_check(key->rp_id, challenge, blob->auth_data, blob->client_data);
	if (r != ERR_OK)
		return r;
	memcpy(buf, blob->auth_data.p, blob->auth_data.n);
	r = sig_sha256(blob->client_data, buf + blob->auth_data.n);
	if (r != ERR_OK)
		return r;
	return sig_sha256(span_of(buf, blob->auth_data.n + SIG_SHA256_BYTES), hash);
}

static int verify_hash(const struct sig_key *key, size_t i, const uint8_t *hash,
		       struct span sig)
{
	const mbedtls_pk_rsassa_pss_options pss = {
		.mgf1_hash_id = MBEDTLS_MD_SHA256,
		.expected_salt_len = 32,
	};
	size_t hash_n = mbedtls_md_get_size(mbedtls_md_info_from_type(algs[i].md));
	mbedtls_pk_context pk;
	int r = ERR_SIGNATURE;

	mbedtls_pk_init(&pk);
	if (parse_spki(key->alg, span_of(key->spki, key->spki_n), &pk) != ERR_OK) {
		r = ERR_INTERNAL; /* sig_key_set() has accepted it before */
	} else if (algs[i].coord == 0) {
		if (mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &pss, &pk, algs[i].md,
					  hash, hash_n, sig.p, sig.n) == 0)
			r = ERR_OK;
	} else if (check_ecdsa_der(sig, algs[i].coord) == ERR_OK) {
		if (mbedtls_pk_verify(&pk, algs[i].md, hash, hash_n, sig.p, sig.n) == 0)
			r = ERR_OK;
	}
	mbedtls_pk_free(&pk);
	return r;
}

/*
 * Verify one signature over a message with one key.
 *
 * @key      from sig_key_set(); its algorithm decides what is done
 * @message  the signed bytes, not their hash
 * @blob     a blob of another algorithm than the key's is refused
 *
 * Returns ERR_OK, ERR_SIGNATURE, or ERR_INTERNAL when the crypto library fails.
 * mbedTLS uses heap memory during the call and gives it back.
 */
int sig_verify(const struct sig_key *key, struct span message,
	       const struct sig_blob *blob)
{
	uint8_t hash[HASH_MAX];
	size_t i = 0;
	int r;

	while (i < ALG_COUNT && algs[i].alg != key->alg)
		i++;
	if (i == ALG_COUNT)
		return ERR_INTERNAL;
	if (blob->alg != key->alg || blob->sig.n == 0 || blob->sig.n > SIG_BYTES_MAX)
		return ERR_SIGNATURE;
	if (key->alg == SIG_WEBAUTHN)
		r = webauthn_hash(key, message, blob, hash);
	else
		r = hash_of(algs[i].md, message, hash);
	if (r != ERR_OK)
		return r;
	return verify_hash(key, i, hash, blob->sig);
}
