#include "keyset.h"

#include <string.h>

#include "b64.h"
#include "hex.h"

/* Where a body line stands, for the report. */
struct place {
	struct man_report *rep;
	unsigned line;
};

/*
 * Find a key by its id. Returns NULL when the keyset has no such key.
 */
const struct sig_key *keyset_find(const struct keyset *keys,
				  const uint8_t id[SIG_KEY_ID_BYTES])
{
	for (unsigned i = 0; i < keys->key_count; i++) {
		if (memcmp(keys->keys[i].id, id, SIG_KEY_ID_BYTES) == 0)
			return &keys->keys[i];
	}
	return NULL;
}

/*
 * Whether a role lists the key with this id.
 */
bool keyset_has_role_key(const struct keyset *keys, enum man_role role,
			 const uint8_t id[SIG_KEY_ID_BYTES])
{
	const struct keyset_role *ro = &keys->roles[role];

	for (unsigned i = 0; i < ro->count; i++) {
		if (memcmp(keys->keys[ro->key[i]].id, id, SIG_KEY_ID_BYTES) == 0)
			return true;
	}
	return false;
}

/* "key <alg> <base64 SPKI> [<rp id>]", after the word key */
static int parse_key(struct place at, struct span line, struct keyset *ks)
{
	uint8_t spki[SIG_SPKI_MAX];
	struct sig_key *key;
	struct span word;
	enum sig_alg alg;
	size_t n;

	if (ks->key_count == KEYSET_KEYS_MAX)
		return man_fail(at.rep, MAN_WHY_BODY_MANY, at.line, "key");
	if (span_take_word(&line, &word) != ERR_OK ||
	    sig_alg_parse(word, &alg) != ERR_OK ||
	    span_take_word(&line, &word) != ERR_OK ||
	    b64_decode(word, spki, sizeof(spki), &n) != ERR_OK)
		return man_fail(at.rep, MAN_WHY_BODY, at.line, "key");
	key = &ks->keys[ks->key_count];
	if (sig_key_set(key, alg, span_of(spki, n), line) != ERR_OK)
		return man_fail(at.rep, MAN_WHY_BODY_KEY, at.line, "key");
	if (keyset_find(ks, key->id))
		return man_fail(at.rep, MAN_WHY_BODY_TWICE, at.line, "key");
	ks->key_count++;
	return ERR_OK;
}

/* One key id of a role line. */
static int add_role_key(struct place at, struct span word, const struct keyset *ks,
			struct keyset_role *ro)
{
	uint8_t id[SIG_KEY_ID_BYTES];
	const struct sig_key *key;

	if (hex_decode(word, id, sizeof(id)) != ERR_OK)
		return man_fail(at.rep, MAN_WHY_BODY, at.line, "role");
	key = keyset_find(ks, id);
	if (!key)
		return man_fail(at.rep, MAN_WHY_BODY_ROLE, at.line, "role");
	for (unsigned i = 0; i < ro->count; i++) {
		if (&ks->keys[ro->key[i]] == key)
			return man_fail(at.rep, MAN_WHY_BODY_TWICE, at.line, "role");
	}
	if (ro->count == KEYSET_ROLE_KEYS_MAX)
		return man_fail(at.rep, MAN_WHY_BODY_MANY, at.line, "role");
	ro->key[ro->count] = (uint8_t)(key - ks->keys);
	ro->count++;
	return ERR_OK;
}

/* "role <name> <threshold> <epoch> <key id>...", after the word role */
static int parse_role(struct place at, struct span line, struct keyset *ks)
{
	struct keyset_role ro = {0};
	enum man_role role;
	struct span word;
	uint64_t threshold;

	if (span_take_word(&line, &word) != ERR_OK ||
	    man_role_parse(word, &role) != ERR_OK ||
	    span_take_word(&line, &word) != ERR_OK ||
	    span_to_u64(word, KEYSET_ROLE_KEYS_MAX, &threshold) != ERR_OK ||
	    span_take_word(&line, &word) != ERR_OK ||
	    span_to_u64(word, UINT64_MAX, &ro.epoch) != ERR_OK || line.n == 0)
		return man_fail(at.rep, MAN_WHY_BODY, at.line, "role");
	if (ks->roles[role].threshold != 0)
		return man_fail(at.rep, MAN_WHY_BODY_TWICE, at.line, "role");
	for (unsigned i = role; i < MAN_ROLE_COUNT; i++) {
		if (ks->roles[i].threshold != 0) /* roles stand in one order */
			return man_fail(at.rep, MAN_WHY_BODY, at.line, "role");
	}
	while (line.n > 0) {
		int r;

		if (span_take_word(&line, &word) != ERR_OK)
			return man_fail(at.rep, MAN_WHY_BODY, at.line, "role");
		r = add_role_key(at, word, ks, &ro);
		if (r != ERR_OK)
			return r;
	}
	if (ro.epoch == 0 || threshold == 0 || threshold > ro.count)
		return man_fail(at.rep, MAN_WHY_BODY_ROLE, at.line, "role");
	ro.threshold = (unsigned)threshold;
	ks->roles[role] = ro;
	return ERR_OK;
}

