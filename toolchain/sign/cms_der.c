/*
 * The shape of a CMS signature, before a library sees it: DER to the last byte,
 * and a SignedData with nothing missing, twice or on top (RFC 5652, RFC 5035).
 * GnuTLS reads BER as well and does not look at what it does not need.
 */
#include "sign.h"

#include <string.h>

#define DEPTH_MAX 24 /* the deepest certificate needs about 12 */
#define ATTRIBUTES_MAX 16

#define TAG_OCTETS 0x04
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30
#define TAG_SET 0x31
#define TAG_FIRST 0xa0 /* [0], constructed */
#define IS_CONSTRUCTED 0x20
#define LONG_TAG 0x1f

static const uint8_t oid_data[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const uint8_t oid_signed_data[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
					  0x0d, 0x01, 0x07, 0x02};
/* id-aa-signingCertificateV2, RFC 5035 3; version 1 knows SHA-1 only */
static const uint8_t oid_signing_cert[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
					   0x01, 0x09, 0x10, 0x02, 0x2f};

/* Take one value in DER. */
static int take(struct span *in, uint8_t *tag, struct span *body)
{
	uint8_t first;
	size_t len = 0;
	int r = span_get_u8(in, tag);

	if (r == ERR_OK)
		r = span_get_u8(in, &first);
	if (r != ERR_OK || (*tag & LONG_TAG) == LONG_TAG)
		return ERR_FORMAT;
	if (first < 0x80)
		return span_take(in, first, body);
	/* at most three bytes of length: the file is smaller than that */
	if (first == 0x80 || first > 0x83)
		return ERR_FORMAT;
	for (unsigned i = 0; i < (first & 0x7fU); i++) {
		uint8_t b;

		if (span_get_u8(in, &b) != ERR_OK || (i == 0 && b == 0))
			return ERR_FORMAT;
		len = len << 8 | b;
	}
	return len < 0x80 ? ERR_FORMAT : span_take(in, len, body);
}

static int take_tag(struct span *in, uint8_t want, struct span *body)
{
	uint8_t tag;
	int r = take(in, &tag, body);

	return r == ERR_OK && tag == want ? ERR_OK : ERR_FORMAT;
}

/* Whether everything inside is DER in its lengths. */
static bool is_der(struct span in)
{
	struct span open[DEPTH_MAX] = {in};
	size_t depth = 1;

	while (depth > 0) {
		struct span body;
		uint8_t tag;

		if (open[depth - 1].n == 0) {
			depth--;
			continue;
		}
		if (take(&open[depth - 1], &tag, &body) != ERR_OK)
			return false;
		if (!(tag & IS_CONSTRUCTED))
			continue;
		if (depth == DEPTH_MAX)
			return false;
		open[depth++] = body;
	}
	return true;
}

static bool is_oid(struct span body, const uint8_t *oid, size_t n)
{
	return span_eq(body, span_of(oid, n));
}

/* SigningCertificateV2: the digest of the first certificate, the signer's. */
static int signing_cert(struct span value, struct span *digest)
{
	struct span list, ids, id, skip;
	int r = take_tag(&value, TAG_SEQUENCE, &list);

	if (r == ERR_OK)
		r = take_tag(&list, TAG_SEQUENCE, &ids);
	if (r == ERR_OK)
		r = take_tag(&ids, TAG_SEQUENCE, &id);
	/* the algorithm stands there only when it is not SHA-256 */
	if (r == ERR_OK && id.n > 0 && id.p[0] == TAG_SEQUENCE)
		r = take_tag(&id, TAG_SEQUENCE, &skip);
	return r == ERR_OK ? take_tag(&id, TAG_OCTETS, digest) : r;
}

/* Every attribute has one value and no kind of attribute comes twice. */
static int attributes(struct span attrs, struct span *digest)
{
	struct span seen[ATTRIBUTES_MAX];
	size_t count = 0;

	while (attrs.n > 0) {
		struct span attr, oid, values, value, body;
		uint8_t tag;

		if (take_tag(&attrs, TAG_SEQUENCE, &attr) != ERR_OK ||
		    take_tag(&attr, TAG_OID, &oid) != ERR_OK ||
		    take_tag(&attr, TAG_SET, &values) != ERR_OK || attr.n > 0)
			return ERR_FORMAT;
		value = values;
		if (take(&values, &tag, &body) != ERR_OK || values.n > 0 ||
		    count == ATTRIBUTES_MAX)
			return ERR_FORMAT;
		for (size_t i = 0; i < count; i++) {
			if (span_eq(seen[i], oid))
				return ERR_FORMAT;
		}
		seen[count++] = oid;
		if (is_oid(oid, oid_signing_cert, sizeof(oid_signing_cert)) &&
		    signing_cert(value, digest) != ERR_OK)
			return ERR_FORMAT;
	}
	return ERR_OK;
}

/* Version, signer, digest algorithm, [0] attributes, algorithm, signature; behind
 * them only [1] unsigned attributes (time stamps). */
static int signer_info(struct span info, struct span *digest)
{
	struct span body, attrs;
	uint8_t tag;
	int r = take(&info, &tag, &body);

	if (r == ERR_OK)
		r = take(&info, &tag, &body);
	if (r == ERR_OK)
		r = take_tag(&info, TAG_SEQUENCE, &body);
	if (r == ERR_OK)
		r = take_tag(&info, TAG_FIRST, &attrs);
	if (r == ERR_OK)
		r = take_tag(&info, TAG_SEQUENCE, &body);
	if (r == ERR_OK)
		r = take_tag(&info, TAG_OCTETS, &body);
	if (r == ERR_OK && info.n > 0)
		r = take_tag(&info, TAG_FIRST + 1, &body);
	if (r != ERR_OK || info.n > 0)
		return ERR_FORMAT;
	return attributes(attrs, digest);
}

/* Version, digest algorithms, content type without content, [0] certificates, [1]
 * revocation lists, one signer. */
static int signed_data(struct span in, struct span *digest)
{
	struct span body, oid = {NULL, 0}, signers, info;
	uint8_t tag;
	int r = take(&in, &tag, &body);

	if (r == ERR_OK)
		r = take_tag(&in, TAG_SET, &body);
	if (r == ERR_OK)
		r = take_tag(&in, TAG_SEQUENCE, &body);
	if (r == ERR_OK)
		r = take_tag(&body, TAG_OID, &oid);
	if (r != ERR_OK || body.n > 0 || !is_oid(oid, oid_data, sizeof(oid_data)))
		return ERR_FORMAT;
	for (uint8_t want = TAG_FIRST; want <= TAG_FIRST + 1; want++) {
		if (in.n > 0 && in.p[0] == want && take_tag(&in, want, &body) != ERR_OK)
			return ERR_FORMAT;
	}
	if (take_tag(&in, TAG_SET, &signers) != ERR_OK || in.n > 0 ||
	    take_tag(&signers, TAG_SEQUENCE, &info) != ERR_OK || signers.n > 0)
		return ERR_FORMAT;
	return signer_info(info, digest);
}

/*
 * Check the shape of a detached CMS signature.
 *
 * @der     the whole file
 * @digest  gets what the attribute signing-certificate-v2 says is the digest of the
 *          signer's certificate; empty when there is no such attribute
 *
 * Returns ERR_OK, ERR_FORMAT when it is not DER, or ERR_SIGNATURE when it is not a
 * SignedData with one signer, each attribute once with one value, and no content.
 */
int cms_shape(struct span der, struct span *digest)
{
	struct span info, oid, wrapped, data;

	*digest = span_of(NULL, 0);
	if (!is_der(der))
		return ERR_FORMAT;
	if (take_tag(&der, TAG_SEQUENCE, &info) != ERR_OK || der.n > 0 ||
	    take_tag(&info, TAG_OID, &oid) != ERR_OK ||
	    !is_oid(oid, oid_signed_data, sizeof(oid_signed_data)) ||
	    take_tag(&info, TAG_FIRST, &wrapped) != ERR_OK || info.n > 0 ||
	    take_tag(&wrapped, TAG_SEQUENCE, &data) != ERR_OK || wrapped.n > 0)
		return ERR_SIGNATURE;
	return signed_data(data, digest) == ERR_OK ? ERR_OK : ERR_SIGNATURE;
}
