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
#include <linux/netfilter/nf_tables.h>

#define DIGEST_START 14695981039346656037ULL /* FNV-1a, 64 bits */
#define DIGEST_PRIME 1099511628211ULL
#define RULE_EXPRS_MAX 128 /* the kernel's limit: NFT_RULE_MAXEXPRS */

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
			a->size == b->size && a->field_count == b->field_count &&
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

/* Expressions of one rule, in order. */
struct exprs {
	struct nftnl_expr *v[RULE_EXPRS_MAX];
	size_t count;
};

static int collect(struct nftnl_expr *e, void *data)
{
	struct exprs *all = data;

	if (all->count == RULE_EXPRS_MAX)
		return -1;
	all->v[all->count++] = e;
	return 0;
}

static void copy_u32(struct nftnl_expr *to, const struct nftnl_expr *from, uint16_t attr)
{
	if (nftnl_expr_is_set(from, attr))
		nftnl_expr_set_u32(to, attr, nftnl_expr_get_u32(from, attr));
}

/* The same lookup in another set; libnftnl forgets a name that is set twice. */
static struct nftnl_expr *lookup_in(const struct nftnl_expr *from, const char *set)
{
	struct nftnl_expr *e = nftnl_expr_alloc("lookup");

	if (!e)
		return NULL;
	copy_u32(e, from, NFTNL_EXPR_LOOKUP_SREG);
	copy_u32(e, from, NFTNL_EXPR_LOOKUP_DREG);
	copy_u32(e, from, NFTNL_EXPR_LOOKUP_FLAGS);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	return e;
}

/* The new name of the set that an expression looks into, or NULL. */
static const struct rename *rename_of(const struct renames *all,
				      const struct nftnl_expr *e)
{
	struct rename key;

	if (strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "lookup") != 0)
		return NULL;
	(void)snprintf(key.from, sizeof(key.from), "%s",
		       nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET));
	return bsearch(&key, all->v, all->count, sizeof(key), rename_cmp);
}

/* Take all expressions out and put them in again, lookups with the new names. */
static bool rename_in_rule(struct nftnl_rule *rule, const struct renames *all)
{
	struct exprs e = {.count = 0};

	if (nftnl_expr_foreach(rule, collect, &e) < 0)
		return false;
	for (size_t i = 0; i < e.count; i++) {
		const struct rename *r = rename_of(all, e.v[i]);
		struct nftnl_expr *in = r ? lookup_in(e.v[i], r->to) : e.v[i];

		if (!in)
			return false;
		nftnl_rule_del_expr(e.v[i]);
		if (in != e.v[i])
			nftnl_expr_free(e.v[i]);
		nftnl_rule_add_expr(rule, in);
	}
	return true;
}

static bool add_rename(struct renames *all, const struct prog_set *s)
{
	struct rename *r = &all->v[all->count++];
	uint32_t d = 0;
	int n;

	memcpy(r->from, s->name, sizeof(r->from));
	memcpy(r->to, s->name, sizeof(r->to));
	if (s->flags & NFT_SET_EVAL)
		return true; /* filled by packets: its content is not in the program */
	if (!digest_set(s, &d))
		return false;
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
		for (size_t i = 0; i < p->rule_count && !p->is_full; i++)
			p->is_full = !rename_in_rule(p->rules[i].rule, &all);
	}
	free(all.v);
}
