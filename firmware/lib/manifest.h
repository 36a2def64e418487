/*
 * Signed artifacts: one text manifest, signature lines, and perhaps a payload
 * behind them. Bytes and rules: toolchain/FORMAT.manifest.md.
 *
 * man_verify() is what a consumer on the device calls; man_parse() alone
 * trusts nothing and is for tools. All spans borrow from the file's bytes.
 */
#ifndef LUYTRE_MANIFEST_H
#define LUYTRE_MANIFEST_H

#include "bounds.h"
#include "sig.h"
#include "span.h"

struct keyset;

enum man_type {
	MAN_KEYSET,
	MAN_HEAD,
	MAN_BLOCKLIST,
	MAN_BLOCKLIST_DELTA,
	MAN_CONFIG,
	MAN_FIRMWARE,
	MAN_COMMAND,
	MAN_TIME,
	MAN_TYPE_COUNT
};

enum man_role {
	MAN_ROLE_ROOT,
	MAN_ROLE_HEAD,
	MAN_ROLE_BLOCKLIST,
	MAN_ROLE_CONFIG,
	MAN_ROLE_FIRMWARE,
	MAN_ROLE_COMMAND,
	MAN_ROLE_TIME,
	MAN_ROLE_COUNT
};

enum man_scope_kind {
	MAN_SCOPE_ALL,    /* "*" */
	MAN_SCOPE_FLEET,  /* "fleet/NAME" */
	MAN_SCOPE_DEVICE, /* "device/SERIAL" */
	MAN_SCOPE_BOARD,  /* "board/MODEL" */
};
/* Bits for man_ctx.scopes. */
#define MAN_ALLOW(kind) (1U << (kind))

struct man_scope {
	enum man_scope_kind kind;
	struct span name; /* empty for MAN_SCOPE_ALL */
};

/*
 * Why an artifact was refused: X(name, error code, "what", "what to do").
 * The order is the order of the checks; each reason has just one error code.
 */
