/*
 * DESIGN: files are named by the SHA-256 of their content and never changed,
 * so writing one can harm nothing. The only step that changes what the store
 * holds is the rename of index.new over index; everything the new index names
 * has been flushed before. A power cut leaves the old index or the new one,
 * whole. Files that no index names are removed after the next commit.
 *
 * store_commit() itself refuses an index with a lower floor: no caller can
 * take protection against replay away, by mistake or on purpose.
 */
#include "store.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

#define INDEX "index"
#define INDEX_NEW "index.new"
#define DOMAIN_LINE "luytre-store 1"
#define HEX_BYTES (2 * SIG_SHA256_BYTES + 1)
#define NAME_BYTES (HEX_BYTES + 8)

static const char *const slot_names[STORE_SLOT_COUNT] = {
	[STORE_ACTIVE] = "active",
	[STORE_PREVIOUS] = "previous",
};

static void object_name(const uint8_t sha256[SIG_SHA256_BYTES], char name[NAME_BYTES])
{
	name[0] = 'o';
	name[1] = '-';
	hex_encode(sha256, SIG_SHA256_BYTES, name + 2);
}

static int fail(struct store *s, int err, const char *what)
{
	(void)snprintf(s->why, sizeof(s->why), "%s: %s", what,
		       err == ERR_SYS ? strerror(errno) : err_text(err));
	return err;
}

/* Reading the index ------------------------------------------------------- */

/* One number word. */
static int take_u64(struct span *line, uint64_t *out)
{
	struct span word;

	if (span_take_word(line, &word) != ERR_OK)
		return ERR_FORMAT;
	return span_to_u64(word, UINT64_MAX, out) == ERR_OK ? ERR_OK : ERR_FORMAT;
}

static int take_hash(struct span *line, uint8_t out[SIG_SHA256_BYTES])
{
	struct span word;

	if (span_take_word(line, &word) != ERR_OK)
		return ERR_FORMAT;
	return hex_decode(word, out, SIG_SHA256_BYTES);
}

/* "<sha256> <bytes>" */
static int take_ref(struct span *line, struct store_ref *out)
{
	uint64_t n;

	if (take_hash(line, out->sha256) != ERR_OK || take_u64(line, &n) != ERR_OK ||
	    n == 0 || n > MAN_CONFIG_FILE_MAX)
		return ERR_FORMAT;
	out->n = (size_t)n;
	return ERR_OK;
}

/* "floor <type> <scope> <epoch> <version> <digest>" */
static int take_floor(struct span line, struct store_index *x)
{
	struct store_floor f = {.type = MAN_KEYSET};
	struct man_scope scope;
	struct span type, word;

	if (span_take_word(&line, &type) != ERR_OK ||
	    man_type_parse(type, &f.type) != ERR_OK ||
	    span_take_word(&line, &word) != ERR_OK ||
	    man_scope_parse(word, &scope) != ERR_OK ||
	    take_u64(&line, &f.floor.epoch) != ERR_OK ||
	    take_u64(&line, &f.floor.version) != ERR_OK ||
	    take_hash(&line, f.floor.digest) != ERR_OK || line.n != 0)
		return ERR_FORMAT;
	for (unsigned i = 0; i < x->floor_count; i++) {
		if (x->floors[i].type == f.type &&
		    x->floors[i].scope_kind == scope.kind &&
		    span_eq_str(scope.name, x->floors[i].scope_name))
			return ERR_FORMAT; /* twice: which of the two counts? */
	}
	return store_floor_set(x, f.type, &scope, &f.floor);
}

/* "keyset <version> <sha256> <bytes>", versions without a gap */
static int take_keyset(struct span line, struct store_index *x)
{
	struct store_keyset *k = &x->keysets[x->keyset_count];

	if (x->keyset_count == KEYSET_CHAIN_MAX)
		return ERR_LIMIT;
	if (take_u64(&line, &k->version) != ERR_OK || k->version == 0 ||
	    take_ref(&line, &k->ref) != ERR_OK || line.n != 0)
		return ERR_FORMAT;
	if (x->keyset_count > 0 && k->version != k[-1].version + 1)
		return ERR_FORMAT;
	x->keyset_count++;
	return ERR_OK;
}

