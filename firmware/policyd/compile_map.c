/*
 * DESIGN: the first rule that matches decides, but a chain of 2,000 compares
 * costs every new connection 2,000 compares. So the rules of a zone pair become
 * a short list of *stages*: a stage is a map from (source, destination,
 * protocol, port) to the chain of a rule, or one rule that is compared as it is.
 *
 * A rule falls into *parts* (family, kind of service) and a part into *cells*:
 * one source prefix, one destination prefix, one port. Cells of one *shape*
 * (the prefix lengths, with or without port) are equal or disjoint, so a hash
 * map of the masked values finds the only one that matches. Cells with port
 * ranges or with shapes that are rare go into a map of ranges.
 *
 * Order: a part goes into the first stage of its kind that does not stand before
 * any earlier part which can match the same packet. Where both would meet in
 * one map, the earlier keeps the element. So whatever two parts can both match
 * is decided by the earlier one, and parts that share nothing may change places.
 * tests/unit/test_policyd_map.c compares with decide() on random policies.
 *
 * Limits: rules that are not plain, ICMP and other protocols are compared. Rules
 * of different shapes that overlap alternately make a stage each.
 */
#include "compile_map.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

/*
 * Whether a rule is decided by addresses, protocol and port alone, so that it
 * can stand in a map. Whatever else a rule may match or limit must be named
 * here.
 */
bool rule_is_plain(const struct cfg_rule *rule)
{
	return rule->in_ports == 0 && rule->out_ports == 0 && rule->valid_until_s == 0 &&
	       !cfg_rule_is_limited(rule);
}

static bool ranges_meet(const struct net_range *a, size_t an, const struct net_range *b,
			size_t bn)
{
	size_t i = 0, k = 0;

	if (an == 0 || bn == 0)
		return true;
	while (i < an && k < bn) { /* both are sorted and merged */
		if (memcmp(a[i].hi, b[k].lo, 16) < 0)
			i++;
		else if (memcmp(b[k].hi, a[i].lo, 16) < 0)
			k++;
		else
			return true;
	}
	return false;
}

static bool ports_meet(const struct map_part *a, const struct map_part *b)
{
	size_t i = 0, k = 0;

	if (a->port_count == 0 || b->port_count == 0)
		return true;
	while (i < a->port_count && k < b->port_count) {
		if (a->ports[i].hi < b->ports[k].lo)
			i++;
		else if (b->ports[k].hi < a->ports[i].lo)
			k++;
		else
			return true;
	}
	return false;
}

/* Can one packet match both? Interfaces and ICMP types are not looked at. */
static bool parts_meet(const struct map_part *a, const struct map_part *b)
{
	if (a->family && b->family && a->family != b->family)
		return false;
	if (a->proto && b->proto && a->proto != b->proto)
		return false;
	return ports_meet(a, b) &&
	       ranges_meet(a->dst, a->dst_count, b->dst, b->dst_count) &&
	       ranges_meet(a->src, a->src_count, b->src, b->src_count);
}

