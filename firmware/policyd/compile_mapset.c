/*
 * From the plan of a zone pair's chain to kernel objects: a map and one lookup
 * for each stage, and a chain `r_ID` for each rule that stands in a map. That
 * chain has the rule's log, counter and verdict, whatever pair leads there.
 */
#include "compile_map.h"
#include "expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

/* nft's number of a concatenation: 6 bits a field (include/datatype.h). */
#define TYPE_FIELD_BITS 6

/* By key, then the administrator's order. */
static int cell_cmp(const void *a, const void *b)
{
	const struct map_cell *x = a, *y = b;
	int c = memcmp(x->lo, y->lo, sizeof(x->lo));

	if (c == 0)
		c = memcmp(x->hi, y->hi, sizeof(x->hi));
	return c ? c : (x->part > y->part) - (x->part < y->part);
}

/* Chains answer differently inside and outside only when they reject. */
static bool is_other_outside(const struct rule_part *part)
{
	return part->is_silent && part->rule->action == CFG_REJECT;
}

static void chain_name(const struct rule_part *part, char name[PROG_NAME_BYTES])
{
	(void)snprintf(name, PROG_NAME_BYTES, "%s_%s",
		       is_other_outside(part) ? "rs" : "r", part->rule->id);
}

static void need_chain(const struct cfg *cfg, const struct rule_part *part,
		       struct prog *p, struct map_state *state)
{
	size_t index = (size_t)(part->rule - cfg->rules) * 2 + is_other_outside(part);
	char name[PROG_NAME_BYTES];

	if (state->has_chain[index])
		return;
	state->has_chain[index] = true;
	chain_name(part, name);
	if (prog_add_chain(p, name))
		compile_rule_chain(part->rule, p, name, part->is_silent);
}

static uint32_t field_type(const struct map_shape *s, unsigned field)
{
	switch (field) {
	case 2:
		return TYPE_PROTO;
	case 3:
		return TYPE_SERVICE;
	default:
		return s->family == 4 ? TYPE_IPV4 : TYPE_IPV6;
	}
}

/* Key type and length; a single field is no concatenation and not padded. */
static void set_key(const struct map_shape *s, struct prog_set *set)
{
	uint32_t len[MAP_FIELDS];
	unsigned count = map_fields(s, len);

	for (unsigned i = 0; i < MAP_FIELDS; i++) {
		if (len[i] == 0)
			continue;
		set->key_type = set->key_type << TYPE_FIELD_BITS | field_type(s, i);
		set->key_len += count == 1 ? len[i] : (len[i] + 3) & ~3U;
		if (s->is_range)
			set->field_len[set->field_count++] = len[i];
	}
}

static void load_addr(const struct map_shape *s, struct nftnl_rule *r, bool is_source,
		      uint32_t at)
{
	uint32_t bytes = s->family == 4 ? 4 : 16, source_at = s->family == 4 ? 12 : 8;
	unsigned len = is_source ? s->src : s->dst;
	uint8_t mask[16] = {0};

	ex_load_field(r, NFT_PAYLOAD_NETWORK_HEADER, source_at + (is_source ? 0 : bytes),
		      bytes, at);
	if (s->is_range || len == bytes * 8)
		return;
	memset(mask, 0xff, bytes);
	map_mask(mask, bytes, len);
	ex_mask_field(r, mask, bytes, at);
}

static void load_key(const struct map_shape *s, struct nftnl_rule *r)
{
	uint32_t len[MAP_FIELDS], at = 0;

	(void)map_fields(s, len);
	if (s->family)
		ex_family(r, s->family);
	for (unsigned i = 0; i < 2; i++) {
		if (len[i])
			load_addr(s, r, i == 0, at);
		at += len[i];
	}
	if (s->has_proto) {
		ex_proto_field(r, at);
		at += 4;
	}
	if (s->has_port)
		ex_load_field(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, at);
}

static void emit_map(const struct map_plan *plan, struct map_stage *stage, struct prog *p,
		     const char *chain, struct map_state *state)
{
	const struct map_cell *last = NULL;
	char name[PROG_NAME_BYTES];
	const char *shared;
	struct prog_set *set;
	struct nftnl_rule *r;
	size_t last_count;

	(void)snprintf(name, sizeof(name), "map_%zu", p->set_count + 1);
	set = prog_add_set(p, name);
	if (!set)
		return;
	set->flags = NFT_SET_MAP | NFT_SET_CONSTANT;
	if (stage->shape.is_range)
		set->flags |= NFT_SET_INTERVAL | NFT_SET_CONCAT;
	set_key(&stage->shape, set);
	qsort(stage->cells, stage->count, sizeof(*stage->cells), cell_cmp);
	for (size_t i = 0; i < stage->count; i++) {
		const struct map_cell *c = &stage->cells[i];
		struct prog_elem *e;

		if (last && !memcmp(last->lo, c->lo, sizeof(c->lo)) &&
		    !memcmp(last->hi, c->hi, sizeof(c->hi)))
			continue; /* an earlier rule has it */
		last = c;
		e = prog_add_elem(p, set);
		if (!e)
			return;
		memcpy(e->key, c->lo, sizeof(c->lo));
		if (stage->shape.is_range)
			memcpy(e->key_end, c->hi, sizeof(c->hi));
		chain_name(plan->parts[c->part].base, e->jump);
	}
	r = prog_add_rule(p, chain, "built-in rules");
	load_key(&stage->shape, r);
	last_count = set->count;
	shared = share_last_set(p);
	state->cells += strcmp(shared, name) ? 0 : last_count;
	ex_lookup(r, shared, true);
}

/*
 * Append the stages of a plan to a zone pair's chain.
 */
void map_emit(const struct cfg *cfg, const struct map_plan *plan, struct prog *p,
	      const char *chain, struct map_state *state)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->parts[i].is_mappable)
			need_chain(cfg, plan->parts[i].base, p, state);
	}
	for (size_t i = 0; i < plan->stage_count; i++) {
		struct map_stage *stage = &plan->stages[i];

		if (stage->is_map)
			emit_map(plan, stage, p, chain, state);
		else
			compile_part(cfg, plan->parts[stage->part].base, p, chain);
	}
}
