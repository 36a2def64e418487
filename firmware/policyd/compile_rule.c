/*
 * One administrator's rule in one zone pair's chain. A rule becomes as many
 * kernel rules as it has families and kinds of service; each carries the
 * rule's id as comment and log prefix.
 */
#include "compile_int.h"
#include "expr.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

/*
 * The ranges of one family out of a sorted list.
 *
 * @count  gets their number
 */
const struct net_range *family_part(const struct net_range *v, size_t n, uint8_t family,
				    size_t *count)
{
	size_t from = 0, to;

	while (from < n && v[from].family != family)
		from++;
	to = from;
	while (to < n && v[to].family == family)
		to++;
	*count = to - from;
	return n ? v + from : v;
}

/*
 * Find a set with the same content as the last one, and drop the last then.
 *
 * Returns the name to use, good until the next prog_add_set().
 */
const char *share_last_set(struct prog *p)
{
	struct prog_set *last = &p->sets[p->set_count - 1];

	for (size_t i = 0; i + 1 < p->set_count; i++) {
		struct prog_set *s = &p->sets[i];

		if (s->flags != last->flags || s->key_type != last->key_type ||
		    s->count != last->count || s->count == 0 ||
		    memcmp(s->elems, last->elems, s->count * sizeof(*s->elems)) != 0)
			continue;
		free(last->elems);
		p->set_count--;
		return s->name;
	}
	return last->name;
}

/*
 * Add a set of the rules, named after its kind and place.
 */
struct prog_set *rule_new_set(struct prog *p, const char *kind, uint32_t key_type,
			      uint32_t key_len, bool is_interval)
{
	char name[PROG_NAME_BYTES];
	struct prog_set *s;

	(void)snprintf(name, sizeof(name), "%s_%zu", kind, p->set_count + 1);
	s = prog_add_set(p, name);
	if (s) {
		s->key_type = key_type;
		s->key_len = key_len;
		s->flags = NFT_SET_CONSTANT | (is_interval ? NFT_SET_INTERVAL : 0U);
	}
	return s;
}

static void match_one_range(struct nftnl_rule *r, const struct net_range *v)
{
	unsigned bytes = net_addr_bytes(v->family);
	uint8_t mask[16] = {0};
	unsigned bits = 0;
	struct net_prefix p = {.addr.family = v->family};
	struct net_range whole;

	if (memcmp(v->lo, v->hi, bytes) == 0) {
		ex_cmp(r, NFT_CMP_EQ, v->lo, bytes);
		return;
	}
	while (bits < bytes * 8 &&
	       !(((v->lo[bits / 8] ^ v->hi[bits / 8]) >> (7 - bits % 8)) & 1))
		bits++;
	memcpy(p.addr.b, v->lo, 16);
	p.len = (uint8_t)bits;
	whole = net_range_of(&p);
	if (memcmp(whole.lo, v->lo, 16) == 0 && memcmp(whole.hi, v->hi, 16) == 0) {
		for (unsigned i = 0; i < bytes; i++)
			mask[i] = (uint8_t)~(whole.lo[i] ^ whole.hi[i]);
		ex_mask(r, mask, bytes);
		ex_cmp(r, NFT_CMP_EQ, v->lo, bytes);
		return;
	}
	ex_cmp(r, NFT_CMP_GTE, v->lo, bytes);
	ex_cmp(r, NFT_CMP_LTE, v->hi, bytes);
}

/*
 * Match the source or destination against the ranges of one family; no ranges
 * at all match every address.
 */
void rule_match_addrs(struct prog *p, struct nftnl_rule *r, const struct net_range *v,
		      size_t n, uint8_t family, bool is_source)
{
	bool is_interval = false;
	struct prog_set *s;
	size_t count;

	if (n == 0)
		return;
	v = family_part(v, n, family, &count);
	ex_load_addr(r, family, is_source);
	if (count == 1) {
		match_one_range(r, v);
		return;
	}
	for (size_t i = 0; i < count; i++)
		is_interval |= memcmp(v[i].lo, v[i].hi, 16) != 0;
	s = rule_new_set(p, family == 4 ? "net4" : "net6",
			 family == 4 ? TYPE_IPV4 : TYPE_IPV6, net_addr_bytes(family),
			 is_interval);
	if (!s)
		return;
	for (size_t i = 0; i < count; i++)
		prog_add_range(p, s, v[i].lo, v[i].hi);
	ex_lookup(r, share_last_set(p), false);
}