/*
 * Parse the body of a keyset: key lines, then role lines in the order of
 * enum man_role. Checks no signature.
 *
 * @man  a parsed manifest of type keyset
 * @out  undefined unless ERR_OK
 *
 * Returns ERR_OK, ERR_FORMAT, ERR_LIMIT or ERR_INTERNAL.
 * Source: toolchain/FORMAT.manifest.md section 5.
 */
int keyset_parse_body(const struct man *man, struct keyset *out, struct man_report *rep)
{
	struct place at = {.rep = rep, .line = man->body_line};
	struct span body = man->body;
	bool has_roles = false;
	struct span line, word;

	memset(out, 0, sizeof(*out));
	out->version = man->version;
	out->issued_s = man->issued_s;
	out->expires_s = man->expires_s;
	memcpy(out->digest, man->digest, sizeof(out->digest));
	for (; body.n > 0; at.line++) {
		int r;

		if (span_take_line(&body, &line) != ERR_OK ||
		    span_take_word(&line, &word) != ERR_OK)
			return man_fail(rep, MAN_WHY_BODY, at.line, "body");
		if (span_eq_str(word, "key") && !has_roles) {
			r = parse_key(at, line, out);
		} else if (span_eq_str(word, "role")) {
			has_roles = true;
			r = parse_role(at, line, out);
		} else {
			return man_fail(rep, MAN_WHY_BODY, at.line, "body");
		}
		if (r != ERR_OK)
			return r;
	}
	if (out->roles[MAN_ROLE_ROOT].threshold == 0)
		return man_fail(rep, MAN_WHY_BODY_ROLE, 0, "role root");
	return man_fail(rep, MAN_WHY_OK, 0, "");
}

static bool has_signed(const struct man_signers *s, const uint8_t id[SIG_KEY_ID_BYTES])
{
	for (unsigned i = 0; i < s->count; i++) {
		if (memcmp(s->id[i], id, SIG_KEY_ID_BYTES) == 0)
			return true;
	}
	return false;
}

/* Verify one signature line of a key of the role. */
static int check_sig(const struct sig_key *key, const struct man_sig *sig,
		     const struct man *man, struct man_report *rep)
{
	uint8_t buf[MAN_SIG_BUF_MAX];
	struct sig_blob blob;
	int r;

	if (sig->alg != key->alg)
		return man_fail(rep, MAN_WHY_SIG_KEY_ALG, sig->line, "sig");
	if (man_sig_decode(sig, buf, sizeof(buf), &blob) != ERR_OK)
		return man_fail(rep, MAN_WHY_INTERNAL, sig->line, "sig");
	r = sig_verify(key, man->signed_bytes, &blob);
	if (r == ERR_OK)
		return ERR_OK;
	return man_fail(rep, r == ERR_SIGNATURE ? MAN_WHY_SIG_BAD : MAN_WHY_INTERNAL,
			sig->line, "sig");
}

/*
 * Check that enough distinct keys of a role have signed. Lines of keys outside
 * the role are passed over (they count for nothing); a line of a key of the role
 * that does not verify refuses the whole file.
 *
 * @man  from man_parse()
 * @out  the keys that counted; set only on ERR_OK
 *
 * Returns ERR_OK, ERR_THRESHOLD, ERR_SIGNATURE or ERR_INTERNAL.
 */
int keyset_check_role(const struct keyset *keys, enum man_role role,
		      const struct man *man, struct man_signers *out,
		      struct man_report *rep)
{
	struct man_signers got = {0};

	if (keys->roles[role].threshold == 0)
		return man_fail(rep, MAN_WHY_NO_ROLE, 0, man_role_name(role));
	for (unsigned i = 0; i < man->sig_count; i++) {
		const struct man_sig *sig = &man->sigs[i];
		const struct sig_key *key = keyset_find(keys, sig->id);
		int r;

		if (!key || !keyset_has_role_key(keys, role, sig->id))
			continue;
		r = check_sig(key, sig, man, rep);
		if (r != ERR_OK)
			return r;
		if (!has_signed(&got, sig->id)) {
			memcpy(got.id[got.count], sig->id, SIG_KEY_ID_BYTES);
			got.count++;
		}
	}
	if (got.count < keys->roles[role].threshold)
		return man_fail(rep, MAN_WHY_THRESHOLD, 0, man_role_name(role));
	*out = got;
	return man_fail(rep, MAN_WHY_OK, 0, "");
}

