/*
 * DESIGN: trust begins with keyset 1 in the (signed) image and follows the
 * chain to the newest keyset, through the store or through the image, each one
 * checked again at every start. What only the image has is added to the store,
 * so that the chain is still whole when an older image runs again. Anything
 * that is not right leaves is_open false: what the kernel enforces stays,
 * nothing new is accepted.
 *
 * A stored configuration is judged by the keyset under which it was accepted:
 * revoking a signer refuses new orders and leaves the policy in force.
 *
 * The clock of the device is not verified here: only root-signed keysets raise
 * the floor that expiry is judged against (a stolen configuration key must not
 * be able to make everything else look expired).
 */
#include "trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

static int because(struct trust *t, int err, const char *what, const char *detail)
{
	(void)snprintf(t->why, sizeof(t->why), "%s: %s", what, detail);
	return err;
}

/* The serial number of the device; without one no artifact fits it. */
static int read_serial(struct trust *t)
{
	uint8_t *text = NULL;
	struct span line, rest;
	size_t n = 0;
	int r = file_load(TRUST_SERIAL_FILE, MAN_NAME_MAX + 1, &text, &n);

	if (r != ERR_OK)
		return because(t, r, "serial number of the device", err_text(r));
	rest = span_of(text, n);
	r = span_take_line(&rest, &line);
	if (r == ERR_OK && (line.n == 0 || line.n > MAN_NAME_MAX || rest.n != 0))
		r = ERR_FORMAT;
	if (r == ERR_OK) {
		memcpy(t->serial, line.p, line.n);
		t->serial[line.n] = '\0';
	}
	free(text);
	t->device = (struct man_device){.serial = t->serial, .board = CONFIG_BOARD_NAME};
	return r == ERR_OK ? r
			   : because(t, r, "serial number of the device", "malformed");
}

static int read_first(struct trust *t, struct keyset *out)
{
	struct man_report rep = {.why = MAN_WHY_INTERNAL, .field = ""};
	uint8_t *text = NULL;
	size_t n = 0;
	int r = file_load(TRUST_KEYSET_FILE, MAN_TEXT_MAX, &text, &n);

	if (r != ERR_OK)
		return because(t, r, "keyset of the image", err_text(r));
	r = keyset_load(span_of(text, n), &t->device, out, &rep);
	free(text);
	return r == ERR_OK ? r
			   : because(t, r, "keyset of the image", man_why_text(rep.why));
}

/* The bytes of one keyset, from the store or from the image.
 * Returns ERR_OK, ERR_NOENT when there is none, or an error. */
static int read_next(struct trust *t, uint64_t version, uint8_t **text, size_t *n,
		     bool *is_stored)
{
	const struct store_index *x = &t->store.index;
	char path[sizeof(TRUST_KEYSET_FILE) + 24];
	int r;

	for (unsigned i = 0; i < x->keyset_count; i++) {
		if (x->keysets[i].version != version)
			continue;
		*is_stored = true;
		*n = x->keysets[i].ref.n;
		r = store_load(&t->store, &x->keysets[i].ref, MAN_TEXT_MAX, text);
		return r == ERR_OK ? r
				   : because(t, ERR_SYS, "stored keyset", t->store.why);
	}
	*is_stored = false;
	(void)snprintf(path, sizeof(path), TRUST_KEYSET_FILE "-%llu",
		       (unsigned long long)version);
	r = file_load(path, MAN_TEXT_MAX, text, n);
	return r == ERR_OK || r == ERR_NOENT ? r : because(t, r, path, err_text(r));
}

/* Add a keyset to the chain of an index. */
static int add_to_chain(struct trust *t, struct store_index *index,
			const struct keyset *keys, struct span file)
{
	struct store_keyset *k = &index->keysets[index->keyset_count];
	int r;

	if (index->keyset_count == KEYSET_CHAIN_MAX)
		return because(t, ERR_LIMIT, "keyset", "the chain is full");
	k->version = keys->version;
	r = store_add(&t->store, file, &k->ref);
	if (r != ERR_OK)
		return because(t, r, "not stored", t->store.why);
	index->keyset_count++;
	if (keys->issued_s > index->clock_s)
		index->clock_s = keys->issued_s;
	return ERR_OK;
}