/* "config active|previous <sha256> <bytes> <keyset>" */
static int take_config(struct span line, struct store_index *x)
{
	struct store_config *c;
	struct span word;

	if (span_take_word(&line, &word) != ERR_OK)
		return ERR_FORMAT;
	for (unsigned i = 0; i < STORE_SLOT_COUNT; i++) {
		if (!span_eq_str(word, slot_names[i]))
			continue;
		c = &x->config[i];
		if (c->ref.n || take_ref(&line, &c->ref) != ERR_OK ||
		    take_u64(&line, &c->keyset) != ERR_OK || c->keyset == 0 ||
		    line.n != 0)
			return ERR_FORMAT;
		return ERR_OK;
	}
	return ERR_FORMAT;
}

static int take_text(struct span *line, char *out, size_t max)
{
	struct span word;

	if (span_take_word(line, &word) != ERR_OK || word.n >= max)
		return ERR_FORMAT;
	for (size_t i = 0; i < word.n; i++) {
		if (!isalnum(word.p[i]) && word.p[i] != '-')
			return ERR_FORMAT;
	}
	memcpy(out, word.p, word.n);
	out[word.n] = '\0';
	return ERR_OK;
}

/* "trial <boot id> <deadline> <code>" */
static int take_trial(struct span line, struct store_index *x)
{
	struct store_trial *t = &x->trial;

	if (t->is_on || take_text(&line, t->boot_id, sizeof(t->boot_id)) != ERR_OK ||
	    take_u64(&line, &t->deadline_s) != ERR_OK ||
	    take_text(&line, t->code, sizeof(t->code)) != ERR_OK || line.n != 0)
		return ERR_FORMAT;
	t->is_on = true;
	return ERR_OK;
}

static int take_number(struct span line, uint64_t *out)
{
	return take_u64(&line, out) == ERR_OK && line.n == 0 ? ERR_OK : ERR_FORMAT;
}

static int take_line(struct span line, struct store_index *x)
{
	struct span key;

	if (span_take_word(&line, &key) != ERR_OK)
		return ERR_FORMAT;
	if (span_eq_str(key, "clock"))
		return take_number(line, &x->clock_s);
	if (span_eq_str(key, "floor"))
		return take_floor(line, x);
	if (span_eq_str(key, "keyset"))
		return take_keyset(line, x);
	if (span_eq_str(key, "config"))
		return take_config(line, x);
	if (span_eq_str(key, "trial"))
		return take_trial(line, x);
	return ERR_FORMAT;
}

/* The last line, "sum <sha256>", covers everything in front of it. */
static int check_sum(struct span *text)
{
	static const size_t tail = 4 + 2 * (size_t)SIG_SHA256_BYTES + 1;
	uint8_t want[SIG_SHA256_BYTES], have[SIG_SHA256_BYTES];
	struct span line;

	if (text->n <= tail || text->p[text->n - tail - 1] != '\n')
		return ERR_FORMAT;
	line = span_of(text->p + text->n - tail, tail - 1);
	if (text->p[text->n - 1] != '\n' || memcmp(line.p, "sum ", 4) != 0 ||
	    hex_decode(span_of(line.p + 4, line.n - 4), want, sizeof(want)) != ERR_OK)
		return ERR_FORMAT;
	text->n -= tail;
	if (sig_sha256(*text, have) != ERR_OK)
		return ERR_INTERNAL;
	return memcmp(want, have, sizeof(want)) == 0 ? ERR_OK : ERR_CHUNK;
}

/*
 * Parse the index file.
 *
 * @out  on ERR_OK the whole content; on failure undefined
 *
 * Returns ERR_OK, ERR_CHUNK (the checksum is wrong), ERR_FORMAT, ERR_LIMIT or
 * ERR_INTERNAL. Source: toolchain/FORMAT.store.md.
 */