#define MAN_WHY_TABLE(X)                                                                 \
	X(OK, OK, "accepted", "")                                                        \
	X(INTERNAL, INTERNAL, "internal error", "report this with the log")              \
	/* format */                                                                     \
	X(OVERSIZE, LIMIT, "larger than its kind may be", "split or shrink it")          \
	X(TRUNCATED, SHORT, "the file ends too early", "copy the whole file again")      \
	X(BOM, FORMAT, "begins with a byte order mark", "save it as plain ASCII")        \
	X(UNSIGNED, FORMAT, "a plain configuration without signatures",                  \
	  "sign it: toolchain/sign/sign config")                                         \
	X(CR, FORMAT, "has a carriage return", "use LF line ends; copy it as binary")    \
	X(NUL, FORMAT, "has a NUL byte", "copy the file again as binary")                \
	X(CHARACTER, FORMAT, "has a byte that is not printable ASCII",                   \
	  "only the payload may hold other bytes")                                       \
	X(LINE_LONG, LIMIT, "a line is too long",                                        \
	  "see the limits in FORMAT.manifest.md")                                        \
	X(DOMAIN, FORMAT, "first line is not \"luytre-manifest 1\"",                     \
	  "this is no artifact, or of a newer format")                                   \
	X(FIELD_UNKNOWN, FORMAT, "unknown field", "remove it, or update the firmware")   \
	X(FIELD_TWICE, FORMAT, "field given twice", "keep one")                          \
	X(FIELD_ORDER, FORMAT, "field out of order", "make the manifest with sign")      \
	X(FIELD_MISSING, FORMAT, "field missing", "make the manifest with sign")         \
	X(FIELD_FORBIDDEN, FORMAT, "field not allowed for this type", "remove it")       \
	X(VALUE, FORMAT, "field has a malformed value", "make the manifest with sign")   \
	X(PAYLOAD_LIMIT, LIMIT, "payload larger than its type may be",                   \
	  "make it smaller")                                                             \
	X(SIG_LINE, FORMAT, "malformed signature line", "remove it and sign again")      \
	X(SIG_ALG, FORMAT, "unknown signature algorithm", "sign with another key")       \
	X(SIG_BASE64, FORMAT, "signature is not canonical base64", "sign again")         \
	X(SIG_MANY, LIMIT, "too many signature lines", "keep those of the role")         \
	X(TRAILING, TRAILING, "bytes after the end", "cut them off")                     \
	/* threshold */                                                                  \
	X(SIG_KEY_ALG, SIGNATURE, "signature of another algorithm than its key",         \
	  "sign again with the algorithm of the keyset")                                 \
	X(SIG_BAD, SIGNATURE, "a signature does not verify",                             \
	  "the text was changed after signing, or it is forged")                         \
	X(NO_ROLE, THRESHOLD, "the keyset has no such role", "extend the keyset")        \
	X(THRESHOLD, THRESHOLD, "not enough distinct keys of the role have signed",      \
	  "let another key holder countersign")                                          \
	/* type, scope, keyset, expiry */                                                \
	X(TYPE, TYPE, "not the type expected here", "send it as what it is")             \
	X(SCOPE_KIND, SCOPE, "this kind of scope is not allowed here",                   \
	  "see the scopes of this type in FORMAT.manifest.md")                           \
	X(SCOPE_OTHER, SCOPE, "meant for another device", "sign one for this device")    \
	X(KEYSET_NEWER, KEYSET, "needs a newer keyset", "send the keysets in between")   \
	X(EXPIRED, EXPIRED, "expired", "sign it again with a later expiry")              \
	X(TIME, TIME, "the clock is not verified, so expiry cannot be judged",           \
	  "set the time first, or use the console")                                      \
	/* version against floor */                                                      \
	X(EPOCH, ROLLBACK, "the keyset is older than the stored floor",                  \
	  "send the keysets in between")                                                 \
	X(KEYSET_OLDER, KEYSET, "signed before the role's keys were replaced",           \
	  "sign it again under the newest keyset (--keyset)")                            \
	X(ALREADY, ALREADY, "this version was accepted before", "nothing to do")         \
	X(VERSION, ROLLBACK, "version not above the stored floor",                       \
	  "sign it again with a higher version")                                         \
	/* base, head, payload */                                                        \
	X(BASE, BASE, "delta does not fit the active version", "send a snapshot")        \
	X(HEAD_NONE, HEAD, "no head is known", "send the head first")                    \
	X(HEAD_OLD, HEAD, "the head has expired", "fetch a newer head")                  \
	X(HEAD, HEAD, "not the object the head names", "fetch what the head names")      \
	X(PAYLOAD_MISSING, SHORT, "the payload is not in the file", "send it with it")   \
	X(PAYLOAD, CHUNK, "payload does not match its hash", "copy the file again")      \
	/* keyset and head bodies */                                                     \
	X(BODY, FORMAT, "malformed body line", "make the body with sign")                \
	X(BODY_MANY, LIMIT, "too many body lines of one kind", "see FORMAT.manifest.md") \
	X(BODY_KEY, FORMAT, "key is malformed, too weak or of another algorithm",        \
	  "see FORMAT.manifest.md, keys")                                                \
	X(BODY_TWICE, FORMAT, "listed twice", "list it once")                            \
	X(BODY_ROLE, FORMAT, "role line names no such key or an impossible threshold",   \
	  "list the key first; threshold 1 to the number of keys")                       \
	X(KEYSET_STEP, ROLLBACK, "keyset version is not the next one",                   \
	  "send the keysets one after the other")                                        \
	X(KEYSET_SELF, THRESHOLD, "not enough root keys of the new keyset have signed",  \
	  "let the new root keys sign too")                                              \
	X(KEYSET_EPOCH, ROLLBACK, "a role's epoch goes down", "keep or raise it")

enum man_why {
#define X(name, err, what, fix) MAN_WHY_##name,
	MAN_WHY_TABLE(X)
#undef X
		MAN_WHY_COUNT
};

/* Filled by every check; a message names the line, the field and the fix. */
struct man_report {
	enum man_why why;
	unsigned line;     /* line of the file, from 1; 0 when none is meant */
	const char *field; /* static text, "" when none is meant */
};

/* A signature line as it stands in the file. */
struct man_sig {
	uint8_t id[SIG_KEY_ID_BYTES];
	enum sig_alg alg;
	struct span text[3]; /* base64; [1] and [2] for WebAuthn only */
	unsigned line;
};

struct man_signers {
	unsigned count;
	uint8_t id[KEYSET_ROLE_KEYS_MAX][SIG_KEY_ID_BYTES];
};

struct man {
	enum man_type type;
	struct man_scope scope;
	uint64_t version;
	uint64_t base; /* 0 when there is none */
	uint64_t issued_s, expires_s;
	uint64_t keyset;
	bool has_payload;
	uint64_t payload_n;
	uint8_t payload_sha256[SIG_SHA256_BYTES];
	uint32_t chunk_max; /* 0 when there are no chunks */
	uint8_t chunks_sha256[SIG_SHA256_BYTES];
	struct span body; /* lines, each with its LF; empty when none */
	unsigned body_line;
	struct span signed_bytes;
	uint8_t digest[SIG_SHA256_BYTES]; /* SHA-256 of signed_bytes */
	unsigned sig_count;
	struct man_sig sigs[MAN_SIGS_MAX];
	bool has_attached;
	struct span payload;        /* attached payload */
	struct man_signers signers; /* set by man_verify(): who counted */
};