/*
 * Follow the chain from keyset 1.
 *
 * @up_to  last version wanted, 0 for the newest there is
 * @keys   gets it
 * @index  NULL, or gets what only the image has
 */
static int follow(struct trust *t, uint64_t up_to, struct keyset *keys,
		  struct store_index *index)
{
	struct keyset *next = calloc(1, sizeof(*next));
	int r = next ? read_first(t, keys) : because(t, ERR_NOMEM, "keysets", "memory");

	while (r == ERR_OK && (up_to == 0 || keys->version < up_to)) {
		struct man_report rep = {.why = MAN_WHY_INTERNAL, .field = ""};
		uint8_t *text = NULL;
		bool is_stored = false;
		size_t n = 0;

		r = read_next(t, keys->version + 1, &text, &n, &is_stored);
		if (r != ERR_OK)
			break;
		r = keyset_update(keys, &t->device, span_of(text, n), next, &rep);
		if (r != ERR_OK)
			(void)because(t, r, "keyset", man_why_text(rep.why));
		else
			*keys = *next;
		if (r == ERR_OK && index && !is_stored)
			r = add_to_chain(t, index, keys, span_of(text, n));
		free(text);
	}
	free(next);
	if (r == ERR_NOENT)
		r = up_to == 0 ? ERR_OK
			       : because(t, ERR_KEYSET, "keyset", "missing in the chain");
	return r;
}

/* Find the newest keyset; keep in the store what only the image has. */
static int follow_chain(struct trust *t)
{
	struct store_index *index = malloc(sizeof(*index));
	const struct store_index *x = &t->store.index;
	int r;

	if (!index)
		return because(t, ERR_NOMEM, "keysets", "out of memory");
	*index = *x;
	r = follow(t, 0, &t->keys, index);
	if (r == ERR_OK && index->keyset_count != x->keyset_count &&
	    store_commit(&t->store, index) != ERR_OK)
		r = because(t, ERR_SYS, "not stored", t->store.why);
	free(index);
	if (r == ERR_OK && x->keyset_count > 0 &&
	    x->keysets[x->keyset_count - 1].version > t->keys.version)
		r = because(t, ERR_KEYSET, "keyset",
			    "the stored chain does not begin where the image's ends");
	return r;
}

/*
 * Read serial number, keysets and store.
 *
 * Returns ERR_OK with t->is_open, or an error with t->why: then trust_verify()
 * refuses everything. trust_close() is legal either way.
 */
int trust_open(struct trust *t)
{
	int r;

	memset(t, 0, sizeof(*t));
	t->folder.fd = -1;
	r = read_serial(t);
	if (r == ERR_OK) {
		r = store_folder_open(&t->folder, TRUST_STORE_DIR);
		if (r != ERR_OK)
			r = because(t, r, TRUST_STORE_DIR,
				    r == ERR_SYS ? strerror(errno) : err_text(r));
	}
	if (r == ERR_OK) {
		r = store_open(&t->store, &store_folder_io, &t->folder);
		if (r != ERR_OK)
			r = because(t, r, TRUST_STORE_DIR, t->store.why);
	}
	if (r == ERR_OK)
		r = follow_chain(t);
	t->is_open = r == ERR_OK;
	return r;
}

/*
 * Close the store.
 */
void trust_close(struct trust *t)
{
	store_folder_close(&t->folder);
	t->is_open = false;
}

static int get_floor(void *arg, enum man_type type, const struct man_scope *scope,
		     struct man_floor *out)
{
	return store_floor_get(arg, type, scope, out);
}

static struct man_ctx context(const struct trust *t, enum man_type type)
{
	const struct store_index *x = &t->store.index;