int store_index_parse(struct span text, struct store_index *out)
{
	struct span line;
	int r;

	memset(out, 0, sizeof(*out));
	if (text.n > STORE_INDEX_MAX)
		return ERR_LIMIT;
	r = check_sum(&text);
	if (r != ERR_OK)
		return r;
	if (span_take_line(&text, &line) != ERR_OK || !span_eq_str(line, DOMAIN_LINE))
		return ERR_FORMAT;
	if (span_take_line(&text, &line) != ERR_OK || line.n < 11 ||
	    memcmp(line.p, "generation ", 11) != 0 ||
	    take_number(span_of(line.p + 11, line.n - 11), &out->generation) != ERR_OK)
		return ERR_FORMAT;
	while (text.n > 0) {
		if (span_take_line(&text, &line) != ERR_OK)
			return ERR_FORMAT;
		r = take_line(line, out);
		if (r != ERR_OK)
			return r;
	}
	if (out->trial.is_on && out->config[STORE_ACTIVE].ref.n == 0)
		return ERR_FORMAT;
	return ERR_OK;
}

/* Writing the index ------------------------------------------------------- */

static void print_ref(struct sbuf *b, const struct store_ref *ref)
{
	char hex[HEX_BYTES];

	hex_encode(ref->sha256, SIG_SHA256_BYTES, hex);
	sbuf_putf(b, "%s %zu", hex, ref->n);
}

static void print_floor(struct sbuf *b, const struct store_floor *f)
{
	struct man_scope scope = {.kind = f->scope_kind, .name = span_str(f->scope_name)};
	char name[MAN_NAME_MAX + 16], hex[HEX_BYTES];

	hex_encode(f->floor.digest, SIG_SHA256_BYTES, hex);
	if (man_scope_format(&scope, name, sizeof(name)) != ERR_OK)
		b->is_full = true;
	else
		sbuf_putf(b, "floor %s %s %llu %llu %s\n", man_type_name(f->type), name,
			  (unsigned long long)f->floor.epoch,
			  (unsigned long long)f->floor.version, hex);
}

/*
 * Write an index as the bytes of its file.
 *
 * Returns ERR_OK, ERR_LIMIT (over @max) or ERR_INTERNAL.
 */
int store_index_print(const struct store_index *x, uint8_t *text, size_t max, size_t *n)
{
	uint8_t sum[SIG_SHA256_BYTES];
	char hex[HEX_BYTES];
	struct sbuf b;

	sbuf_init(&b, text, max);
	sbuf_putf(&b, DOMAIN_LINE "\ngeneration %llu\n",
		  (unsigned long long)x->generation);
	if (x->clock_s)
		sbuf_putf(&b, "clock %llu\n", (unsigned long long)x->clock_s);
	for (unsigned i = 0; i < x->floor_count; i++)
		print_floor(&b, &x->floors[i]);
	for (unsigned i = 0; i < x->keyset_count; i++) {
		sbuf_putf(&b, "keyset %llu ", (unsigned long long)x->keysets[i].version);
		print_ref(&b, &x->keysets[i].ref);
		sbuf_putf(&b, "\n");
	}
	for (unsigned i = 0; i < STORE_SLOT_COUNT; i++) {
		if (!x->config[i].ref.n)
			continue;
		sbuf_putf(&b, "config %s ", slot_names[i]);
		print_ref(&b, &x->config[i].ref);
		sbuf_putf(&b, " %llu\n", (unsigned long long)x->config[i].keyset);
	}
	if (x->trial.is_on)
		sbuf_putf(&b, "trial %s %llu %s\n", x->trial.boot_id,
			  (unsigned long long)x->trial.deadline_s, x->trial.code);
	if (b.is_full || sig_sha256(span_of(text, b.n), sum) != ERR_OK)
		return b.is_full ? ERR_LIMIT : ERR_INTERNAL;
	hex_encode(sum, sizeof(sum), hex);
	sbuf_putf(&b, "sum %s\n", hex);
	*n = b.n;
	return b.is_full ? ERR_LIMIT : ERR_OK;
}

/* Floors ------------------------------------------------------------------ */

static struct store_floor *find_floor(const struct store_index *x, enum man_type type,
				      enum man_scope_kind kind, struct span name)
{
	for (unsigned i = 0; i < x->floor_count; i++) {
		const struct store_floor *f = &x->floors[i];

		if (f->type == type && f->scope_kind == kind &&
		    span_eq_str(name, f->scope_name))
			return (struct store_floor *)(uintptr_t)f;
	}
	return NULL;
}

/*
 * Floor of a type (man_floor_type()) and scope.
 *
 * Returns ERR_OK, or ERR_NOENT when nothing of them was ever accepted.
 */