static bool is_transport(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static bool take_ports(struct map_part *part)
{
	const struct cfg_rule *rule = part->base->rule;
	struct net_range *v = calloc(rule->svc_count, sizeof(*v));

	part->ports = calloc(rule->svc_count, sizeof(*part->ports));
	if (v && part->ports) {
		part->port_count = collect_ports(rule, part->proto, v);
		for (size_t i = 0; i < part->port_count; i++) {
			part->ports[i].lo = (uint16_t)(v[i].lo[2] << 8 | v[i].lo[3]);
			part->ports[i].hi = (uint16_t)(v[i].hi[2] << 8 | v[i].hi[3]);
		}
	}
	free(v);
	return part->port_count > 0;
}

static size_t at_least_1(size_t n)
{
	return n ? n : 1;
}

/* Elements a part has; 0 = it cannot stand in a map. */
static size_t cells_of(const struct map_part *part)
{
	const struct rule_variant *v = &part->base->v[part->base->count - 1];
	size_t n = at_least_1(part->src_count);

	if (!rule_is_plain(part->base->rule) || v->svc ||
	    (part->proto && !is_transport(part->proto)) ||
	    (part->src_count == 0 && part->dst_count == 0 && part->proto == 0))
		return 0;
	if (n > MAP_PART_CELLS_MAX || part->dst_count > MAP_PART_CELLS_MAX ||
	    part->port_count > MAP_PART_CELLS_MAX)
		return 0;
	n *= at_least_1(part->dst_count) * at_least_1(part->port_count);
	return n > MAP_PART_CELLS_MAX ? 0 : n;
}

static bool take_part(struct map_part *part, const struct rule_part *base)
{
	const struct rule_variant *v = &base->v[base->count - 1];
	const struct cfg_rule *rule = base->rule;

	memset(part, 0, sizeof(*part));
	part->base = base;
	part->family = v->family;
	part->proto = v->proto;
	part->is_leaky = v->is_any;
	if (v->family && rule->src_count)
		part->src = family_part(rule->src, rule->src_count, v->family,
					&part->src_count);
	if (v->family && rule->dst_count)
		part->dst = family_part(rule->dst, rule->dst_count, v->family,
					&part->dst_count);
	return !v->has_ports || take_ports(part);
}

static struct map_shape *find_shape(struct map_plan *plan, const struct map_shape *s)
{
	for (size_t i = 0; i < plan->shape_count; i++) {
		if (map_same_shape(&plan->shapes[i], s))
			return &plan->shapes[i];
	}
	return NULL;
}

typedef void (*cell_fn)(struct map_plan *plan, size_t part, const struct map_match *m);

static void each_cell(struct map_plan *plan, size_t index, cell_fn fn)
{
	const struct map_part *part = &plan->parts[index];

	for (size_t s = 0; s < at_least_1(part->src_count); s++) {
		for (size_t d = 0; d < at_least_1(part->dst_count); d++) {
			for (size_t k = 0; k < at_least_1(part->port_count); k++) {
				struct map_match m = {
					part->src_count ? &part->src[s] : NULL,
					part->dst_count ? &part->dst[d] : NULL,
					part->port_count ? &part->ports[k] : NULL};

				fn(plan, index, &m);
			}
		}
	}
}

static void count_shape(struct map_plan *plan, size_t part, const struct map_match *m)
{
	struct map_shape s, *known;

	if (!map_hash_shape(&plan->parts[part], m, &s))
		return;
	known = find_shape(plan, &s);
	if (!known && plan->shape_count < MAP_SHAPES_MAX) {
		known = &plan->shapes[plan->shape_count++];
		*known = s;
	}
	if (known && (known->parts == 0 || known->last_part != part)) {
		known->parts++;
		known->last_part = part;
	}
}

static int more_parts(const void *a, const void *b)
{
	const struct map_shape *x = a, *y = b;

	if (x->parts != y->parts)
		return x->parts > y->parts ? -1 : 1;
	if (x->family != y->family)
		return x->family - y->family;
	if (x->src != y->src)
		return y->src - x->src;
	if (x->dst != y->dst)
		return y->dst - x->dst;
	return (y->has_proto * 2 + y->has_port) - (x->has_proto * 2 + x->has_port);
}

/* Which shapes get hash maps: those that most cells have. */
static void choose_shapes(struct map_plan *plan)
{
	size_t n = 0;

	memset(plan->shapes, 0, sizeof(plan->shapes));
	plan->shape_count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->parts[i].is_mappable)
			each_cell(plan, i, count_shape);
	}
	qsort(plan->shapes, plan->shape_count, sizeof(plan->shapes[0]), more_parts);
	while (n < plan->shape_count && n < MAP_HASHES_MAX &&
	       plan->shapes[n].parts >= MAP_MIN)
		n++;
	plan->shape_count = n;
}

static struct map_stage *add_stage(struct map_plan *plan)
{
	if (plan->stage_count == plan->stage_room) {
		size_t want = plan->stage_room ? plan->stage_room * 2 : 16;
		struct map_stage *bigger = realloc(plan->stages, want * sizeof(*bigger));

		if (!bigger) {
			plan->is_full = true;
			return NULL;
		}
		plan->stages = bigger;
		plan->stage_room = want;
	}
	memset(&plan->stages[plan->stage_count], 0, sizeof(*plan->stages));
	return &plan->stages[plan->stage_count++];
}

static bool add_cell(struct map_plan *plan, struct map_stage *stage,
		     const struct map_cell *cell)
{
	if (stage->count == stage->room) {
		size_t want = stage->room ? stage->room * 2 : 16;
		struct map_cell *bigger = realloc(stage->cells, want * sizeof(*bigger));

		if (!bigger) {
			plan->is_full = true;
			return false;
		}
		stage->cells = bigger;
		stage->room = want;
	}
	if (stage->parts == 0 || stage->last_part != cell->part)
		stage->parts++;
	stage->last_part = cell->part;
	stage->cells[stage->count++] = *cell;
	return true;
}

/* In a map where an earlier part may share packets: is there room beside it? */
static enum map_relation relate_all(const struct map_stage *stage,
				    const struct map_cell *cell)
{
	enum map_relation worst = MAP_APART;

	for (size_t i = 0; i < stage->count; i++) {
		enum map_relation r = map_relate(&stage->shape, &stage->cells[i], cell);

		if (r == MAP_COVERED)
			return MAP_COVERED;
		if (r == MAP_MEET)
			worst = MAP_MEET;
	}
	return worst;
}

