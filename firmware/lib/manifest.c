#include "manifest.h"

#include <stdio.h>
#include <string.h>

#include "b64.h"
#include "hex.h"

#define DOMAIN_LINE "luytre-manifest 1"

/* What a type may and must have. */
static const struct {
	const char *name;
	enum man_role role;
	enum man_type floor_type;
	bool has_base;
	bool has_payload; /* otherwise it has a body */
	bool may_have_chunks;
	uint64_t payload_max;
} types[MAN_TYPE_COUNT] = {
	[MAN_KEYSET] = {"keyset", MAN_ROLE_ROOT, MAN_KEYSET, false, false, false, 0},
	[MAN_HEAD] = {"head", MAN_ROLE_HEAD, MAN_HEAD, false, false, false, 0},
	[MAN_BLOCKLIST] = {"blocklist", MAN_ROLE_BLOCKLIST, MAN_BLOCKLIST, false, true,
			   true, MAN_LIST_MAX},
	/* A delta raises the floor of the list: otherwise an older snapshot
	 * could undo it. */
	[MAN_BLOCKLIST_DELTA] = {"blocklist-delta", MAN_ROLE_BLOCKLIST, MAN_BLOCKLIST,
				 true, true, true, MAN_LIST_MAX},
	[MAN_CONFIG] = {"config", MAN_ROLE_CONFIG, MAN_CONFIG, false, true, false,
			MAN_CONFIG_MAX},
	[MAN_FIRMWARE] = {"firmware", MAN_ROLE_FIRMWARE, MAN_FIRMWARE, false, true, true,
			  MAN_FIRMWARE_MAX},
	[MAN_COMMAND] = {"command", MAN_ROLE_COMMAND, MAN_COMMAND, false, false, false,
			 0},
	[MAN_TIME] = {"time", MAN_ROLE_TIME, MAN_TIME, false, false, false, 0},
};

static const char *const role_names[MAN_ROLE_COUNT] = {
	[MAN_ROLE_ROOT] = "root",           [MAN_ROLE_HEAD] = "head",
	[MAN_ROLE_BLOCKLIST] = "blocklist", [MAN_ROLE_CONFIG] = "config",
	[MAN_ROLE_FIRMWARE] = "firmware",   [MAN_ROLE_COMMAND] = "command",
	[MAN_ROLE_TIME] = "time",
};

static const struct {
	enum man_scope_kind kind;
	const char *prefix;
} scopes[] = {
	{MAN_SCOPE_FLEET, "fleet/"},
	{MAN_SCOPE_DEVICE, "device/"},
	{MAN_SCOPE_BOARD, "board/"},
};

/* The text of the file while it is parsed. */
struct parser {
	struct span rest;
	size_t budget; /* bytes that may still be read as text */
	unsigned line;
	struct man *m;
	struct man_report *rep;
};

/*
 * Name of a type as it stands in the file; "?" for a value that is none.
 */
const char *man_type_name(enum man_type type)
{
	return type < MAN_TYPE_COUNT ? types[type].name : "?";
}

/*
 * Find a type by its name. Returns ERR_OK or ERR_FORMAT.
 */
int man_type_parse(struct span in, enum man_type *out)
{
	for (unsigned i = 0; i < MAN_TYPE_COUNT; i++) {
		if (span_eq_str(in, types[i].name)) {
			*out = (enum man_type)i;
			return ERR_OK;
		}
	}
	return ERR_FORMAT;
}

/*
 * Name of a role as it stands in keysets; "?" for a value that is none.
 */
const char *man_role_name(enum man_role role)
{
	return role < MAN_ROLE_COUNT ? role_names[role] : "?";
}

/*
 * Find a role by its name. Returns ERR_OK or ERR_FORMAT.
 */
int man_role_parse(struct span in, enum man_role *out)
{
	for (unsigned i = 0; i < MAN_ROLE_COUNT; i++) {
		if (span_eq_str(in, role_names[i])) {
			*out = (enum man_role)i;
			return ERR_OK;
		}
	}
	return ERR_FORMAT;
}

/*
 * The role whose threshold an artifact of @type must meet.
 */
enum man_role man_role_of(enum man_type type)
{
	return types[type].role;
}

/*
 * The type under which the floor of @type is kept: a delta shares the floor of
 * the list that it changes.
 */
