/*
 * An officer's CMS signature (CAdES-BES, RFC 5652, RFC 5126) as evidence: made
 * by the official signing software or by `openssl cms -sign`, over the bytes
 * of CONFIG.json. It is judged strictly here, on a PC; the device only sees
 * the signature of the key that signs afterwards.
 */
#include "sign.h"

#include <getopt.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs7.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#define CMS_BYTES 65536
#define CA_BYTES 262144

#define OID_CONTENT_TYPE "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST "1.2.840.113549.1.9.4"
#define SHA256_BYTES 32
#define SHA384_BYTES 48

static int refuse(const char *en, const char *vi)
{
	complain("CMS: %s", T(en, vi));
	return ERR_SIGNATURE;
}

static int check_shape(struct span der, struct span *digest)
{
	int r = cms_shape(der, digest);

	if (r == ERR_FORMAT)
		return refuse("not DER to its last byte (BER is not accepted)",
			      "không phải DER đến byte cuối (không nhận BER)");
	if (r != ERR_OK)
		return refuse("not a detached SignedData with one signer and each "
			      "attribute once",
			      "không phải SignedData tách rời với một người ký và mỗi "
			      "thuộc tính một lần");
	if (digest->n == 0)
		return refuse("signing-certificate-v2 missing (sign with -cades)",
			      "thiếu signing-certificate-v2 (ký với -cades)");
	return ERR_OK;
}

static unsigned count_attr(gnutls_pkcs7_attrs_t attrs, const char *oid)
{
	unsigned count = 0;

	for (unsigned i = 0;; i++) {
		gnutls_datum_t value = {NULL, 0};
		char *have = NULL;

		if (gnutls_pkcs7_get_attr(attrs, i, &have, &value, 0) < 0)
			return count;
		count += have && strcmp(have, oid) == 0;
		gnutls_free(value.data);
	}
}

static int check_attributes(const gnutls_pkcs7_signature_info_st *info)
{
	if (!info->signed_attrs)
		return refuse("no signed attributes", "không có thuộc tính được ký");
	if (count_attr(info->signed_attrs, OID_CONTENT_TYPE) != 1 ||
	    count_attr(info->signed_attrs, OID_MESSAGE_DIGEST) != 1)
		return refuse("content type or message digest missing or twice",
			      "thiếu hoặc lặp content-type, message-digest");
	return ERR_OK;
}

static int check_algorithm(const gnutls_pkcs7_signature_info_st *info)
{
	switch ((int)info->algo) {
	case GNUTLS_SIGN_ECDSA_SHA256:
	case GNUTLS_SIGN_ECDSA_SHA384:
	case GNUTLS_SIGN_RSA_PSS_SHA256:
	case GNUTLS_SIGN_RSA_PSS_SHA384:
	case GNUTLS_SIGN_RSA_PSS_RSAE_SHA256:
	case GNUTLS_SIGN_RSA_PSS_RSAE_SHA384:
		return ERR_OK;
	default:
		return refuse("only ECDSA and RSA-PSS with SHA-256 or SHA-384",
			      "chỉ nhận ECDSA và RSA-PSS với SHA-256 hoặc SHA-384");
	}
}

static gnutls_x509_trust_list_t trust_of(const char *ca)
{
	gnutls_x509_trust_list_t list = NULL;

	if (gnutls_x509_trust_list_init(&list, 0) != 0)
		return NULL;
	if (gnutls_x509_trust_list_add_trust_file(list, ca, NULL, GNUTLS_X509_FMT_PEM, 0,
						  0) > 0)
		return list;
	complain(T("%s: no certificate in it", "%s: không có chứng thư"), ca);
	gnutls_x509_trust_list_deinit(list, 1);
	return NULL;
}

/* Whether a certificate is the one that the signer means: its serial number, its
 * issuer, and the digest in signing-certificate-v2. */
static bool is_meant(gnutls_x509_crt_t crt, const gnutls_datum_t *der,
		     const gnutls_pkcs7_signature_info_st *info, struct span digest)
{
	gnutls_digest_algorithm_t alg =
		digest.n == SHA256_BYTES ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA384;
	gnutls_datum_t issuer = {NULL, 0};
	uint8_t serial[64], have[SHA384_BYTES];
	size_t n = sizeof(serial), have_n = sizeof(have);
	bool is_same;

	if (digest.n != SHA256_BYTES && digest.n != SHA384_BYTES)
		return false;
	if (gnutls_x509_crt_get_serial(crt, serial, &n) != 0 ||
	    n != info->signer_serial.size ||
	    memcmp(serial, info->signer_serial.data, n) != 0 ||
	    gnutls_x509_crt_get_raw_issuer_dn(crt, &issuer) != 0)
		return false;
	is_same = issuer.size == info->issuer_dn.size &&
		  memcmp(issuer.data, info->issuer_dn.data, issuer.size) == 0;
	gnutls_free(issuer.data);
	return is_same && gnutls_fingerprint(alg, der, have, &have_n) == 0 &&
	       span_eq(span_of(have, have_n), digest);
}

