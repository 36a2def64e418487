#include "prog.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "net.h"

#define EXPR_TEXT_BYTES 512
#define DIFF_HEAD 40  /* bytes of a differing line that are shown to name it */
#define DIFF_PIECE 80 /* and from where the two differ */

/*
 * Start an empty program for the inet table.
 */
void prog_init(struct prog *p)
{
	memset(p, 0, sizeof(*p));
	p->family = NFPROTO_INET;
}

/*
 * Free a program. Legal right after prog_init() and twice.
 */
void prog_clear(struct prog *p)
{
	for (size_t i = 0; i < p->rule_count; i++)
		nftnl_rule_free(p->rules[i].rule);
	for (size_t i = 0; i < p->set_count; i++)
		free(p->sets[i].elems);
	free(p->rules);
	free(p->sets);
	free(p->chains);
	prog_init(p);
}

/* Make room for one more item; NULL marks the program as full. */
static void *grow(struct prog *p, void **items, size_t count, size_t *room, size_t max,
		  size_t size_bytes)
{
	if (count == *room) {
		size_t want = *room ? *room * 2 : 16;
		void *bigger = count < max ? realloc(*items, want * size_bytes) : NULL;

		if (!bigger) {
			p->is_full = true;
			return NULL;
		}
		*items = bigger;
		*room = want;
	}
	memset((char *)*items + count * size_bytes, 0, size_bytes);
	return (char *)*items + count * size_bytes;
}

static void copy_name(struct prog *p, char *to, size_t room, const char *from)
{
	if (strlen(from) >= room) {
		p->is_full = true;
		return;
	}
	memcpy(to, from, strlen(from) + 1);
}

/*
 * Add a chain. Returns it, or NULL when the program is full. The pointer is
 * good until the next prog_add_chain().
 */
struct prog_chain *prog_add_chain(struct prog *p, const char *name)
{
	struct prog_chain *c = grow(p, (void **)&p->chains, p->chain_count,
				    &p->chain_room, PROG_CHAINS_MAX, sizeof(*c));

	if (!c)
		return NULL;
	copy_name(p, c->name, sizeof(c->name), name);
	p->chain_count++;
	return c;
}

/*
 * Add a set. Returns it, or NULL when the program is full. The pointer is good
 * until the next prog_add_set().
 */
struct prog_set *prog_add_set(struct prog *p, const char *name)
{
	struct prog_set *s = grow(p, (void **)&p->sets, p->set_count, &p->set_room,
				  PROG_SETS_MAX, sizeof(*s));

	if (!s)
		return NULL;
	copy_name(p, s->name, sizeof(s->name), name);
	p->set_count++;
	return s;
}

/*
 * Add an element to a set. Returns it, or NULL when the program is full.
 */
struct prog_elem *prog_add_elem(struct prog *p, struct prog_set *set)
{
	struct prog_elem *e = grow(p, (void **)&set->elems, set->count, &set->room,
				   PROG_ELEMS_MAX, sizeof(*e));

	if (e)
		set->count++;
	return e;
}

/*
 * Add a range to a set: start and exclusive end when it is an interval set,
 * else @lo alone.
 *
 * @lo, @hi  set->key_len bytes, inclusive, network byte order
 */
void prog_add_range(struct prog *p, struct prog_set *set, const uint8_t *lo,
		    const uint8_t *hi)
{
	struct prog_elem *e = prog_add_elem(p, set);
	uint8_t next[PROG_KEY_BYTES] = {0};

	if (!e)
		return;
	memcpy(e->key, lo, set->key_len);
	if (!(set->flags & NFT_SET_INTERVAL))
		return;
	memcpy(next, hi, set->key_len);
	if (!net_bytes_next(next, set->key_len))
		return; /* up to the last value: no end element */
	e = prog_add_elem(p, set);
	if (!e)
		return;
	memcpy(e->key, next, set->key_len);
	e->is_end = true;
}

/*
 * Add an empty rule at the end of a chain, its id as comment.
 *
 * Returns the libnftnl rule to fill (owned by the program), or NULL when the
 * program is full.
 */
struct nftnl_rule *prog_add_rule(struct prog *p, const char *chain, const char *id)
{
	struct prog_rule *r = grow(p, (void **)&p->rules, p->rule_count, &p->rule_room,
				   PROG_RULES_MAX, sizeof(*r));
	struct nftnl_udata_buf *comment;

