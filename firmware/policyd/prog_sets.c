/*
 * DESIGN: the last step of a compilation gives every set a name that ends in a
 * digest of its content. Sets of two programs with one name are then the same
 * set: the kernel keeps it over the exchange of the rules, and a set that
 * changes gets a new name and stands beside the old one meanwhile (nft.c).
 */
#include "prog.h"

#include <stdlib.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#define DIGEST_START 14695981039346656037ULL /* FNV-1a, 64 bits */
#define DIGEST_PRIME 1099511628211ULL

/*
 * The set of that name, or NULL.
 */
const struct prog_set *prog_find_set(const struct prog *p, const char *name)
{
	for (size_t i = 0; i < p->set_count; i++) {
		if (!strcmp(p->sets[i].name, name))
			return &p->sets[i];
	}
	return NULL;
}

/* The elements in one order; NULL when the memory ends. */
static struct prog_elem *sorted(const struct prog_set *s)
{
	struct prog_elem *v = calloc(s->count + 1, sizeof(*v));

	if (v && s->count) {
		memcpy(v, s->elems, s->count * sizeof(*v));
		qsort(v, s->count, sizeof(*v), prog_elem_cmp);
	}
	return v;
}

/*
 * Whether two sets have the same kind and elements; their names do not matter.
 * False also when the memory ends.
 */
bool prog_set_is_equal(const struct prog_set *a, const struct prog_set *b)
{
	struct prog_elem *x = sorted(a), *y = sorted(b);
	bool is_equal = x && y && a->flags == b->flags && a->key_type == b->key_type &&
			a->key_len == b->key_len && a->count == b->count &&
			a->field_count == b->field_count &&
			!memcmp(a->field_len, b->field_len, sizeof(a->field_len));

	for (size_t i = 0; is_equal && i < a->count; i++)
		is_equal =
			prog_elem_cmp(&x[i], &y[i]) == 0 && !strcmp(x[i].jump, y[i].jump);
	free(x);
	free(y);
	return is_equal;
}

static uint64_t digest(uint64_t d, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		d = (d ^ p[i]) * DIGEST_PRIME;
	return d;
}

static uint64_t digest_u32(uint64_t d, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
			(uint8_t)(v >> 24)};

	return digest(d, b, sizeof(b));
}

static bool digest_set(const struct prog_set *s, uint32_t *out)
{
	struct prog_elem *v = sorted(s);
	uint64_t d = DIGEST_START;

	if (!v)
		return false;
	d = digest_u32(d, s->flags);
	d = digest_u32(d, s->key_type);
	d = digest_u32(d, s->key_len);
	d = digest_u32(d, s->size);
	d = digest_u32(d, s->timeout_ms);
	for (size_t i = 0; i < s->field_count; i++)
		d = digest_u32(d, s->field_len[i]);
	for (size_t i = 0; i < s->count; i++) {
		d = digest(d, v[i].key, sizeof(v[i].key));
		d = digest(d, v[i].key_end, sizeof(v[i].key_end));
		d = digest_u32(d, v[i].is_end);
		d = digest(d, v[i].jump, strlen(v[i].jump) + 1);
	}
	free(v);
	*out = (uint32_t)(d ^ d >> 32);
	return true;
}

struct rename {
	char from[PROG_NAME_BYTES], to[PROG_NAME_BYTES];
};

struct renames {
	struct rename *v;
	size_t count;
};

static int rename_cmp(const void *a, const void *b)
{
	return strcmp(((const struct rename *)a)->from, ((const struct rename *)b)->from);
}

static int rename_in_expr(struct nftnl_expr *e, void *data)
{
	const char *kind = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	const struct renames *all = data;
	const struct rename *r;
	struct rename key;
	uint16_t attr;

	if (!strcmp(kind, "lookup"))
		attr = NFTNL_EXPR_LOOKUP_SET;
	else if (!strcmp(kind, "dynset"))
		attr = NFTNL_EXPR_DYNSET_SET_NAME;
	else
		return 0;
	(void)snprintf(key.from, sizeof(key.from), "%s", nftnl_expr_get_str(e, attr));
	r = bsearch(&key, all->v, all->count, sizeof(*r), rename_cmp);
	if (r)
		nftnl_expr_set_str(e, attr, r->to);
	return 0;
}

static bool add_rename(struct renames *all, const struct prog_set *s)
{
	struct rename *r = &all->v[all->count++];
	uint32_t d = 0;
	int n;

	if (!digest_set(s, &d))
		return false;
	memcpy(r->from, s->name, sizeof(r->from));
	n = snprintf(r->to, sizeof(r->to), "%s_%08x", s->name, d);
	return n > 0 && (size_t)n < sizeof(r->to);
}

/*
 * Finish a program: every set is named NAME_DIGEST, in the rules too. Nothing may
 * be added afterwards. A failure leaves the program full.
 */
void prog_seal(struct prog *p)
{
	struct renames all = {calloc(p->set_count + 1, sizeof(*all.v)), 0};

	if (!all.v)
		p->is_full = true;
	for (size_t i = 0; i < p->set_count && !p->is_full; i++) {
		if (!add_rename(&all, &p->sets[i]))
			p->is_full = true;
	}
	if (!p->is_full) {
		for (size_t i = 0; i < p->set_count; i++)
			memcpy(p->sets[i].name, all.v[i].to, sizeof(all.v[i].to));
		qsort(all.v, all.count, sizeof(*all.v), rename_cmp);
		for (size_t i = 0; i < p->rule_count; i++)
			(void)nftnl_expr_foreach(p->rules[i].rule, rename_in_expr, &all);
	}
	free(all.v);
}