/* Its own root role has signed it as well. */
static int check_self(const struct keyset *ks, const struct man *man,
		      struct man_report *rep)
{
	struct man_signers who;
	int r = keyset_check_role(ks, MAN_ROLE_ROOT, man, &who, rep);

	if (r == ERR_THRESHOLD)
		return man_fail(rep, MAN_WHY_KEYSET_SELF, 0, "root");
	return r;
}

static int check_scope(const struct man *man, const struct man_device *device,
		       struct man_report *rep)
{
	if (man->type != MAN_KEYSET)
		return man_fail(rep, MAN_WHY_TYPE, 2, "type");
	if (man->scope.kind != MAN_SCOPE_ALL && man->scope.kind != MAN_SCOPE_FLEET)
		return man_fail(rep, MAN_WHY_SCOPE_KIND, 3, "scope");
	if (!man_scope_is_for(&man->scope, device))
		return man_fail(rep, MAN_WHY_SCOPE_OTHER, 3, "scope");
	return ERR_OK;
}

/*
 * Load a keyset that is trusted already (part of the verified image, or replayed
 * from the store): format, type, scope, body and its own root threshold.
 *
 * @file  the whole artifact
 * @out   zeroed unless ERR_OK; about 24 kB, so not for the stack
 *
 * Returns ERR_OK or the error of the first check that failed; @rep says which.
 * Expiry is not checked: an expired keyset is an alarm, not a reason to stop.
 */
int keyset_load(struct span file, const struct man_device *device, struct keyset *out,
		struct man_report *rep)
{
	struct man man;
	int r = man_parse(file, &man, rep);

	if (r == ERR_OK)
		r = check_scope(&man, device, rep);
	if (r == ERR_OK && man.has_attached)
		r = man_fail(rep, MAN_WHY_TRAILING, 0, "");
	if (r == ERR_OK)
		r = keyset_parse_body(&man, out, rep);
	if (r == ERR_OK)
		r = check_self(out, &man, rep);
	if (r != ERR_OK)
		memset(out, 0, sizeof(*out));
	return r;
}

/* Version exactly one up; the same file again is no error of the sender. */
static int check_step(const struct keyset *cur, const struct man *man,
		      struct man_report *rep)
{
	if (man->keyset > cur->version)
		return man_fail(rep, MAN_WHY_KEYSET_NEWER, 0, "keyset");
	if (man->version == cur->version &&
	    memcmp(man->digest, cur->digest, sizeof(cur->digest)) == 0)
		return man_fail(rep, MAN_WHY_ALREADY, 0, "version");
	if (cur->version == UINT64_MAX || man->version != cur->version + 1)
		return man_fail(rep, MAN_WHY_KEYSET_STEP, 0, "version");
	return ERR_OK;
}

/* A role's epoch never goes down, or old floors would count again. */
static int check_epochs(const struct keyset *cur, const struct keyset *next,
			struct man_report *rep)
{
	for (unsigned i = 0; i < MAN_ROLE_COUNT; i++) {
		if (next->roles[i].threshold != 0 &&
		    next->roles[i].epoch < cur->roles[i].epoch)
			return man_fail(rep, MAN_WHY_KEYSET_EPOCH, 0,
					man_role_name((enum man_role)i));
	}
	return ERR_OK;
}

/*
 * Judge the next keyset by the one in force. Checks in this order: format,
 * root threshold of @cur, type, scope, keyset, version (exactly one up; expiry
 * is ignored so that a device that was on a shelf can replay the chain), body,
 * root threshold of the new keyset, epochs.
 *
 * @cur   in force; not changed
 * @next  zeroed unless ERR_OK; must not be @cur; about 24 kB
 *
 * Returns ERR_OK, ERR_ALREADY for the keyset in force, or the error of the first
 * check that failed; @rep says which.
 */
int keyset_update(const struct keyset *cur, const struct man_device *device,
		  struct span file, struct keyset *next, struct man_report *rep)
{
	struct man man;
	int r = man_parse(file, &man, rep);

	if (r == ERR_OK)
		r = keyset_check_role(cur, MAN_ROLE_ROOT, &man, &man.signers, rep);
	if (r == ERR_OK)
		r = check_scope(&man, device, rep);
	if (r == ERR_OK)
		r = check_step(cur, &man, rep);
	if (r == ERR_OK)
		r = keyset_parse_body(&man, next, rep);
	if (r == ERR_OK)
		r = check_self(next, &man, rep);
	if (r == ERR_OK)
		r = check_epochs(cur, next, rep);
	if (r != ERR_OK)
		memset(next, 0, sizeof(*next));
	return r;
}
