#include "manifest.h"

#include <string.h>

#include "hex.h"
#include "keyset.h"

static const struct {
	int err;
	const char *name, *what, *fix;
} whys[MAN_WHY_COUNT] = {
#define X(name, err, what, fix) [MAN_WHY_##name] = {ERR_##err, #name, (what), (fix)},
	MAN_WHY_TABLE(X)
#undef X
};

/* One line of a chunk table: u32 length, big endian, then SHA-256. */
#define CHUNK_ENTRY (4 + SIG_SHA256_BYTES)

/*
 * Error code of a reason; each reason has exactly one.
 */
int man_why_err(enum man_why why)
{
	return why < MAN_WHY_COUNT ? whys[why].err : ERR_INTERNAL;
}

/*
 * Name of a reason, upper case; stable, for logs and tests.
 */
const char *man_why_name(enum man_why why)
{
	return why < MAN_WHY_COUNT ? whys[why].name : "?";
}

/*
 * English text of a reason.
 */
const char *man_why_text(enum man_why why)
{
	return why < MAN_WHY_COUNT ? whys[why].what : "?";
}

/*
 * What a person can do about it, English; empty for MAN_WHY_OK.
 */
const char *man_why_fix(enum man_why why)
{
	return why < MAN_WHY_COUNT ? whys[why].fix : "";
}

/*
 * Fill a report. @field must be static text.
 *
 * Returns the reason's error code, so that checks can end with
 * `return man_fail(...)`.
 */
int man_fail(struct man_report *rep, enum man_why why, unsigned line, const char *field)
{
	*rep = (struct man_report){.why = why, .line = line, .field = field};
	return man_why_err(why);
}

static int check_scope(const struct man_ctx *ctx, const struct man *man,
		       struct man_report *rep)
{
	if (!(ctx->scopes & MAN_ALLOW(man->scope.kind)))
		return man_fail(rep, MAN_WHY_SCOPE_KIND, 3, "scope");
	if (!man_scope_is_for(&man->scope, ctx->device))
		return man_fail(rep, MAN_WHY_SCOPE_OTHER, 3, "scope");
	return ERR_OK;
}

static int check_expiry(const struct man_ctx *ctx, const struct man *man,
			struct man_report *rep)
{
	if (ctx->clock.now_s >= man->expires_s)
		return man_fail(rep, MAN_WHY_EXPIRED, 0, "expires");
	if (!ctx->clock.is_verified && !ctx->clock.is_unverified_allowed)
		return man_fail(rep, MAN_WHY_TIME, 0, "expires");
	return ERR_OK;
}

static int check_version(const struct man_ctx *ctx, const struct man *man,
			 struct man_report *rep)
{
	struct man_floor floor = {0};
	uint64_t epoch = ctx->keys->roles[man_role_of(man->type)].epoch;
	int r;

	if (!ctx->floor)
		return man_fail(rep, MAN_WHY_INTERNAL, 0, "floor");
	r = ctx->floor(ctx->floor_arg, man_floor_type(man->type), &man->scope, &floor);
	if (r == ERR_NOENT)
		return ERR_OK; /* versions begin at 1, so any is above none */
	if (r != ERR_OK)
		return man_fail(rep, MAN_WHY_INTERNAL, 0, "floor");
	if (floor.epoch > epoch)
		return man_fail(rep, MAN_WHY_EPOCH, 0, "version");
	/* the first one after a reset of the floor: no old one comes back by it */
	if (floor.epoch < epoch && man->keyset < ctx->keys->version)
		return man_fail(rep, MAN_WHY_KEYSET_OLDER, 0, "keyset");
	if (floor.epoch < epoch || man->version > floor.version)
		return ERR_OK;
	if (man->version == floor.version &&
	    memcmp(man->digest, floor.digest, sizeof(floor.digest)) == 0)
		return man_fail(rep, MAN_WHY_ALREADY, 0, "version");
	return man_fail(rep, MAN_WHY_VERSION, 0, "version");
}

static int check_head(const struct man_ctx *ctx, const struct man *man,
		      struct man_report *rep)
{
	const struct man_head *head = ctx->head;

	if (!head) {
		if (ctx->is_head_required)
			return man_fail(rep, MAN_WHY_HEAD_NONE, 0, "");
		return ERR_OK;
	}
	if (ctx->clock.now_s >= head->expires_s)
		return man_fail(rep, MAN_WHY_HEAD_OLD, 0, "");
	for (unsigned i = 0; i < head->count; i++) {
		const struct man_object *o = &head->objects[i];

		if (o->type == man->type && o->scope_kind == man->scope.kind &&
		    span_eq_str(man->scope.name, o->scope_name) &&
		    o->version == man->version &&
		    memcmp(o->digest, man->digest, sizeof(o->digest)) == 0)
			return ERR_OK;
	}
	return man_fail(rep, MAN_WHY_HEAD, 0, "version");
}