enum man_type man_floor_type(enum man_type type)
{
	return types[type].floor_type;
}

/*
 * Most payload bytes of @type; 0 when it has no payload.
 */
uint64_t man_payload_max(enum man_type type)
{
	return types[type].payload_max;
}

static bool is_name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/*
 * Parse a scope: "*", "fleet/NAME", "device/SERIAL" or "board/MODEL".
 *
 * @out  borrows from @in; set only on ERR_OK
 *
 * Returns ERR_OK or ERR_FORMAT.
 */
int man_scope_parse(struct span in, struct man_scope *out)
{
	if (span_eq_str(in, "*")) {
		*out = (struct man_scope){.kind = MAN_SCOPE_ALL};
		return ERR_OK;
	}
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		struct span name = in;
		struct span head;

		if (span_take(&name, strlen(scopes[i].prefix), &head) != ERR_OK ||
		    !span_eq_str(head, scopes[i].prefix))
			continue;
		if (name.n == 0 || name.n > MAN_NAME_MAX)
			return ERR_FORMAT;
		for (size_t k = 0; k < name.n; k++) {
			if (!is_name_char(name.p[k]))
				return ERR_FORMAT;
		}
		*out = (struct man_scope){.kind = scopes[i].kind, .name = name};
		return ERR_OK;
	}
	return ERR_FORMAT;
}

/*
 * Write a scope as text with a NUL.
 *
 * Returns ERR_OK, or ERR_LIMIT when @max is too small.
 */
int man_scope_format(const struct man_scope *scope, char *out, size_t max)
{
	const char *prefix = "*";
	int n;

	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		if (scopes[i].kind == scope->kind)
			prefix = scopes[i].prefix;
	}
	n = snprintf(out, max, "%s%.*s", prefix, (int)scope->name.n,
		     scope->name.n ? (const char *)scope->name.p : "");
	return n >= 0 && (size_t)n < max ? ERR_OK : ERR_LIMIT;
}

/*
 * Whether an artifact of this scope is meant for this device.
 */
bool man_scope_is_for(const struct man_scope *scope, const struct man_device *device)
{
	switch (scope->kind) {
	case MAN_SCOPE_ALL:
		return true;
	case MAN_SCOPE_DEVICE:
		return span_eq_str(scope->name, device->serial);
	case MAN_SCOPE_BOARD:
		return span_eq_str(scope->name, device->board);
	case MAN_SCOPE_FLEET:
		for (size_t i = 0; i < device->fleet_count; i++) {
			if (span_eq_str(scope->name, device->fleets[i]))
				return true;
		}
		return false;
	}
	return false;
}

static int parse_type(struct span v, struct man *m)
{
	return man_type_parse(v, &m->type);
}

static int parse_scope(struct span v, struct man *m)
{
	return man_scope_parse(v, &m->scope);
}

static int parse_positive(struct span v, uint64_t *out)
{
	return span_to_u64(v, UINT64_MAX, out) == ERR_OK && *out > 0 ? ERR_OK
								     : ERR_FORMAT;
}

static int parse_version(struct span v, struct man *m)
{
	return parse_positive(v, &m->version);
}

static int parse_base(struct span v, struct man *m)
{
	return parse_positive(v, &m->base) == ERR_OK && m->base < m->version ? ERR_OK
									     : ERR_FORMAT;
}

static int parse_issued(struct span v, struct man *m)
{
	return parse_positive(v, &m->issued_s);
}

static int parse_expires(struct span v, struct man *m)
{
	return parse_positive(v, &m->expires_s) == ERR_OK && m->expires_s > m->issued_s
		       ? ERR_OK
		       : ERR_FORMAT;
}

static int parse_keyset(struct span v, struct man *m)
{
	return parse_positive(v, &m->keyset);
}

/* "<number> <sha256>" */
static int parse_sized_hash(struct span v, uint64_t max, uint64_t *n, uint8_t *sha256)
{
	struct span word;

	if (span_take_word(&v, &word) != ERR_OK || span_to_u64(word, max, n) != ERR_OK ||
	    *n == 0)
		return ERR_FORMAT;
	return hex_decode(v, sha256, SIG_SHA256_BYTES);
}

static int parse_payload(struct span v, struct man *m)
{
	m->has_payload = true;
	return parse_sized_hash(v, UINT64_MAX, &m->payload_n, m->payload_sha256);
}

