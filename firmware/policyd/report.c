#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#define BUILT_IN "built-in "
#define BUILT_IN_MAX 128

struct count {
	uint64_t packets, bytes;
};

/* Counters by name: of rules in their order, of built-in reasons as they come. */
struct tally {
	const struct cfg *cfg;
	struct count *rules;
	struct {
		char name[PROG_ID_BYTES];
		struct count n;
	} built_in[BUILT_IN_MAX];
	size_t built_in_count;
};

static int on_expr(struct nftnl_expr *e, void *data)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct count *c = data;

	if (name && strcmp(name, "counter") == 0) {
		c->packets += nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
		c->bytes += nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES);
	}
	return 0;
}

static struct count *find_rule(struct tally *t, const char *id)
{
	for (size_t i = 0; i < t->cfg->rule_count; i++) {
		if (strcmp(t->cfg->rules[i].id, id) == 0)
			return &t->rules[i];
	}
	return NULL;
}

static struct count *find_built_in(struct tally *t, const char *name)
{
	for (size_t i = 0; i < t->built_in_count; i++) {
		if (strcmp(t->built_in[i].name, name) == 0)
			return &t->built_in[i].n;
	}
	if (t->built_in_count == BUILT_IN_MAX)
		return NULL;
	(void)snprintf(t->built_in[t->built_in_count].name, PROG_ID_BYTES, "%s", name);
	return &t->built_in[t->built_in_count++].n;
}

/* Translations and proofs have names of their own, and no part in what is let
 * through. */
static bool is_counted(const struct prog_rule *r)
{
	return strcmp(r->chain, "srcnat") != 0 && strcmp(r->chain, "dstnat") != 0 &&
	       strcmp(r->chain, "syn") != 0;
}

static void count_rule(struct tally *t, const struct prog_rule *r)
{
	const size_t n = strlen(BUILT_IN);
	struct count c = {0, 0}, *to;

	/* cannot fail: on_expr() never stops the walk */
	(void)nftnl_expr_foreach(r->rule, on_expr, &c);
	if (strncmp(r->id, BUILT_IN, n) == 0)
		to = c.packets ? find_built_in(t, r->id + n) : NULL;
	else
		to = is_counted(r) ? find_rule(t, r->id) : NULL;
	if (to) {
		to->packets += c.packets;
		to->bytes += c.bytes;
	}
}

static json_t *row(const char *key, const char *name, const struct count *c)
{
	return json_pack("{s:s, s:I, s:I}", key, name, "packets", (json_int_t)c->packets,
			 "bytes", (json_int_t)c->bytes);
}

static json_t *counters_json(const struct engine *e, const struct tally *t)
{
	json_t *rules = json_array(), *built_in = json_array();

	for (size_t i = 0; i < t->cfg->rule_count; i++)
		if (json_array_append_new(
			    rules, row("id", t->cfg->rules[i].id, &t->rules[i])) != 0)
			goto fail;
	for (size_t i = 0; i < t->built_in_count; i++)
		if (json_array_append_new(built_in, row("reason", t->built_in[i].name,
							&t->built_in[i].n)) != 0)
			goto fail;
	return json_pack("{s:i, s:o, s:o}", "generation", (int)e->generation, "rules",
			 rules, "built_in", built_in);
fail:
	json_decref(rules);
	json_decref(built_in);
	return NULL;
}

static int put_json(json_t *doc, FILE *f)
{
	int r = doc && json_dumpf(doc, f, JSON_COMPACT) == 0 ? ERR_OK : ERR_NOMEM;

	json_decref(doc);
	return r;
}

static int put_counters(struct engine *e, FILE *f)
{
	struct tally t = {.cfg = &e->cfg};
	struct prog p;
	int r = nft_read_rules(&e->nft, &p);

	if (r != ERR_OK)
		return r;
	t.rules = calloc(e->cfg.rule_count + 1, sizeof(*t.rules));
	for (size_t i = 0; t.rules && i < p.rule_count; i++)
		count_rule(&t, &p.rules[i]);
	r = t.rules ? put_json(counters_json(e, &t), f) : ERR_NOMEM;
	free(t.rules);
	prog_clear(&p);
	return r;
}

static json_t *control_json(const struct cfg *cfg, const struct cfg_control *c,
			    size_t index)
{
	static const char *const wants[] = {"free", "show", "must"};
	static const char *const states[] = {"met", "partly", "not-met"};
	size_t rule;
	const enum cfg_met met = cfg_control_met(cfg, index, &rule);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "name", c->name,
			 "source", c->source, "en", c->en, "vi", c->vi, "fix", c->fix,
			 "want", wants[c->by_profile[cfg->profile]], "met", states[met],
			 "rule", rule != SIZE_MAX ? cfg->rules[rule].id : NULL);
}

static int put_controls(const struct engine *e, FILE *f)
{
	const struct cfg *cfg = &e->cfg;
	json_t *list = json_array();
	size_t count;
	const struct cfg_control *c = cfg_controls(&count);

	for (size_t i = 0; i < count; i++) {
		if (c[i].by_profile[cfg->profile] == CFG_CONTROL_FREE)
			continue;
		if (json_array_append_new(list, control_json(cfg, &c[i], i)) != 0) {
			json_decref(list);
			return ERR_NOMEM;
		}
	}
	return put_json(json_pack("{s:s, s:o}", "profile", cfg_profile_name(cfg->profile),
				  "controls", list),
			f);
}

static int put_report(struct engine *e, unsigned kind, FILE *f)
{
	if (kind == REPORT_COUNTERS)
		return put_counters(e, f);
	if (kind == REPORT_CONTROLS)
		return put_controls(e, f);
	cfg_print(&e->cfg, f);
	return ERR_OK;
}

/*
 * Make a document.
 *
 * @e      state other than ENGINE_ENFORCED: there is nothing to tell
 * @kind   enum report_kind
 * @memfd  filled when ERR_OK is returned: sealed, the caller's
 *
 * Returns ERR_OK, ERR_TYPE for another kind, ERR_NOENT without a configuration,
 * ERR_NOMEM, ERR_SYS or an error of nft_read_rules().
 */
int report_make(struct engine *e, unsigned kind, int *memfd)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd, keep, r;
	FILE *f;

	if (kind < REPORT_CONFIG || kind > REPORT_CONTROLS)
		return ERR_TYPE;
	if (e->state != ENGINE_ENFORCED)
		return ERR_NOENT;
	fd = memfd_create("report", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		if (fd >= 0)
			(void)close(fd);
		return ERR_SYS;
	}
	r = put_report(e, kind, f);
	keep = r == ERR_OK ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fclose(f) != 0 || keep < 0)
		r = r == ERR_OK ? ERR_SYS : r;
	/* no mapping is left that could write */
	if (r == ERR_OK && fcntl(keep, F_ADD_SEALS, seals) != 0)
		r = ERR_SYS;
	if (r == ERR_OK)
		*memfd = keep;
	else if (keep >= 0)
		(void)close(keep);
	return r;
}