/* Checks that only something new must pass. */
static int check_fresh(const struct man_ctx *ctx, const struct man *man,
		       struct man_report *rep)
{
	int r = check_expiry(ctx, man, rep);

	if (r == ERR_OK)
		r = check_version(ctx, man, rep);
	if (r == ERR_OK && man->base != 0 && man->base != ctx->active_version)
		r = man_fail(rep, MAN_WHY_BASE, 0, "base");
	if (r == ERR_OK)
		r = check_head(ctx, man, rep);
	return r;
}

static int check_attached(const struct man_ctx *ctx, const struct man *man,
			  struct man_report *rep)
{
	int r;

	if (!man->has_payload)
		return ERR_OK;
	if (!man->has_attached) {
		if (ctx->payload == MAN_PAYLOAD_SEPARATE)
			return ERR_OK;
		return man_fail(rep, MAN_WHY_PAYLOAD_MISSING, 0, "payload");
	}
	r = man_check_payload(man, man->payload);
	if (r == ERR_CHUNK)
		return man_fail(rep, MAN_WHY_PAYLOAD, 0, "payload");
	return r == ERR_OK ? ERR_OK : man_fail(rep, MAN_WHY_INTERNAL, 0, "payload");
}

/*
 * Judge an artifact. The order of the checks is fixed: format, threshold of
 * the role that belongs to @ctx->type, type, scope, keyset, expiry, version
 * against the floor, base, head, payload. Nothing of the body is read before
 * the signatures are good. Keysets are refused here: keyset_update() is theirs.
 *
 * @ctx   what the consumer expects; the file cannot choose its own judge
 * @file  the whole artifact; borrowed
 * @out   undefined unless ERR_OK; its spans borrow from @file
 * @rep   which check refused, with line and field
 *
 * Returns ERR_OK, or the one error code of the reason in @rep->why. ERR_ALREADY
 * means that this very artifact set the floor: no error of the sender, and
 * after a power cut the caller may apply it again.
 * Source: toolchain/FORMAT.manifest.md section 6.
 */
int man_verify(const struct man_ctx *ctx, struct span file, struct man *out,
	       struct man_report *rep)
{
	int r = man_parse(file, out, rep);

	if (r != ERR_OK)
		return r;
	if (ctx->type >= MAN_TYPE_COUNT || ctx->type == MAN_KEYSET)
		return man_fail(rep, MAN_WHY_INTERNAL, 0, "type");
	r = keyset_check_role(ctx->keys, man_role_of(ctx->type), out, &out->signers, rep);
	if (r != ERR_OK)
		return r;
	if (out->type != ctx->type)
		return man_fail(rep, MAN_WHY_TYPE, 2, "type");
	r = check_scope(ctx, out, rep);
	if (r != ERR_OK)
		return r;
	if (out->keyset > ctx->keys->version)
		return man_fail(rep, MAN_WHY_KEYSET_NEWER, 0, "keyset");
	if (ctx->mode != MAN_STORED) {
		r = check_fresh(ctx, out, rep);
		if (r != ERR_OK)
			return r;
	}
	r = check_attached(ctx, out, rep);
	if (r != ERR_OK)
		return r;
	return man_fail(rep, MAN_WHY_OK, 0, "");
}

/*
 * The floor that an accepted artifact sets; store it together with the artifact
 * under (man_floor_type(man->type), man->scope).
 */
void man_floor_of(const struct keyset *keys, const struct man *man, struct man_floor *out)
{
	out->epoch = keys->roles[man_role_of(man->type)].epoch;
	out->version = man->version;
	memcpy(out->digest, man->digest, sizeof(out->digest));
}

/*
 * Compare a payload with the length and hash of its manifest.
 *
 * Returns ERR_OK, ERR_CHUNK, or ERR_INTERNAL when hashing fails.
 */
int man_check_payload(const struct man *man, struct span payload)
{
	uint8_t digest[SIG_SHA256_BYTES];

	if (!man->has_payload || payload.n != man->payload_n)
		return ERR_CHUNK;
	if (sig_sha256(payload, digest) != ERR_OK)
		return ERR_INTERNAL;
	return memcmp(digest, man->payload_sha256, sizeof(digest)) == 0 ? ERR_OK
									: ERR_CHUNK;
}

/*
 * Check a chunk table against its manifest: its hash, and that the chunk
 * lengths are in bounds and add up to the payload.
 *
 * Returns ERR_OK, ERR_CHUNK, or ERR_INTERNAL when hashing fails.
 */