int store_floor_get(const struct store_index *index, enum man_type type,
		    const struct man_scope *scope, struct man_floor *out)
{
	const struct store_floor *f = find_floor(index, type, scope->kind, scope->name);

	if (!f)
		return ERR_NOENT;
	*out = f->floor;
	return ERR_OK;
}

/*
 * Set a floor in an index that is to be committed.
 *
 * Returns ERR_OK, or ERR_LIMIT beyond STORE_FLOORS_MAX pairs or MAN_NAME_MAX.
 */
int store_floor_set(struct store_index *index, enum man_type type,
		    const struct man_scope *scope, const struct man_floor *floor)
{
	struct store_floor *f = find_floor(index, type, scope->kind, scope->name);

	if (!f &&
	    (index->floor_count == STORE_FLOORS_MAX || scope->name.n > MAN_NAME_MAX))
		return ERR_LIMIT;
	if (!f) {
		f = &index->floors[index->floor_count++];
		memset(f, 0, sizeof(*f));
		f->type = type;
		f->scope_kind = scope->kind;
		if (scope->name.n)
			memcpy(f->scope_name, scope->name.p, scope->name.n);
	}
	f->floor = *floor;
	return ERR_OK;
}

static bool is_lower(const struct man_floor *a, const struct man_floor *b)
{
	return a->epoch < b->epoch || (a->epoch == b->epoch && a->version < b->version);
}

/* Whether @next keeps or raises every floor of @cur. */
static bool keeps_floors(const struct store_index *cur, const struct store_index *next)
{
	for (unsigned i = 0; i < cur->floor_count; i++) {
		const struct store_floor *was = &cur->floors[i];
		const struct store_floor *is = find_floor(
			next, was->type, was->scope_kind, span_str(was->scope_name));

		if (!is || is_lower(&is->floor, &was->floor))
			return false;
	}
	if (cur->keyset_count == 0)
		return true;
	return next->keyset_count > 0 &&
	       next->keysets[next->keyset_count - 1].version >=
		       cur->keysets[cur->keyset_count - 1].version;
}

/* Files ------------------------------------------------------------------- */

/*
 * Open a store; the index is read and checked.
 *
 * @io, @arg  the folder; must live as long as the store
 *
 * Returns ERR_OK (also for an empty folder: an index without content), or an
 * error with s->why: then nothing that the folder holds may be trusted, and
 * nothing is written over it.
 */
int store_open(struct store *s, const struct store_io *io, void *arg)
{
	uint8_t *text = NULL;
	size_t n = 0;
	int r;

	memset(s, 0, sizeof(*s));
	s->io = io;
	s->arg = arg;
	r = io->read(arg, INDEX, STORE_INDEX_MAX, &text, &n);
	if (r == ERR_NOENT)
		return ERR_OK;
	if (r == ERR_OK) {
		r = store_index_parse(span_of(text, n), &s->index);
		free(text);
	}
	if (r != ERR_OK) {
		memset(&s->index, 0, sizeof(s->index));
		return fail(s, r, "index of the store");
	}
	return ERR_OK;
}

/* Create, write, flush, close. */
static int write_file(struct store *s, const char *name, struct span data)
{
	int file = s->io->create(s->arg, name);
	int r = ERR_OK;

	if (file < 0)
		return fail(s, ERR_SYS, "creating a file");
	while (r == ERR_OK && data.n > 0) {
		long n = s->io->write(s->arg, file, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : ENOSPC;
			r = fail(s, ERR_SYS, "writing a file");
			break;
		}
		data.p += n;
		data.n -= (size_t)n;
	}
	if (r == ERR_OK && s->io->sync(s->arg, file) != 0)
		r = fail(s, ERR_SYS, "flushing a file");
	if (s->io->close(s->arg, file) != 0 && r == ERR_OK)
		r = fail(s, ERR_SYS, "closing a file");
	return r;
}

/*
 * Write an artifact into the store, flushed. It counts only once an index that
 * names it is committed; until then it is waste that the next commit removes.
 *
 * Returns ERR_OK, or an error with s->why; nothing in force has changed.
 */