/*
 * Destination ports of the rule's services of one protocol, merged.
 *
 * @out  room for rule->svc_count ranges; a port stands in bytes 2 and 3
 *
 * Returns their number.
 */
size_t collect_ports(const struct cfg_rule *rule, uint8_t proto, struct net_range *out)
{
	size_t n = 0;

	for (size_t i = 0; i < rule->svc_count; i++) {
		const struct cfg_service *svc = &rule->svc[i];

		if (svc->proto != proto || !svc->has_ports)
			continue;
		memset(&out[n], 0, sizeof(out[n]));
		out[n].family = 4;
		out[n].lo[2] = (uint8_t)(svc->lo >> 8);
		out[n].lo[3] = (uint8_t)svc->lo;
		out[n].hi[2] = (uint8_t)(svc->hi >> 8);
		out[n].hi[3] = (uint8_t)svc->hi;
		n++;
	}
	return net_range_merge(out, n);
}

/*
 * Match the ports of the rule's services of a protocol.
 *
 * @is_source  as source ports: for answers
 */
void rule_match_ports(const struct cfg_rule *rule, struct prog *p, struct nftnl_rule *r,
		      uint8_t proto, bool is_source)
{
	struct net_range *v = calloc(rule->svc_count, sizeof(*v));
	bool is_interval = false;
	struct prog_set *s;
	size_t n;

	if (!v) {
		p->is_full = true;
		return;
	}
	n = collect_ports(rule, proto, v);
	ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, is_source ? 0 : 2, 2);
	for (size_t i = 0; i < n; i++)
		is_interval |= memcmp(v[i].lo, v[i].hi, 4) != 0;
	if (n == 1 && !is_interval) {
		ex_cmp(r, NFT_CMP_EQ, v[0].lo + 2, 2);
	} else if (n == 1) {
		ex_cmp(r, NFT_CMP_GTE, v[0].lo + 2, 2);
		ex_cmp(r, NFT_CMP_LTE, v[0].hi + 2, 2);
	} else if ((s = rule_new_set(p, "ports", TYPE_SERVICE, 2, is_interval))) {
		for (size_t i = 0; i < n; i++)
			prog_add_range(p, s, v[i].lo + 2, v[i].hi + 2);
		ex_lookup(r, share_last_set(p), false);
	}
	free(v);
}

/*
 * Match the interface against some of the configuration's ports.
 *
 * @mask  bit per port; 0 matches every port
 * @key   NFT_META_IIFNAME or NFT_META_OIFNAME
 */
void rule_match_names(const struct cfg *cfg, struct prog *p, struct nftnl_rule *r,
		      uint32_t mask, uint32_t key)
{
	struct prog_set *s;

	if (mask == 0)
		return;
	if ((mask & (mask - 1)) == 0) {
		ex_ifname(r, key, cfg->ports[__builtin_ctz(mask)].name);
		return;
	}
	s = rule_new_set(p, "if", TYPE_IFNAME, 16, false);
	for (size_t i = 0; s && i < cfg->port_count; i++) {
		struct prog_elem *e = mask & (1U << i) ? prog_add_elem(p, s) : NULL;

		if (e)
			memcpy(e->key, cfg->ports[i].name, CFG_NAME_BYTES);
	}
	if (s) {
		ex_meta(r, key, NFT_REG_1);
		ex_lookup(r, share_last_set(p), false);
	}
}

/* Of UDP all but Teredo, of the rest all but tunnels. */
static void match_no_tunnel(struct nftnl_rule *r, uint8_t proto)
{
	static const uint8_t teredo[2] = {TEREDO_PORT >> 8, TEREDO_PORT & 0xff};

	if (proto == IPPROTO_UDP) {
		ex_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
		ex_cmp(r, NFT_CMP_NEQ, teredo, sizeof(teredo));
		return;
	}
	ex_meta(r, NFT_META_L4PROTO, NFT_REG_1);
	ex_lookup_not(r, "tunnels_or_udp");
}