static int parse_chunks(struct span v, struct man *m)
{
	uint64_t n;

	if (parse_sized_hash(v, MAN_CHUNK_MAX, &n, m->chunks_sha256) != ERR_OK ||
	    n < MAN_CHUNK_MIN)
		return ERR_FORMAT;
	m->chunk_max = (uint32_t)n;
	return ERR_OK;
}

/* The fields in their order; body comes last and has no value. */
enum {
	F_TYPE,
	F_SCOPE,
	F_VERSION,
	F_BASE,
	F_ISSUED,
	F_EXPIRES,
	F_KEYSET,
	F_PAYLOAD,
	F_CHUNKS,
	F_BODY,
	F_COUNT
};

static const struct {
	const char *name;
	int (*parse)(struct span v, struct man *m);
} fields[F_COUNT] = {
	[F_TYPE] = {"type", parse_type},
	[F_SCOPE] = {"scope", parse_scope},
	[F_VERSION] = {"version", parse_version},
	[F_BASE] = {"base", parse_base},
	[F_ISSUED] = {"issued", parse_issued},
	[F_EXPIRES] = {"expires", parse_expires},
	[F_KEYSET] = {"keyset", parse_keyset},
	[F_PAYLOAD] = {"payload", parse_payload},
	[F_CHUNKS] = {"chunks", parse_chunks},
	[F_BODY] = {"body", NULL},
};

static int fail_here(struct parser *ps, enum man_why why, const char *field)
{
	return man_fail(ps->rep, why, ps->line, field);
}

static enum man_why why_byte(struct parser *ps, uint8_t c, size_t offset)
{
	if (c == '\r')
		return MAN_WHY_CR;
	if (c == '\0')
		return MAN_WHY_NUL;
	if (c == 0xef && offset == 0 && ps->line == 1)
		return MAN_WHY_BOM;
	return MAN_WHY_CHARACTER;
}

/* One line of printable ASCII, at most @max bytes, without its LF. */
static int take_text_line(struct parser *ps, size_t max, struct span *line)
{
	size_t n = 0;

	ps->line++;
	while (n < ps->rest.n && ps->rest.p[n] != '\n') {
		uint8_t c = ps->rest.p[n];

		if (c < 0x20 || c > 0x7e)
			return fail_here(ps, why_byte(ps, c, n), "");
		if (n == max)
			return fail_here(ps, MAN_WHY_LINE_LONG, "");
		n++;
	}
	if (n >= ps->budget)
		return fail_here(ps, MAN_WHY_OVERSIZE, "");
	if (span_take_line(&ps->rest, line) != ERR_OK)
		return fail_here(ps, MAN_WHY_TRUNCATED, "");
	ps->budget -= n + 1;
	return ERR_OK;
}

/* Which field a line begins with; @value is what follows the space. */
static int find_field(struct span line, struct span *value)
{
	for (int f = 0; f < F_COUNT; f++) {
		struct span name;

		*value = line;
		if (span_take(value, strlen(fields[f].name), &name) != ERR_OK ||
		    !span_eq_str(name, fields[f].name))
			continue;
		if (value->n == 0)
			return f;
		if (value->p[0] == ' ')
			return span_take(value, 1, &name) == ERR_OK ? f : F_COUNT;
	}
	return F_COUNT;
}

/* A field has its place, and only once. */
static int check_place(struct parser *ps, int f, unsigned *seen)
{
	unsigned bit = 1U << f;

	if (*seen & bit)
		return fail_here(ps, MAN_WHY_FIELD_TWICE, fields[f].name);
	if (*seen >= bit) /* a later field came before */
		return fail_here(ps, MAN_WHY_FIELD_ORDER, fields[f].name);
	*seen |= bit;
	return ERR_OK;
}

static int parse_body(struct parser *ps)
{
	const uint8_t *start = ps->rest.p;
	struct span line;

	ps->m->body_line = ps->line + 1;
	for (;;) {
		const uint8_t *end = ps->rest.p;
		int r = take_text_line(ps, MAN_LINE_MAX, &line);

		if (r != ERR_OK)
			return r;
		if (line.n == 0) {
			ps->m->body = span_of(start, (size_t)(end - start));
			return ERR_OK;
		}
	}
}