int man_check_chunk_table(const struct man *man, struct span table)
{
	uint8_t digest[SIG_SHA256_BYTES];
	uint64_t left = man->payload_n;

	if (man->chunk_max == 0 || table.n % CHUNK_ENTRY != 0 ||
	    table.n / CHUNK_ENTRY > man->payload_n)
		return ERR_CHUNK;
	if (sig_sha256(table, digest) != ERR_OK)
		return ERR_INTERNAL;
	if (memcmp(digest, man->chunks_sha256, sizeof(digest)) != 0)
		return ERR_CHUNK;
	while (table.n > 0) {
		struct span skip;
		uint32_t n;

		if (span_get_be32(&table, &n) != ERR_OK || n == 0 || n > man->chunk_max ||
		    n > left || span_take(&table, SIG_SHA256_BYTES, &skip) != ERR_OK)
			return ERR_CHUNK;
		left -= n;
	}
	return left == 0 ? ERR_OK : ERR_CHUNK;
}

/*
 * Check one chunk against a table that man_check_chunk_table() has accepted.
 *
 * @index  place of the chunk, from 0
 *
 * Returns ERR_OK, ERR_CHUNK, or ERR_INTERNAL when hashing fails.
 */
int man_check_chunk(struct span table, size_t index, struct span chunk)
{
	uint8_t digest[SIG_SHA256_BYTES];
	struct span entry;
	uint32_t n;

	if (index >= table.n / CHUNK_ENTRY ||
	    span_take(&table, index * CHUNK_ENTRY, &entry) != ERR_OK ||
	    span_get_be32(&table, &n) != ERR_OK || n != chunk.n)
		return ERR_CHUNK;
	if (sig_sha256(chunk, digest) != ERR_OK)
		return ERR_INTERNAL;
	return memcmp(table.p, digest, sizeof(digest)) == 0 ? ERR_OK : ERR_CHUNK;
}

/* "object <type> <scope> <version> <sha256>" */
static int parse_object(struct span line, struct man_object *o)
{
	struct man_scope scope;
	struct span word;

	if (span_take_word(&line, &word) != ERR_OK || !span_eq_str(word, "object") ||
	    span_take_word(&line, &word) != ERR_OK ||
	    man_type_parse(word, &o->type) != ERR_OK ||
	    span_take_word(&line, &word) != ERR_OK ||
	    man_scope_parse(word, &scope) != ERR_OK ||
	    span_take_word(&line, &word) != ERR_OK ||
	    span_to_u64(word, UINT64_MAX, &o->version) != ERR_OK || o->version == 0 ||
	    hex_decode(line, o->digest, sizeof(o->digest)) != ERR_OK)
		return ERR_FORMAT;
	o->scope_kind = scope.kind;
	if (scope.name.n > 0)
		memcpy(o->scope_name, scope.name.p, scope.name.n);
	o->scope_name[scope.name.n] = '\0';
	return ERR_OK;
}

/* One newest object a type and scope; deltas may lead to several versions. */
static bool is_twice(const struct man_head *head, const struct man_object *o)
{
	for (unsigned i = 0; i < head->count; i++) {
		const struct man_object *e = &head->objects[i];

		if (e->type != o->type || e->scope_kind != o->scope_kind ||
		    strcmp(e->scope_name, o->scope_name) != 0)
			continue;
		if (o->type != MAN_BLOCKLIST_DELTA ||
		    memcmp(e->digest, o->digest, sizeof(o->digest)) == 0)
			return true;
	}
	return false;
}

/*
 * Parse the body of a head that man_verify() has accepted.
 *
 * @out  undefined unless ERR_OK; owns its bytes; about 9 kB
 *
 * Returns ERR_OK, ERR_TYPE, ERR_FORMAT or ERR_LIMIT; @rep says where.
 */
int man_head_parse(const struct man *man, struct man_head *out, struct man_report *rep)
{
	struct span body = man->body;
	unsigned line_nr = man->body_line;
	struct span line;

	if (man->type != MAN_HEAD)
		return man_fail(rep, MAN_WHY_TYPE, 2, "type");
	memset(out, 0, sizeof(*out));
	for (; body.n > 0; line_nr++) {
		struct man_object *o = &out->objects[out->count];

		if (out->count == MAN_HEAD_OBJECTS_MAX)
			return man_fail(rep, MAN_WHY_BODY_MANY, line_nr, "object");
		if (span_take_line(&body, &line) != ERR_OK ||
		    parse_object(line, o) != ERR_OK)
			return man_fail(rep, MAN_WHY_BODY, line_nr, "object");
		if (is_twice(out, o))
			return man_fail(rep, MAN_WHY_BODY_TWICE, line_nr, "object");
		out->count++;
	}
	out->version = man->version;
	out->expires_s = man->expires_s;
	return man_fail(rep, MAN_WHY_OK, 0, "");
}

/*
 * What a head names for a type and scope; NULL when it names nothing. Of
 * several deltas the first is returned.
 */
const struct man_object *man_head_find(const struct man_head *head, enum man_type type,
				       const struct man_scope *scope)
{
	for (unsigned i = 0; i < head->count; i++) {
		const struct man_object *o = &head->objects[i];

		if (o->type == type && o->scope_kind == scope->kind &&
		    span_eq_str(scope->name, o->scope_name))
			return o;
	}
	return NULL;
}