int store_add(struct store *s, struct span data, struct store_ref *out)
{
	char name[NAME_BYTES];
	int r;

	if (data.n == 0 || data.n > MAN_CONFIG_FILE_MAX)
		return fail(s, ERR_LIMIT, "storing an artifact");
	if (sig_sha256(data, out->sha256) != ERR_OK)
		return fail(s, ERR_INTERNAL, "SHA-256");
	out->n = data.n;
	object_name(out->sha256, name);
	r = write_file(s, name, data);
	if (r == ERR_OK && s->io->sync_folder(s->arg) != 0)
		r = fail(s, ERR_SYS, "flushing the folder");
	return r;
}

static bool is_named(const struct store_index *x, const char *name)
{
	char have[NAME_BYTES];

	for (unsigned i = 0; i < STORE_SLOT_COUNT; i++) {
		object_name(x->config[i].ref.sha256, have);
		if (x->config[i].ref.n && strcmp(have, name) == 0)
			return true;
	}
	for (unsigned i = 0; i < x->keyset_count; i++) {
		object_name(x->keysets[i].ref.sha256, have);
		if (strcmp(have, name) == 0)
			return true;
	}
	return false;
}

/* Removes files that the index does not name; a failure leaves waste only. */
static bool sweep(void *ctx, const char *name)
{
	struct store *s = ctx;

	if (strncmp(name, "o-", 2) == 0 && !is_named(&s->index, name))
		(void)s->io->remove(s->arg, name);
	return true;
}

/*
 * Put an index in force, in one rename.
 *
 * @next  made from a copy of s->index; its generation is set here
 *
 * Returns ERR_OK: durable, s->index is the new one. ERR_ROLLBACK: it would
 * lower a floor or drop keysets. Any other error: the old index is in force;
 * only after a failed flush of the folder (ERR_BUSY) may a power cut decide
 * which of the two it is, and s->index is the new one.
 */
int store_commit(struct store *s, const struct store_index *next)
{
	struct store_index *copy;
	uint8_t *text;
	size_t n = 0;
	int r = ERR_NOMEM;

	if (!keeps_floors(&s->index, next) || next->clock_s < s->index.clock_s)
		return fail(s, ERR_ROLLBACK, "committing the index");
	copy = malloc(sizeof(*copy));
	text = malloc(STORE_INDEX_MAX);
	if (!copy || !text) {
		(void)fail(s, r, "committing the index");
		goto out;
	}
	*copy = *next;
	copy->generation = s->index.generation + 1;
	r = store_index_print(copy, text, STORE_INDEX_MAX, &n);
	if (r != ERR_OK) {
		(void)fail(s, r, "printing the index");
		goto out;
	}
	r = write_file(s, INDEX_NEW, span_of(text, n));
	if (r != ERR_OK)
		goto out;
	if (s->io->rename(s->arg, INDEX_NEW, INDEX) != 0) {
		r = fail(s, ERR_SYS, "renaming the index");
		goto out;
	}
	s->index = *copy;
	if (s->io->sync_folder(s->arg) != 0) {
		(void)fail(s, ERR_SYS, "flushing the folder");
		r = ERR_BUSY;
		goto out;
	}
	(void)s->io->list(s->arg, sweep, s); /* what stays behind is waste */
out:
	free(copy);
	free(text);
	return r;
}

/*
 * Read a file of the store; its hash is checked.
 *
 * @ref   from s->index
 * @max   most bytes taken
 * @text  malloc'd, ref->n bytes, caller frees; set only on ERR_OK
 *
 * Returns ERR_OK, or an error with s->why (ERR_NOENT for an empty @ref).
 */
int store_load(struct store *s, const struct store_ref *ref, size_t max, uint8_t **text)
{
	uint8_t sha256[SIG_SHA256_BYTES];
	char name[NAME_BYTES];
	uint8_t *p = NULL;
	size_t n = 0;
	int r;

	if (ref->n == 0)
		return fail(s, ERR_NOENT, "reading an artifact");
	object_name(ref->sha256, name);
	r = s->io->read(s->arg, name, max, &p, &n);
	if (r != ERR_OK)
		return fail(s, r, "reading an artifact");
	if (n != ref->n || sig_sha256(span_of(p, n), sha256) != ERR_OK ||
	    memcmp(sha256, ref->sha256, sizeof(sha256)) != 0) {
		free(p);
		return fail(s, ERR_CHUNK, "reading an artifact");
	}
	*text = p;
	return ERR_OK;
}