/* Which fields this type must have, and may have. */
static int check_fields(struct parser *ps, unsigned seen)
{
	enum man_type t = ps->m->type;
	unsigned must = 1U << F_TYPE | 1U << F_SCOPE | 1U << F_VERSION | 1U << F_ISSUED |
			1U << F_EXPIRES | 1U << F_KEYSET;
	unsigned may;

	if (!(seen & 1U << F_TYPE))
		return man_fail(ps->rep, MAN_WHY_FIELD_MISSING, 0, "type");
	must |= types[t].has_base ? 1U << F_BASE : 0;
	must |= types[t].has_payload ? 1U << F_PAYLOAD : 1U << F_BODY;
	may = must | (types[t].may_have_chunks ? 1U << F_CHUNKS : 0);
	for (int f = 0; f < F_COUNT; f++) {
		if ((must & 1U << f) && !(seen & 1U << f))
			return man_fail(ps->rep, MAN_WHY_FIELD_MISSING, 0,
					fields[f].name);
		if ((seen & 1U << f) && !(may & 1U << f))
			return man_fail(ps->rep, MAN_WHY_FIELD_FORBIDDEN, 0,
					fields[f].name);
	}
	if (ps->m->payload_n > types[t].payload_max)
		return man_fail(ps->rep, MAN_WHY_PAYLOAD_LIMIT, 0, "payload");
	if ((seen & 1U << F_BODY) && ps->m->body.n == 0)
		return man_fail(ps->rep, MAN_WHY_VALUE, ps->m->body_line, "body");
	return ERR_OK;
}

/* From the first byte to the empty line, both included. */
static int parse_signed_part(struct parser *ps)
{
	const uint8_t *start = ps->rest.p;
	unsigned seen = 0;
	struct span line = {NULL, 0}, value;
	int r = take_text_line(ps, MAN_LINE_MAX, &line);

	if (r != ERR_OK)
		return r;
	if (!span_eq_str(line, DOMAIN_LINE))
		return fail_here(ps, MAN_WHY_DOMAIN, "");
	for (;;) {
		int f;

		r = take_text_line(ps, MAN_LINE_MAX, &line);
		if (r != ERR_OK)
			return r;
		if (line.n == 0)
			break;
		f = find_field(line, &value);
		if (f == F_COUNT)
			return fail_here(ps, MAN_WHY_FIELD_UNKNOWN, "");
		r = check_place(ps, f, &seen);
		if (r != ERR_OK)
			return r;
		if (f == F_BODY) {
			if (line.n != strlen("body"))
				return fail_here(ps, MAN_WHY_VALUE, "body");
			r = parse_body(ps);
			if (r != ERR_OK)
				return r;
			break;
		}
		if (fields[f].parse(value, ps->m) != ERR_OK)
			return fail_here(ps, MAN_WHY_VALUE, fields[f].name);
	}
	ps->m->signed_bytes = span_of(start, (size_t)(ps->rest.p - start));
	return check_fields(ps, seen);
}

/* "sig <key id> <alg> <base64>", for WebAuthn with three base64 words. */
static int parse_sig_line(struct parser *ps, struct span line)
{
	struct man_sig *sig = &ps->m->sigs[ps->m->sig_count];
	uint8_t buf[MAN_SIG_BUF_MAX];
	struct sig_blob blob;
	struct span word;
	unsigned words = 1;

	if (ps->m->sig_count == MAN_SIGS_MAX)
		return fail_here(ps, MAN_WHY_SIG_MANY, "sig");
	sig->line = ps->line;
	if (span_take_word(&line, &word) != ERR_OK || !span_eq_str(word, "sig") ||
	    span_take_word(&line, &word) != ERR_OK ||
	    hex_decode(word, sig->id, sizeof(sig->id)) != ERR_OK ||
	    span_take_word(&line, &word) != ERR_OK)
		return fail_here(ps, MAN_WHY_SIG_LINE, "sig");
	if (sig_alg_parse(word, &sig->alg) != ERR_OK)
		return fail_here(ps, MAN_WHY_SIG_ALG, "sig");
	if (sig->alg == SIG_WEBAUTHN)
		words = 3;
	for (unsigned i = 0; i < words; i++) {
		if (span_take_word(&line, &sig->text[i]) != ERR_OK)
			return fail_here(ps, MAN_WHY_SIG_LINE, "sig");
	}
	if (line.n != 0)
		return fail_here(ps, MAN_WHY_SIG_LINE, "sig");
	if (man_sig_decode(sig, buf, sizeof(buf), &blob) != ERR_OK)
		return fail_here(ps, MAN_WHY_SIG_BASE64, "sig");
	ps->m->sig_count++;
	return ERR_OK;
}