static void put_cell(struct map_plan *plan, size_t index, const struct map_match *m)
{
	struct map_part *part = &plan->parts[index];
	struct map_shape s, range;
	uint32_t len[MAP_FIELDS];
	struct map_cell cell;
	struct map_stage *stage;
	size_t i;

	range = map_range_shape(part);
	/* a range map has two fields or more (the kernel's pipapo) */
	if (!map_hash_shape(part, m, &s) ||
	    (map_fields(&range, len) > 1 && !find_shape(plan, &s)))
		s = range;
	cell = map_cell(&s, index, part->proto, m);
	for (i = part->after; i < plan->stage_count; i++) {
		enum map_relation r = MAP_APART;

		stage = &plan->stages[i];
		if (!stage->is_map || !map_same_shape(&stage->shape, &s) ||
		    (s.is_range && stage->count >= MAP_RANGES_MAX))
			continue;
		/* only the first stage can hold earlier parts that share packets;
		 * equal elements of a hash map are sorted out in the end */
		if (i == part->after && s.is_range)
			r = relate_all(stage, &cell);
		if (r == MAP_COVERED)
			return;
		if (r == MAP_APART)
			break;
	}
	stage = i < plan->stage_count ? &plan->stages[i] : add_stage(plan);
	if (!stage)
		return;
	stage->is_map = true;
	stage->shape = s;
	if (add_cell(plan, stage, &cell) && part->last < i + 1)
		part->last = i + 1;
}

static void put_part(struct map_plan *plan, size_t index)
{
	struct map_part *part = &plan->parts[index];
	struct map_stage *stage;

	part->after = part->last = 0;
	for (size_t i = index; i-- > 0;) {
		const struct map_part *old = &plan->parts[i];
		/* the same stage is enough when the earlier decides all it matches */
		size_t after = old->last ? old->last - (old->is_leaky ? 0 : 1) : 0;

		if (after > part->after && parts_meet(old, part))
			part->after = after;
	}
	if (part->is_mappable) {
		each_cell(plan, index, put_cell);
		return;
	}
	stage = add_stage(plan);
	if (!stage)
		return;
	stage->part = index;
	part->last = plan->stage_count;
}

static void clear_stages(struct map_plan *plan)
{
	for (size_t i = 0; i < plan->stage_count; i++)
		free(plan->stages[i].cells);
	plan->stage_count = 0;
}

/* Take parts out of the maps that stand in small maps only. */
static bool demote(struct map_plan *plan)
{
	bool *is_small = calloc(plan->count + 1, sizeof(*is_small));
	bool has_changed = false;

	if (!is_small) {
		plan->is_full = true;
		return false;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < plan->stage_count; i++) {
			const struct map_stage *stage = &plan->stages[i];

			/* first the small maps, then what also stands in a big one */
			if (!stage->is_map || (stage->parts < MAP_MIN) != (pass == 0))
				continue;
			for (size_t k = 0; k < stage->count; k++)
				is_small[stage->cells[k].part] = pass == 0;
		}
	}
	for (size_t i = 0; i < plan->count; i++) {
		if (!is_small[i] || !plan->parts[i].is_mappable)
			continue;
		plan->parts[i].is_mappable = false;
		has_changed = true;
	}
	free(is_small);
	return has_changed;
}

static void make_plan(struct map_plan *plan)
{
	for (int pass = 0; pass < MAP_PASSES && !plan->is_full; pass++) {
		clear_stages(plan);
		choose_shapes(plan);
		for (size_t i = 0; i < plan->count; i++)
			put_part(plan, i);
		if (pass + 1 == MAP_PASSES || !demote(plan))
			break;
	}
}

/*
 * Append the parts of a zone pair's rules to its chain: first match decides.
 *
 * @parts  in the administrator's order
 */
void compile_parts(const struct cfg *cfg, const struct part_list *parts, struct prog *p,
		   const char *chain, struct map_state *state)
{
	struct map_plan plan = {.count = parts->count};
	size_t cells = 0;

	plan.parts = calloc(parts->count + 1, sizeof(*plan.parts));
	if (!plan.parts)
		plan.is_full = true;
	for (size_t i = 0; plan.parts && i < parts->count; i++) {
		size_t n;

		plan.is_full |= !take_part(&plan.parts[i], &parts->v[i]);
		n = cells_of(&plan.parts[i]);
		plan.parts[i].is_mappable =
			n > 0 && state->cells + cells + n <= MAP_CELLS_MAX;
		cells += plan.parts[i].is_mappable ? n : 0;
	}
	make_plan(&plan);
	if (plan.is_full)
		p->is_full = true;
	else
		map_emit(cfg, &plan, p, chain, state);
	clear_stages(&plan);
	for (size_t i = 0; plan.parts && i < parts->count; i++)
		free(plan.parts[i].ports);
	free(plan.parts);
	free(plan.stages);
}
