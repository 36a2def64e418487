/*
 * WebAuthn assertions as artifact signatures, without a JSON or CBOR parser.
 */
#ifndef LUYTRE_WEBAUTHN_H
#define LUYTRE_WEBAUTHN_H

#include "span.h"

int webauthn_check(const char *rp_id, const uint8_t challenge[32], struct span auth_data,
		   struct span client_data) MUST_CHECK;

#endif