	if (!r)
		return NULL;
	copy_name(p, r->chain, sizeof(r->chain), chain);
	copy_name(p, r->id, sizeof(r->id), id);
	r->rule = nftnl_rule_alloc();
	comment = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	if (!r->rule || !comment) {
		nftnl_rule_free(r->rule);
		if (comment)
			nftnl_udata_buf_free(comment);
		p->is_full = true;
		return NULL;
	}
	nftnl_rule_set_u32(r->rule, NFTNL_RULE_FAMILY, p->family);
	nftnl_rule_set_str(r->rule, NFTNL_RULE_TABLE, PROG_TABLE);
	nftnl_rule_set_str(r->rule, NFTNL_RULE_CHAIN, chain);
	(void)nftnl_udata_put_strz(comment, NFTNL_UDATA_RULE_COMMENT, r->id);
	nftnl_rule_set_data(r->rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(comment),
			    nftnl_udata_buf_len(comment));
	nftnl_udata_buf_free(comment);
	p->rule_count++;
	return r->rule;
}

/*
 * Whether a chain of that name exists.
 */
bool prog_has_chain(const struct prog *p, const char *name)
{
	return prog_find_chain(p, name) != NULL;
}

/*
 * The chain of that name, or NULL.
 */
const struct prog_chain *prog_find_chain(const struct prog *p, const char *name)
{
	for (size_t i = 0; i < p->chain_count; i++) {
		if (!strcmp(p->chains[i].name, name))
			return &p->chains[i];
	}
	return NULL;
}

static int chain_cmp(const void *a, const void *b)
{
	return strcmp(((const struct prog_chain *)a)->name,
		      ((const struct prog_chain *)b)->name);
}

static int set_cmp(const void *a, const void *b)
{
	return strcmp(((const struct prog_set *)a)->name,
		      ((const struct prog_set *)b)->name);
}

/*
 * Compare two elements of a set, for qsort().
 */
int prog_elem_cmp(const void *a, const void *b)
{
	const struct prog_elem *x = a, *y = b;
	int c = memcmp(x->key, y->key, sizeof(x->key));

	if (c == 0)
		c = memcmp(x->key_end, y->key_end, sizeof(x->key_end));
	/* an interval that starts where another ends */
	return c ? c : (int)y->is_end - (int)x->is_end;
}

static void list_key(const uint8_t *key, uint32_t len, FILE *f)
{
	for (uint32_t k = 0; k < len && k < PROG_KEY_BYTES; k++)
		fprintf(f, "%02x", key[k]);
}

/* @v  room for all elements of the set */
static void list_set(const struct prog_set *s, struct prog_elem *v, FILE *f)
{
	fprintf(f, "set %s flags %x key %u/%u", s->name, s->flags, s->key_type,
		s->key_len);
	for (size_t i = 0; i < s->field_count; i++)
		fprintf(f, "%s%u", i ? "," : " fields ", s->field_len[i]);
	if (s->size > 0)
		fprintf(f, " size %u", s->size);
	fputc('\n', f);
	if (s->count == 0)
		return;
	memcpy(v, s->elems, s->count * sizeof(*v));
	qsort(v, s->count, sizeof(*v), prog_elem_cmp);
	for (size_t i = 0; i < s->count; i++) {
		fputs(v[i].is_end ? "  end " : "  ", f);
		list_key(v[i].key, s->key_len, f);
		if (s->field_count > 0) {
			fputc('-', f);
			list_key(v[i].key_end, s->key_len, f);
		}
		fprintf(f, "%s%s\n", v[i].jump[0] ? " jump " : "", v[i].jump);
	}
}

/* The kernel tells a value that means "none" also where none was given. */
static void cut_out(char *text, const char *piece)
{
	char *at = strstr(text, piece);

	if (at)
		memmove(at, at + strlen(piece), strlen(at + strlen(piece)) + 1);
}

static int list_expr(struct nftnl_expr *e, void *data)
{
	char text[EXPR_TEXT_BYTES];
	FILE *f = data;

	/* a counter's value is not part of the policy */
	if (!strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "counter")) {
		fputs(" [counter]", f);
		return 0;
	}
	(void)nftnl_expr_snprintf(text, sizeof(text), e, NFTNL_OUTPUT_DEFAULT, 0);
	cut_out(text, "timeout 0ms ");
	fprintf(f, " [%s %s]", nftnl_expr_get_str(e, NFTNL_EXPR_NAME), text);
	return 0;
}

static int rule_cmp(const void *a, const void *b)
{
	const struct prog_rule *x = *(const struct prog_rule *const *)a;
	const struct prog_rule *y = *(const struct prog_rule *const *)b;
	int c = strcmp(x->chain, y->chain);

	/* both point into one array, in the rules' order */
	return c ? c : (x > y) - (x < y);
}