static void finish(const struct cfg_rule *rule, struct nftnl_rule *r, bool is_tcp_reject,
		   bool is_silent)
{
	if (rule->log)
		ex_log(r, rule->id);
	ex_counter(r);
	if (rule->action == CFG_PERMIT)
		ex_verdict(r, NF_ACCEPT);
	else if (rule->action == CFG_DROP || is_silent)
		ex_verdict(r, NF_DROP);
	else if (is_tcp_reject)
		ex_reject(r, NFT_REJECT_TCP_RST, 0);
	else
		ex_reject(r, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}

/*
 * Start a kernel rule that matches what the variant of a rule does.
 */
struct nftnl_rule *rule_match(const struct cfg *cfg, const struct cfg_rule *rule,
			      struct prog *p, const char *chain,
			      const struct rule_variant *v)
{
	struct nftnl_rule *r = prog_add_rule(p, chain, rule->id);

	rule_match_names(cfg, p, r, rule->in_ports, NFT_META_IIFNAME);
	rule_match_names(cfg, p, r, rule->out_ports, NFT_META_OIFNAME);
	if (v->family) {
		ex_family(r, v->family);
		rule_match_addrs(p, r, rule->src, rule->src_count, v->family, true);
		rule_match_addrs(p, r, rule->dst, rule->dst_count, v->family, false);
	}
	if (v->proto)
		ex_proto(r, v->proto);
	if (v->is_any)
		match_no_tunnel(r, v->proto);
	if (v->has_ports)
		rule_match_ports(rule, p, r, v->proto, false);
	if (v->svc && v->svc->has_type)
		ex_u8_at(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, v->svc->type);
	if (v->svc && v->svc->has_code)
		ex_u8_at(r, NFT_PAYLOAD_TRANSPORT_HEADER, 1, v->svc->code);
	if (rule->valid_until_s)
		ex_before(r, rule->valid_until_s);
	return r;
}

static void emit(const struct cfg *cfg, const struct cfg_rule *rule, struct prog *p,
		 const char *chain, const struct rule_variant *v, bool is_silent)
{
	struct nftnl_rule *r = rule_match(cfg, rule, p, chain, v);

	if (cfg_rule_is_limited(rule))
		compile_limits(rule, p, r, v->family, is_silent);
	finish(rule, r, v->proto == IPPROTO_TCP, is_silent);
	if (!cfg_rule_is_limited(rule))
		return;
	/* what the rule matches and its limits do not let through */
	r = rule_match(cfg, rule, p, chain, v);
	ex_counter(r);
	guard_drop(p, r, "over-limit");
}

static struct rule_part *add_part(struct part_list *out, const struct cfg_rule *rule,
				  bool is_silent)
{
	if (out->count == out->room) {
		size_t want = out->room ? out->room * 2 : 16;
		struct rule_part *bigger = realloc(out->v, want * sizeof(*bigger));

		if (!bigger) {
			out->is_full = true;
			return NULL;
		}
		out->v = bigger;
		out->room = want;
	}
	memset(&out->v[out->count], 0, sizeof(*out->v));
	out->v[out->count].rule = rule;
	out->v[out->count].is_silent = is_silent;
	return &out->v[out->count++];
}

static void add_variant(struct rule_part *part, struct rule_variant v)
{
	if (part)
		part->v[part->count++] = v;
}

/* TCP or UDP: one kernel rule for all ports, or for "every port". */
static void transport_part(const struct cfg_rule *rule, uint8_t family, uint8_t proto,
			   bool is_silent, struct part_list *out)
{
	struct rule_variant v = {.family = family, .proto = proto};
	bool has_any = false, has_all = false;

	for (size_t i = 0; i < rule->svc_count; i++) {
		has_any |= rule->svc[i].proto == proto;
		has_all |= rule->svc[i].proto == proto && !rule->svc[i].has_ports;
	}
	v.has_ports = !has_all;
	if (has_any)
		add_variant(add_part(out, rule, is_silent), v);
}

/* A rule without services: two kernel rules when TCP is answered otherwise, or
 * tunnels are left out. */
static void any_part(const struct cfg_rule *rule, uint8_t family, bool is_silent,
		     struct part_list *out)
{
	struct rule_part *part = add_part(out, rule, is_silent);
	bool is_permit = rule->action == CFG_PERMIT;

	if (is_permit)
		add_variant(part, (struct rule_variant){.family = family,
							.proto = IPPROTO_UDP,
							.is_any = true});
	else if (rule->action == CFG_REJECT && !is_silent)
		add_variant(part, (struct rule_variant){.family = family,
							.proto = IPPROTO_TCP});
	add_variant(part, (struct rule_variant){.family = family, .is_any = is_permit});
}

static void service_parts(const struct cfg_rule *rule, uint8_t family, bool is_silent,
			  struct part_list *out)
{
	if (rule->svc_count == 0) {
		any_part(rule, family, is_silent, out);
		return;
	}
	transport_part(rule, family, IPPROTO_TCP, is_silent, out);
	transport_part(rule, family, IPPROTO_UDP, is_silent, out);
	for (size_t i = 0; i < rule->svc_count; i++) {
		const struct cfg_service *svc = &rule->svc[i];
		struct rule_variant v = {
			.family = family, .proto = svc->proto, .svc = svc};

		if (svc->proto == IPPROTO_TCP || svc->proto == IPPROTO_UDP)
			continue;
		if (svc->proto == IPPROTO_ICMP || svc->proto == IPPROTO_ICMPV6) {
			v.family = svc->proto == IPPROTO_ICMP ? 4 : 6;
			if (family && v.family != family)
				continue;
		}
		add_variant(add_part(out, rule, is_silent), v);
	}
}

/*
 * Whether a list of addresses has any of the family; an empty one has all.
 */
bool rule_has_family(const struct net_range *v, size_t n, uint8_t family)
{
	size_t count;

	(void)family_part(v, n, family, &count);
	return n == 0 || count > 0;
}

/*
 * Append what one rule of the configuration matches between two zones, in the
 * order in which it has to be compared.
 *
 * @from  zone the packets come from: a reject answers only to inside zones
 */
void rule_parts(const struct cfg *cfg, const struct cfg_rule *rule, enum zone from,
		struct part_list *out)
{
	bool is_silent = ((1U << from) & ZONE_OUTSIDE) != 0;
	uint32_t in_zone = 0;

	/* `in` names ports of several zones: only those of this pair count */
	for (size_t i = 0; i < cfg->port_count; i++) {
		if (cfg->ports[i].zone == from)
			in_zone |= 1U << i;
	}
	if (rule->in_ports && !(rule->in_ports & in_zone))
		return;
	/* sources are counted by address, so the family must be known */
	if (rule->src_count == 0 && rule->dst_count == 0 && !cfg_rule_is_limited(rule)) {
		service_parts(rule, 0, is_silent, out);
		return;
	}
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		if (rule_has_family(rule->src, rule->src_count, family) &&
		    rule_has_family(rule->dst, rule->dst_count, family))
			service_parts(rule, family, is_silent, out);
	}
}