/* The signer's certificate out of those that came along, and the name in it. */
static int check_signer(gnutls_pkcs7_t p7, const gnutls_pkcs7_signature_info_st *info,
			struct span digest)
{
	int r = ERR_SIGNATURE;

	for (int i = 0; r != ERR_OK; i++) {
		gnutls_datum_t der = {NULL, 0}, name = {NULL, 0};
		gnutls_x509_crt_t crt;

		if (gnutls_pkcs7_get_crt_raw2(p7, (unsigned)i, &der) != 0 ||
		    gnutls_x509_crt_init(&crt) != 0) {
			gnutls_free(der.data);
			return refuse(
				"the certificate named by signing-certificate-v2 is "
				"not the signer's, or did not come along",
				"chứng thư trong signing-certificate-v2 không phải "
				"của người ký, hoặc không kèm theo");
		}
		if (gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER) == 0 &&
		    is_meant(crt, &der, info, digest) &&
		    gnutls_x509_crt_get_dn3(crt, &name, 0) == 0) {
			(void)printf(T("CMS signature of %.*s is good\n",
				       "Chữ ký CMS của %.*s hợp lệ\n"),
				     (int)name.size, (const char *)name.data);
			gnutls_free(name.data);
			r = ERR_OK;
		}
		gnutls_x509_crt_deinit(crt);
		gnutls_free(der.data);
	}
	return r;
}

static int judge(gnutls_pkcs7_t p7, gnutls_x509_trust_list_t list, struct span content,
		 struct span digest)
{
	gnutls_datum_t data = {(unsigned char *)(uintptr_t)content.p,
			       (unsigned)content.n};
	gnutls_pkcs7_signature_info_st info;
	int r;

	if (gnutls_pkcs7_get_signature_count(p7) != 1)
		return refuse("not exactly one signer", "không đúng một người ký");
	r = gnutls_pkcs7_get_signature_info(p7, 0, &info);
	if (r != 0)
		return refuse(gnutls_strerror(r), gnutls_strerror(r));
	r = check_algorithm(&info);
	if (r == ERR_OK)
		r = check_attributes(&info);
	if (r == ERR_OK) {
		int code = gnutls_pkcs7_verify(p7, list, NULL, 0, 0, &data, 0);

		if (code != 0)
			r = refuse(gnutls_strerror(code), gnutls_strerror(code));
	}
	if (r == ERR_OK)
		r = check_signer(p7, &info, digest);
	gnutls_pkcs7_signature_info_deinit(&info);
	return r;
}

static int check_cms(const char *cms, const char *ca, const char *content)
{
	gnutls_x509_trust_list_t list = NULL;
	gnutls_pkcs7_t p7 = NULL;
	uint8_t *der = NULL, *text = NULL;
	size_t der_n = 0, text_n = 0;
	struct span digest;
	gnutls_datum_t d;
	int r = load(cms, CMS_BYTES, &der, &der_n);

	if (r == ERR_OK)
		r = load(content, CONFIG_CFG_MAX_BYTES, &text, &text_n);
	if (r == ERR_OK)
		r = check_shape(span_of(der, der_n), &digest);
	if (r != ERR_OK)
		goto out;
	r = ERR_NOENT;
	list = trust_of(ca);
	if (!list)
		goto out;
	d = (gnutls_datum_t){der, (unsigned)der_n};
	if (gnutls_pkcs7_init(&p7) != 0 ||
	    gnutls_pkcs7_import(p7, &d, GNUTLS_X509_FMT_DER) != 0)
		r = refuse("not a SignedData", "không phải SignedData");
	else
		r = judge(p7, list, span_of(text, text_n), digest);
out:
	if (p7)
		gnutls_pkcs7_deinit(p7);
	if (list)
		gnutls_x509_trust_list_deinit(list, 1);
	free(der);
	free(text);
	return r;
}

/*
 * sign cms CONFIG.json --cms FILE --ca CA.pem --out FILE --key KEY ...
 *
 * The other options are those of `sign config`, which does the rest.
 */
int command_cms(int argc, char **argv)
{
	const char *cms = NULL, *ca = NULL, *config = NULL;
	char **rest = (char **)calloc((size_t)argc + 1, sizeof(*rest));
	int n = 0, code = EXIT_USAGE;

	for (int i = 0; rest && i < argc; i++) {
		bool has_value = i + 1 < argc;

		if (strcmp(argv[i], "--cms") == 0 && has_value)
			cms = argv[++i];
		else if (strcmp(argv[i], "--ca") == 0 && has_value)
			ca = argv[++i];
		else
			rest[n++] = argv[i];
		if (i == 1)
			config = argv[i];
	}
	if (!rest || !cms || !ca || !config || config[0] == '-')
		complain("cms CONFIG.json --cms FILE --ca CA.pem --out FILE --key KEY");
	else if (check_cms(cms, ca, config) != ERR_OK)
		code = EXIT_REFUSED;
	else
		code = command_config(n, rest);
	free((void *)rest);
	return code;
}
