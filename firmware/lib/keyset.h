/*
 * Who may sign what: keys, and per role a threshold over distinct keys.
 * A keyset is itself an artifact; keyset N+1 must be signed by the root role
 * of N and by its own. Bytes: toolchain/FORMAT.manifest.md section 5.
 */
#ifndef LUYTRE_KEYSET_H
#define LUYTRE_KEYSET_H

#include "manifest.h"

struct keyset_role {
	unsigned threshold; /* 0: the role does not exist */
	uint64_t epoch;     /* raised when keys rotate after a compromise */
	unsigned count;
	uint8_t key[KEYSET_ROLE_KEYS_MAX]; /* places in keyset.keys */
};

struct keyset {
	uint64_t version;
	uint64_t issued_s, expires_s;
	uint8_t digest[SIG_SHA256_BYTES]; /* of its signed bytes */
	unsigned key_count;
	struct sig_key keys[KEYSET_KEYS_MAX];
	struct keyset_role roles[MAN_ROLE_COUNT];
};

int keyset_load(struct span file, const struct man_device *device, struct keyset *out,
		struct man_report *rep) MUST_CHECK;
int keyset_update(const struct keyset *cur, const struct man_device *device,
		  struct span file, struct keyset *next,
		  struct man_report *rep) MUST_CHECK;
int keyset_parse_body(const struct man *man, struct keyset *out,
		      struct man_report *rep) MUST_CHECK;
int keyset_check_role(const struct keyset *keys, enum man_role role,
		      const struct man *man, struct man_signers *out,
		      struct man_report *rep) MUST_CHECK;
const struct sig_key *keyset_find(const struct keyset *keys,
				  const uint8_t id[SIG_KEY_ID_BYTES]);
bool keyset_has_role_key(const struct keyset *keys, enum man_role role,
			 const uint8_t id[SIG_KEY_ID_BYTES]);

#endif