/* What follows the signatures: nothing, or an empty line and the payload. */
static int parse_attached(struct parser *ps)
{
	struct man *m = ps->m;
	struct span lf;

	if (span_take(&ps->rest, 1, &lf) != ERR_OK)
		return ERR_OK;
	if (lf.p[0] != '\n' || !m->has_payload)
		return man_fail(ps->rep, MAN_WHY_TRAILING, ps->line + 1, "");
	if (ps->rest.n < m->payload_n)
		return man_fail(ps->rep, MAN_WHY_TRUNCATED, 0, "payload");
	if (ps->rest.n > m->payload_n)
		return man_fail(ps->rep, MAN_WHY_TRAILING, 0, "payload");
	m->payload = ps->rest;
	m->has_attached = true;
	return ERR_OK;
}

/*
 * Parse an artifact: its text, its signature lines, where its payload lies.
 * Checks the format alone: no signature, no scope, no time, no payload hash.
 *
 * @file  the whole file; borrowed
 * @out   undefined unless ERR_OK; its spans borrow from @file
 * @rep   why it was refused and where
 *
 * Returns ERR_OK, ERR_FORMAT, ERR_SHORT, ERR_TRAILING, ERR_LIMIT or ERR_INTERNAL.
 * Source: toolchain/FORMAT.manifest.md sections 1 to 3.
 */
int man_parse(struct span file, struct man *out, struct man_report *rep)
{
	struct parser ps = {.m = out, .rep = rep, .rest = file, .budget = MAN_SIGNED_MAX};
	int r;

	memset(out, 0, sizeof(*out));
	if (file.n > 0 && file.p[0] == '{')
		return man_fail(rep, MAN_WHY_UNSIGNED, 1, "");
	r = parse_signed_part(&ps);
	if (r != ERR_OK)
		return r;
	ps.budget = MAN_TEXT_MAX - MAN_SIGNED_MAX;
	while (ps.rest.n > 0 && ps.rest.p[0] != '\n') {
		struct span line;

		r = take_text_line(&ps, MAN_SIG_LINE_MAX, &line);
		if (r == ERR_OK)
			r = parse_sig_line(&ps, line);
		if (r != ERR_OK)
			return r;
	}
	r = parse_attached(&ps);
	if (r != ERR_OK)
		return r;
	if (sig_sha256(out->signed_bytes, out->digest) != ERR_OK)
		return man_fail(rep, MAN_WHY_INTERNAL, 0, "");
	return man_fail(rep, MAN_WHY_OK, 0, "");
}

/*
 * Decode the base64 of a signature line.
 *
 * @buf  @max bytes, MAN_SIG_BUF_MAX is always enough; @out borrows from it
 *
 * Returns ERR_OK, ERR_FORMAT (not canonical base64) or ERR_LIMIT.
 */
int man_sig_decode(const struct man_sig *sig, uint8_t *buf, size_t max,
		   struct sig_blob *out)
{
	bool is_webauthn = sig->alg == SIG_WEBAUTHN;
	const size_t maxima[3] = {is_webauthn ? SIG_AUTH_DATA_MAX : SIG_BYTES_MAX,
				  SIG_CLIENT_DATA_MAX, SIG_BYTES_MAX};
	struct span part[3] = {{0}};
	size_t used = 0;

	for (unsigned i = 0; i < (is_webauthn ? 3U : 1U); i++) {
		size_t room = max - used < maxima[i] ? max - used : maxima[i];
		size_t n;
		int r = b64_decode(sig->text[i], buf + used, room, &n);

		if (r != ERR_OK)
			return r;
		part[i] = span_of(buf + used, n);
		used += n;
	}
	*out = (struct sig_blob){.alg = sig->alg, .sig = part[0]};
	if (is_webauthn) {
		out->auth_data = part[0];
		out->client_data = part[1];
		out->sig = part[2];
	}
	return ERR_OK;
}
