#include "webauthn.h"

#include <string.h>

#include "b64.h"
#include "bounds.h"
#include "sig.h"

/* authenticatorData: rpIdHash, flags, signature counter */
#define AUTH_BYTES 37
#define AUTH_FLAGS 32
#define FLAG_UP 0x01 /* user present */
#define FLAG_UV 0x04 /* user verified: PIN or fingerprint */
#define FLAG_AT 0x40 /* attested credential data: never in an assertion */
#define FLAG_ED 0x80 /* extension data follow */

static int skip_text(struct span *in, const char *text)
{
	struct span want = span_str(text);
	struct span got;

	if (span_take(in, want.n, &got) != ERR_OK || !span_eq(got, want))
		return ERR_FORMAT;
	return ERR_OK;
}

static bool is_host_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/* The host of the origin, and a port if there is one; stops at the quote. */
static int take_origin_host(struct span *in, struct span *host)
{
	size_t n = 0;
	size_t digits = 0;

	while (n < in->n && is_host_char(in->p[n]))
		n++;
	if (span_take(in, n, host) != ERR_OK)
		return ERR_FORMAT;
	if (in->n == 0 || in->p[0] != ':')
		return ERR_OK;
	while (digits + 1 < in->n && in->p[digits + 1] >= '0' && in->p[digits + 1] <= '9')
		digits++;
	if (digits < 1 || digits > 5)
		return ERR_FORMAT;
	return span_take(in, digits + 1, &(struct span){0});
}

/* The host is the relying party's name or a name below it. */
static bool is_host_of(struct span host, struct span rp_id)
{
	struct span tail;

	if (span_eq(host, rp_id))
		return true;
	if (host.n < rp_id.n + 2)
		return false;
	tail = span_of(host.p + (host.n - rp_id.n), rp_id.n);
	return span_eq(tail, rp_id) && host.p[host.n - rp_id.n - 1] == '.';
}

/*
 * The specification's limited verification algorithm (Web Authentication
 * level 2, 5.8.1.2): browsers write these members in this order, byte for
 * byte, so a comparison does instead of a parser.
 */
static int check_client_data(struct span in, struct span rp_id,
			     const uint8_t challenge[32])
{
	char text[B64_TEXT(32) + 1];
	struct span host;

	(void)b64url_encode(span_of(challenge, 32), text); /* length is known */
	if (skip_text(&in, "{\"type\":\"webauthn.get\",\"challenge\":\"") != ERR_OK ||
	    skip_text(&in, text) != ERR_OK ||
	    skip_text(&in, "\",\"origin\":\"https://") != ERR_OK)
		return ERR_SIGNATURE;
	if (take_origin_host(&in, &host) != ERR_OK || !is_host_of(host, rp_id))
		return ERR_SIGNATURE;
	if (skip_text(&in, "\",\"crossOrigin\":false") != ERR_OK)
		return ERR_SIGNATURE;
	if (in.n == 0 || in.p[in.n - 1] != '}' || (in.p[0] != ',' && in.n != 1))
		return ERR_SIGNATURE;
	return ERR_OK;
}

/*
 * Check what a WebAuthn authenticator and browser say about a signature: that
 * it was made for @rp_id, by a present and verified person, over @challenge.
 *
 * @rp_id        relying party id from the keyset, a DNS name in lower case
 * @challenge    SHA-256 of the bytes that had to be signed
 * @auth_data    authenticatorData as the authenticator signed it
 * @client_data  clientDataJSON as the browser made it
 *
 * Returns ERR_OK, ERR_SIGNATURE, or ERR_INTERNAL when hashing fails. Does not
 * verify the signature: sig_verify() does, over
 * auth_data || SHA-256(client_data). The signature counter is ignored: passkeys
 * report 0.
 */
int webauthn_check(const char *rp_id, const uint8_t challenge[32], struct span auth_data,
		   struct span client_data)
{
	uint8_t rp_hash[SIG_SHA256_BYTES];
	uint8_t flags;

	if (auth_data.n < AUTH_BYTES || auth_data.n > SIG_AUTH_DATA_MAX ||
	    client_data.n > SIG_CLIENT_DATA_MAX)
		return ERR_SIGNATURE;
	if (sig_sha256(span_str(rp_id), rp_hash) != ERR_OK)
		return ERR_INTERNAL;
	if (memcmp(auth_data.p, rp_hash, sizeof(rp_hash)) != 0)
		return ERR_SIGNATURE;
	flags = auth_data.p[AUTH_FLAGS];
	if (!(flags & FLAG_UP) || !(flags & FLAG_UV) || (flags & FLAG_AT))
		return ERR_SIGNATURE;
	if (!(flags & FLAG_ED) != (auth_data.n == AUTH_BYTES))
		return ERR_SIGNATURE;
	return check_client_data(client_data, span_str(rp_id), challenge);
}