/*
 * Append the kernel rules that compare one part to a chain.
 */
void compile_part(const struct cfg *cfg, const struct rule_part *part, struct prog *p,
		  const char *chain)
{
	for (unsigned i = 0; i < part->count; i++)
		emit(cfg, part->rule, p, chain, &part->v[i], part->is_silent);
}

/*
 * Fill the chain to which the maps send what a rule matches: log, counter,
 * verdict. What it leaves undecided (tunnels) goes on behind the map.
 */
void compile_rule_chain(const struct cfg_rule *rule, struct prog *p, const char *chain,
			bool is_silent)
{
	bool answers = rule->action == CFG_REJECT && !is_silent;
	bool is_any = rule->svc_count == 0;
	bool has_tcp = is_any, has_other = is_any;
	struct nftnl_rule *r;

	for (size_t i = 0; i < rule->svc_count; i++) {
		has_tcp |= rule->svc[i].proto == IPPROTO_TCP;
		has_other |= rule->svc[i].proto != IPPROTO_TCP;
	}
	if (is_any && rule->action == CFG_PERMIT) {
		r = prog_add_rule(p, chain, rule->id);
		ex_proto(r, IPPROTO_UDP);
		match_no_tunnel(r, IPPROTO_UDP);
		finish(rule, r, false, is_silent);
	} else if (answers && has_tcp && has_other) {
		r = prog_add_rule(p, chain, rule->id);
		ex_proto(r, IPPROTO_TCP);
		finish(rule, r, true, is_silent);
	}
	r = prog_add_rule(p, chain, rule->id);
	if (is_any && rule->action == CFG_PERMIT)
		match_no_tunnel(r, 0);
	finish(rule, r, answers && has_tcp && !has_other, is_silent);
}