	return (struct man_ctx){
		.keys = &t->keys,
		.type = type,
		.scopes = MAN_ALLOW(MAN_SCOPE_DEVICE),
		.device = &t->device,
		.payload = MAN_PAYLOAD_ATTACHED,
		.clock = {.now_s = x->clock_s > t->keys.issued_s ? x->clock_s
								 : t->keys.issued_s},
		.floor = get_floor,
		.floor_arg = (void *)(uintptr_t)x,
	};
}

/*
 * Check an artifact that comes from outside, completely: format, signatures,
 * purpose, device, age, floor, payload.
 *
 * @type       what the caller expects, never what the file says
 * @is_person  it came from a person at the device: an unverified clock does not
 *             refuse what cannot be judged
 * @out        borrows from @file
 *
 * Returns ERR_OK, or the error of the reason in @rep.
 */
int trust_verify_new(const struct trust *t, enum man_type type, bool is_person,
		     struct span file, struct man *out, struct man_report *rep)
{
	struct man_ctx ctx = context(t, type);

	ctx.mode = MAN_NEW;
	ctx.clock.is_unverified_allowed = is_person;
	if (!t->is_open)
		return man_fail(rep, MAN_WHY_INTERNAL, 0, "keyset");
	return man_verify(&ctx, file, out, rep);
}

/*
 * Check again what was accepted before and is read back from the store.
 *
 * @keyset  version of the keyset under which it was accepted
 */
int trust_verify_stored(struct trust *t, enum man_type type, uint64_t keyset,
			struct span file, struct man *out, struct man_report *rep)
{
	struct man_ctx ctx = context(t, type);
	struct keyset *then = NULL;
	int r = ERR_OK;

	if (!t->is_open || keyset > t->keys.version)
		return man_fail(rep, MAN_WHY_INTERNAL, 0, "keyset");
	ctx.mode = MAN_STORED;
	if (keyset != t->keys.version) {
		then = malloc(sizeof(*then));
		r = then ? follow(t, keyset, then, NULL) : ERR_NOMEM;
		ctx.keys = then;
	}
	if (r == ERR_OK)
		r = man_verify(&ctx, file, out, rep);
	else
		r = man_fail(rep, MAN_WHY_INTERNAL, 0, "keyset");
	free(then);
	return r;
}

/*
 * Take the next keyset: checked against the present one, stored, in force.
 *
 * @version  on ERR_OK its version
 *
 * Returns ERR_OK, ERR_ALREADY (it is the present one), or an error with @rep
 * (MAN_WHY_OK when it could not be stored: t->why).
 */
int trust_take_keyset(struct trust *t, struct span file, struct man_report *rep,
		      uint64_t *version)
{
	struct store_index *index = malloc(sizeof(*index));
	struct keyset *next = calloc(1, sizeof(*next));
	int r;

	*rep = (struct man_report){.why = MAN_WHY_OK, .field = ""};
	if (!index || !next) {
		r = because(t, ERR_NOMEM, "keyset", "out of memory");
		goto out;
	}
	if (!t->is_open)
		r = man_fail(rep, MAN_WHY_INTERNAL, 0, "keyset");
	else
		r = keyset_update(&t->keys, &t->device, file, next, rep);
	if (r != ERR_OK)
		goto out;
	*index = t->store.index;
	r = add_to_chain(t, index, next, file);
	if (r == ERR_OK && store_commit(&t->store, index) != ERR_OK)
		r = because(t, ERR_SYS, "not stored", t->store.why);
	if (r != ERR_OK)
		goto out;
	t->keys = *next;
	*version = next->version;
out:
	free(index);
	free(next);
	return r;
}

/*
 * A refusal as key=value words in one line.
 */
void trust_explain(const struct man_report *rep, char *text, size_t max)
{
	char line[24] = "";

	if (rep->line)
		(void)snprintf(line, sizeof(line), " line=%u", rep->line);
	(void)snprintf(text, max, "path=manifest%s%s%s why=%s reason=\"%s\" fix=\"%s\"",
		       rep->field[0] ? "." : "", rep->field, line, man_why_name(rep->why),
		       man_why_text(rep->why), man_why_fix(rep->why));
}