/* Who this device is; strings stay the caller's. */
struct man_device {
	const char *serial;
	const char *board;
	const char *fleets[MAN_FLEETS_MAX];
	size_t fleet_count;
};

/* Highest accepted version; lexicographic by epoch, then version. */
struct man_floor {
	uint64_t epoch;
	uint64_t version;
	uint8_t digest[SIG_SHA256_BYTES]; /* of that artifact's signed bytes */
};

/* Returns ERR_OK, ERR_NOENT (no floor yet), or another error, which refuses. */
typedef int man_floor_fn(void *arg, enum man_type type, const struct man_scope *scope,
			 struct man_floor *out);

/*
 * Time is a parameter. Without a verified clock @now_s is the clock's floor
 * (a time that has certainly passed): what expired before it is expired, the
 * rest cannot be judged and is refused unless the caller allows it, which only
 * a person at the serial console may do.
 */
struct man_clock {
	uint64_t now_s;
	bool is_verified;
	bool is_unverified_allowed;
};

struct man_object {
	enum man_type type;
	enum man_scope_kind scope_kind;
	char scope_name[MAN_NAME_MAX + 1];
	uint64_t version;
	uint8_t digest[SIG_SHA256_BYTES];
};

/* Body of a verified head. */
struct man_head {
	uint64_t version;
	uint64_t expires_s;
	unsigned count;
	struct man_object objects[MAN_HEAD_OBJECTS_MAX];
};

enum man_mode {
	MAN_NEW,    /* from outside: every check */
	MAN_STORED, /* accepted before, read back from the store: no expiry, version,
		     * base and head check; age never takes protection away */
};

enum man_payload {
	MAN_PAYLOAD_ATTACHED, /* must be in the file, when the type has one */
	MAN_PAYLOAD_SEPARATE, /* the caller checks it with man_check_payload() or
			       * chunk by chunk; an attached one is checked too */
};

/* What the consumer expects. */
struct man_ctx {
	const struct keyset *keys;
	enum man_type type; /* gives the role whose threshold must be met */
	unsigned scopes;    /* MAN_ALLOW() bits; 0 refuses everything */
	const struct man_device *device;
	enum man_mode mode;
	enum man_payload payload;
	struct man_clock clock;
	man_floor_fn *floor; /* required for MAN_NEW */
	void *floor_arg;
	uint64_t active_version;     /* what a delta must be based on */
	bool is_head_required;       /* refuse when @head is NULL */
	const struct man_head *head; /* NULL: none known */
};

int man_why_err(enum man_why why);
const char *man_why_name(enum man_why why);
const char *man_why_text(enum man_why why);
const char *man_why_fix(enum man_why why);
int man_fail(struct man_report *rep, enum man_why why, unsigned line, const char *field);

const char *man_type_name(enum man_type type);
int man_type_parse(struct span in, enum man_type *out) MUST_CHECK;
const char *man_role_name(enum man_role role);
int man_role_parse(struct span in, enum man_role *out) MUST_CHECK;
enum man_role man_role_of(enum man_type type);
enum man_type man_floor_type(enum man_type type);
uint64_t man_payload_max(enum man_type type);
int man_scope_parse(struct span in, struct man_scope *out) MUST_CHECK;
int man_scope_format(const struct man_scope *scope, char *out, size_t max) MUST_CHECK;
bool man_scope_is_for(const struct man_scope *scope, const struct man_device *device);

int man_parse(struct span file, struct man *out, struct man_report *rep) MUST_CHECK;
int man_sig_decode(const struct man_sig *sig, uint8_t *buf, size_t max,
		   struct sig_blob *out) MUST_CHECK;

int man_verify(const struct man_ctx *ctx, struct span file, struct man *out,
	       struct man_report *rep) MUST_CHECK;
void man_floor_of(const struct keyset *keys, const struct man *man,
		  struct man_floor *out);
int man_check_payload(const struct man *man, struct span payload) MUST_CHECK;
int man_check_chunk_table(const struct man *man, struct span table) MUST_CHECK;
int man_check_chunk(struct span table, size_t index, struct span chunk) MUST_CHECK;
int man_head_parse(const struct man *man, struct man_head *out,
		   struct man_report *rep) MUST_CHECK;
const struct man_object *man_head_find(const struct man_head *head, enum man_type type,
				       const struct man_scope *scope);

#define MAN_SIG_BUF_MAX (SIG_AUTH_DATA_MAX + SIG_CLIENT_DATA_MAX + SIG_BYTES_MAX)

#endif