/* @rules  sorted by chain; gives those behind this chain's */
static const struct prog_rule **list_chain(const struct prog_chain *c,
					   const struct prog_rule **rules,
					   const struct prog_rule **end, FILE *f)
{
	fprintf(f, "chain %s", c->name);
	if (c->is_base)
		fprintf(f, "%s%s hook %u priority %d policy %s",
			c->type[0] ? " type " : "", c->type, c->hook, c->prio,
			c->policy == NF_ACCEPT ? "accept" : "drop");
	fputc('\n', f);
	while (rules < end && strcmp((*rules)->chain, c->name) < 0)
		rules++; /* of a chain that does not exist: the kernel refuses it */
	for (; rules < end && !strcmp((*rules)->chain, c->name); rules++) {
		fprintf(f, "  rule %s:", (*rules)->id);
		(void)nftnl_expr_foreach((*rules)->rule, list_expr, f);
		fputc('\n', f);
	}
	return rules;
}

static size_t biggest_set(const struct prog *p)
{
	size_t max = 1;

	for (size_t i = 0; i < p->set_count; i++)
		max = p->sets[i].count > max ? p->sets[i].count : max;
	return max;
}

/*
 * Canonical listing of a program: one line an object, sets and chains by name,
 * rules in their order, counters without values. It is what read-back compares
 * and what golden tests keep.
 *
 * @text  malloc'd, caller frees
 *
 * Returns ERR_OK or ERR_NOMEM.
 */
int prog_list(const struct prog *p, char **text)
{
	struct prog_chain *chains = malloc((p->chain_count + 1) * sizeof(*chains));
	struct prog_set *sets = malloc((p->set_count + 1) * sizeof(*sets));
	struct prog_elem *elems = malloc(biggest_set(p) * sizeof(*elems));
	const struct prog_rule **rules =
		(const struct prog_rule **)malloc((p->rule_count + 1) * sizeof(*rules));
	const struct prog_rule **next = rules;
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	int r = ERR_NOMEM;

	if (!chains || !sets || !elems || !rules || !f || p->is_full)
		goto out;
	if (p->chain_count)
		memcpy(chains, p->chains, p->chain_count * sizeof(*chains));
	if (p->set_count)
		memcpy(sets, p->sets, p->set_count * sizeof(*sets));
	qsort(chains, p->chain_count, sizeof(*chains), chain_cmp);
	for (size_t i = 0; i < p->rule_count; i++)
		rules[i] = &p->rules[i];
	qsort(sets, p->set_count, sizeof(*sets), set_cmp);
	qsort((void *)rules, p->rule_count, sizeof(*rules), rule_cmp);
	for (size_t i = 0; i < p->set_count; i++)
		list_set(&sets[i], elems, f);
	for (size_t i = 0; i < p->chain_count; i++)
		next = list_chain(&chains[i], next, rules + p->rule_count, f);
	r = ERR_OK;
out:
	if (f && fclose(f) != 0)
		r = ERR_NOMEM;
	if (r == ERR_OK)
		*text = out;
	else
		free(out);
	free((void *)rules);
	free(elems);
	free(sets);
	free(chains);
	return r;
}

/* Where two lines begin to differ, at the start of a word. */
static size_t differs_at(const char *a, const char *b, size_t n)
{
	size_t at = 0, word = 0;

	while (at < n && a[at] == b[at]) {
		if (a[at] == ' ')
			word = at + 1;
		at++;
	}
	return word;
}

static int piece(size_t n)
{
	return n < DIFF_PIECE ? (int)n : DIFF_PIECE;
}

/*
 * Compare two listings.
 *
 * @line  on a difference gets the first pair of lines that differ
 *
 * Returns ERR_OK when equal, else ERR_MISMATCH.
 */
int prog_diff(const char *want, const char *have, char *line, size_t max)
{
	while (*want || *have) {
		size_t nw = strcspn(want, "\n"), nh = strcspn(have, "\n");

		if (nw != nh || memcmp(want, have, nw) != 0) {
			size_t at = differs_at(want, have, nw < nh ? nw : nh);
			int head = nw < DIFF_HEAD ? (int)nw : DIFF_HEAD;

			(void)snprintf(line, max, "%.*s: wanted '%.*s' found '%.*s'",
				       head, want, piece(nw - at), want + at,
				       piece(nh - at), have + at);
			return ERR_MISMATCH;
		}
		want += nw + (want[nw] == '\n');
		have += nh + (have[nh] == '\n');
	}
	return ERR_OK;
}
