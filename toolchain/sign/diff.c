/*
 * The difference of two configurations in words: each port, route and rule is
 * one sentence; a sentence that is new, gone or changed is shown. Objects and
 * services stand resolved in the rules, so that a changed object shows up in
 * every rule that it changes.
 */
#include "sign.h"

#include <stdlib.h>
#include <string.h>

/* The longest sentence: two lists of addresses and one of services. */
#define SENTENCE_BYTES                                                                   \
	(CONFIG_CFG_MAX_OBJECT_ITEMS *                                                   \
		 (2 * CFG_RANGE_TEXT_BYTES + CFG_SERVICE_TEXT_BYTES) +                   \
	 65536)
#define KEY_BYTES 128
#define WORDS_SHOWN 600 /* bytes of a sentence whose new words are also told apart */

/* What is to be said about one configuration. */
struct item {
	const char *key; /* the same thing in both has the same key */
	char *text;
	const char *before;  /* NULL, or the id of what stands behind it */
	bool is_ordered;     /* its place matters: the first match decides */
	const char *warning; /* NULL, or what a signer must not overlook */
};

struct items {
	struct item *v;
	size_t count;
	uint8_t *room; /* SENTENCE_BYTES in which a sentence is written */
};

/*
 * Write the zones of a rule in words.
 */
void put_zones(struct sbuf *b, uint32_t mask, bool is_any)
{
	bool first = true;

	if (is_any)
		sbuf_putf(b, "%s", T("any zone", "mọi vùng"));
	for (unsigned z = 0; !is_any && z < ZONE_COUNT; z++) {
		if (!(mask & (1U << z)))
			continue;
		sbuf_putf(b, "%s%s", first ? "" : "+", cfg_zone_name((enum zone)z));
		first = false;
	}
}

static void put_ports(struct sbuf *b, const struct cfg *cfg, uint32_t mask)
{
	for (size_t p = 0; p < cfg->port_count; p++) {
		if (mask & (1U << p))
			sbuf_putf(b, " %s %s", T("port", "cổng"), cfg->ports[p].name);
	}
}

/*
 * Write addresses in brackets, all of them: what is not shown could be changed
 * unseen. Nothing for none.
 */
void put_ranges(struct sbuf *b, const struct net_range *v, size_t n)
{
	if (n == 0)
		return;
	sbuf_putf(b, " (");
	for (size_t i = 0; i < n; i++) {
		char text[CFG_RANGE_TEXT_BYTES];

		cfg_range_text(&v[i], text);
		sbuf_putf(b, "%s%s", i ? ", " : "", text);
	}
	sbuf_putf(b, ")");
}

/*
 * Write the services of a rule in words.
 */
void put_services(struct sbuf *b, const struct cfg_rule *r)
{
	if (r->svc_count == 0)
		sbuf_putf(b, "%s", T("everything", "mọi dịch vụ"));
	for (size_t i = 0; i < r->svc_count; i++) {
		char text[CFG_SERVICE_TEXT_BYTES];

		cfg_service_text(&r->svc[i], text);
		sbuf_putf(b, "%s%s", i ? ", " : "", text);
	}
}

static const char *action_word(enum cfg_action a)
{
	return a == CFG_PERMIT ? T("permit", "cho phép")
	       : a == CFG_DROP ? T("drop", "chặn")
			       : T("reject", "từ chối");
}

static void put_limits(struct sbuf *b, const struct cfg_rule *r)
{
	const struct cfg_rule_limit *l = &r->limit;
	char until[CFG_TIME_TEXT_BYTES];

	if (l->connections)
		sbuf_putf(b, T(", at most %u connections", ", tối đa %u kết nối"),
			  l->connections);
	if (l->source_connections)
		sbuf_putf(b,
			  T(", at most %u connections of one source",
			    ", tối đa %u kết nối của một nguồn"),
			  l->source_connections);
	if (l->source_new)
		sbuf_putf(b,
			  T(", at most %u new ones a minute of one source",
			    ", tối đa %u kết nối mới mỗi phút của một nguồn"),
			  l->source_new);
	if (l->half_open)
		sbuf_putf(b,
			  T(", beyond %u a minute clients must prove themselves",
			    ", quá %u mỗi phút thì máy khách phải tự chứng minh"),
			  l->half_open);
	if (r->valid_until_s) {
		cfg_time_text(r->valid_until_s, until);
		sbuf_putf(b, T(", until %s", ", đến %s"), until);
	}
}

static void rule_text(struct sbuf *b, const struct cfg *cfg, const struct cfg_rule *r)
{
	sbuf_putf(b, T("rule %s: %s ", "luật %s: %s "), r->id, action_word(r->action));
	put_services(b, r);
	sbuf_putf(b, T(" from ", " từ "));
	put_zones(b, r->from, r->from_any);
	put_ports(b, cfg, r->in_ports);
	put_ranges(b, r->src, r->src_count);
	sbuf_putf(b, T(" to ", " đến "));
	put_zones(b, r->to, r->to_any);
	put_ports(b, cfg, r->out_ports);
	put_ranges(b, r->dst, r->dst_count);
	put_limits(b, r);
	if (r->log)
		sbuf_putf(b, T(", logged", ", có ghi nhật ký"));
	if (r->comment[0])
		sbuf_putf(b, " [%s]", r->comment);
}

/* What a port is made of. */
static void put_kind(struct sbuf *b, const struct cfg *cfg, const struct cfg_port *p)
{
	switch (p->kind) {
	case CFG_VLAN:
		sbuf_putf(b, T("VLAN %u on port %s", "VLAN %u trên cổng %s"), p->vlan_id,
			  cfg->ports[p->vlan_of].name);
		break;
	case CFG_BRIDGE:
		sbuf_putf(b, "%s", T("bridge of", "cầu nối gồm"));
		for (size_t i = 0; i < p->member_count; i++)
			sbuf_putf(b, "%s %s %s", i ? "," : "",
				  cfg_hw_kind(&p->members[i]), p->members[i].text);
		sbuf_putf(b, "%s",
			  T("; no filter between them", "; không lọc giữa chúng"));
		break;
	case CFG_WIREGUARD:
		sbuf_putf(b,
			  T("WireGuard tunnel on UDP %u", "đường hầm WireGuard, UDP %u"),
			  p->listen);
		if (p->is_roaming)
			sbuf_putf(b, "%s",
				  T(", open to any address outside",
				    ", mở cho mọi địa chỉ bên ngoài"));
		break;
	case CFG_HARDWARE:
	default:
		sbuf_putf(b, "%s %s", cfg_hw_kind(&p->hw), p->hw.text);
		break;
	}
}

static void port_text(struct sbuf *b, const struct cfg *cfg, const struct cfg_port *p)
{
	char text[NET_TEXT_BYTES];

	sbuf_putf(b, T("port %s (", "cổng %s ("), p->name);
	put_kind(b, cfg, p);
	if (p->zone == ZONE_NONE)
		sbuf_putf(b, "%s",
			  T(") in no zone, carries VLANs only",
			    ") không thuộc vùng nào, chỉ mang VLAN"));
	else
		sbuf_putf(b, T(") in zone %s:", ") thuộc vùng %s:"),
			  cfg_zone_name(p->zone));
	for (size_t i = 0; i < p->addr_count; i++)
		sbuf_putf(b, " %s", net_prefix_text(&p->addrs[i], text));
}

static void peer_text(struct sbuf *b, const struct cfg_port *p,
		      const struct cfg_peer *peer)
{
	char key[CFG_KEY_TEXT_BYTES], text[NET_TEXT_BYTES];
	char endpoint[CFG_ENDPOINT_TEXT_BYTES];

	cfg_key_text(peer->key, key);
	sbuf_putf(b, T("tunnel %s, peer %s", "đường hầm %s, đầu bên kia %s"), p->name,
		  key);
	if (peer->has_endpoint) {
		cfg_endpoint_text(peer, endpoint);
		sbuf_putf(b, T(" at %s", " tại %s"), endpoint);
	} else {
		sbuf_putf(b, "%s", T(" at any address", " tại bất kỳ địa chỉ nào"));
	}
	if (peer->keepalive_s)
		sbuf_putf(b, T(", keepalive %u s", ", giữ kết nối %u giây"),
			  peer->keepalive_s);
	sbuf_putf(b, "%s", T("; networks behind it:", "; mạng phía sau:"));
	for (size_t i = 0; i < peer->allowed_count; i++)
		sbuf_putf(b, " %s", net_prefix_text(&peer->allowed[i], text));
}

static bool is_open(const struct cfg_rule *r)
{
	return r->action == CFG_PERMIT && (r->from & ZONE_OUTSIDE) &&
	       (r->to & ~ZONE_OUTSIDE);
}

static struct item *add(struct items *x, const char *kind, const char *key,
			const char *text, const char *warning)
{
	struct item *v = realloc(x->v, (x->count + 1) * sizeof(*v));
	char full[KEY_BYTES];

	if (!v)
		abort(); /* a PC without memory cannot show what would be signed */
	x->v = v;
	memset(&v[x->count], 0, sizeof(*v));
	(void)snprintf(full, sizeof(full), "%s %s", kind, key);
	v[x->count].key = strdup(full);
	v[x->count].text = strdup(text);
	v[x->count].warning = warning;
	if (!v[x->count].key || !v[x->count].text)
		abort();
	return &v[x->count++];
}

/* Begin a sentence. */
static struct sbuf fresh(const struct items *x)
{
	struct sbuf b;

	sbuf_init(&b, x->room, SENTENCE_BYTES);
	return b;
}

/* The sentence that was written; half a sentence is never shown. */
static const char *whole(struct sbuf *b)
{
	if (b->is_full || b->n >= SENTENCE_BYTES)
		abort();
	b->p[b->n] = '\0';
	return (const char *)b->p;
}

/* Settings of the whole appliance, one sentence each. */
static void add_settings(struct items *x, const struct cfg *cfg)
{
	struct sbuf b = fresh(x);

	sbuf_putf(&b, T("level profile: %s", "cấp độ: %s"),
		  cfg_profile_name(cfg->profile));
	add(x, "profile", "", whole(&b),
	    cfg->profile == PROFILE_NONE ? T("NO LEVEL PROFILE", "KHÔNG CÓ CẤP ĐỘ")
					 : NULL);
	for (unsigned i = 0; i < CFG_TIMEOUT_COUNT; i++) {
		const char *key = cfg_timeout_info((enum cfg_timeout)i)->key;

		b = fresh(x);
		sbuf_putf(&b, T("idle time %s: %u s", "thời gian chờ %s: %u giây"), key,
			  cfg->timeout_s[i]);
		add(x, "timeout", key, whole(&b), NULL);
	}
	b = fresh(x);
	sbuf_putf(&b, T("connection table: %u", "bảng kết nối: %u"),
		  cfg->max_connections);
	add(x, "connections", "", whole(&b), NULL);
	b = fresh(x);
	sbuf_putf(&b, T("time to confirm: %u s", "thời gian xác nhận: %u giây"),
		  cfg->confirm_window_s);
	add(x, "window", "", whole(&b), NULL);
}

/* Who manages, and where the SOC is. */
static void add_plane(struct items *x, const struct cfg *cfg)
{
	char addr[NET_TEXT_BYTES];
	struct sbuf b = fresh(x);

	if (cfg->management.is_set) {
		sbuf_putf(&b,
			  T("management on port %s, from", "quản trị qua cổng %s, từ"),
			  cfg->ports[cfg->management.port].name);
		put_ranges(&b, cfg->management.sources, cfg->management.source_count);
		add(x, "management", "", whole(&b), NULL);
	}
	for (size_t i = 0; i < cfg->soc.count; i++) {
		b = fresh(x);
		sbuf_putf(&b, "SOC: %s", net_addr_text(&cfg->soc.addrs[i], addr));
		add(x, "soc", addr, whole(&b), NULL);
	}
}

/* One sentence for a port, and one for each end of a tunnel. */
static void port_sentences(struct items *x, const struct cfg *cfg,
			   const struct cfg_port *p)
{
	char key[CFG_NAME_BYTES + CFG_KEY_TEXT_BYTES];
	struct sbuf b = fresh(x);

	port_text(&b, cfg, p);
	add(x, "port", p->name, whole(&b),
	    p->is_roaming ? T("OPEN TO ALL OUTSIDE", "MỞ VỚI MỌI PHÍA NGOÀI") : NULL);
	for (size_t i = 0; i < p->peer_count; i++) {
		size_t n = strlen(p->name);

		memcpy(key, p->name, n);
		cfg_key_text(p->peers[i].key, key + n);
		b = fresh(x);
		peer_text(&b, p, &p->peers[i]);
		add(x, "peer", key, whole(&b), NULL);
	}
}

/* Rules and translations, in their order. */
static void add_ordered(struct items *x, const struct cfg *cfg)
{
	struct item *item;

	for (size_t i = 0; i < cfg->rule_count; i++) {
		struct sbuf b = fresh(x);

		rule_text(&b, cfg, &cfg->rules[i]);
		item = add(x, "rule", cfg->rules[i].id, whole(&b),
			   is_open(&cfg->rules[i])
				   ? T("LETS THE OUTSIDE IN", "MỞ TỪ NGOÀI VÀO TRONG")
				   : NULL);
		item->is_ordered = true;
		item->before = i + 1 < cfg->rule_count ? cfg->rules[i + 1].id : NULL;
	}
	for (size_t i = 0; i < nat_count(cfg); i++) {
		struct sbuf b = fresh(x);

		nat_text(&b, cfg, i);
		item = add(x, "nat", nat_id(cfg, i), whole(&b), NULL);
		item->is_ordered = true;
		item->before = nat_before(cfg, i);
	}
}

/* Every sentence about a configuration. */
static struct items sentences(const struct cfg *cfg)
{
	char key[NET_TEXT_BYTES], via[NET_TEXT_BYTES];
	struct items x = {.room = malloc(SENTENCE_BYTES)};
	struct sbuf b;

	if (!x.room)
		abort(); /* as in add() */
	if (!cfg)
		return x;
	b = fresh(&x);
	sbuf_putf(&b, T("agency: %s", "cơ quan: %s"), cfg->agency);
	add(&x, "agency", "", whole(&b), NULL);
	b = fresh(&x);
	sbuf_putf(&b, T("device: %s", "thiết bị: %s"), cfg->device);
	add(&x, "device", "", whole(&b), NULL);
	add_settings(&x, cfg);
	add_plane(&x, cfg);
	for (size_t i = 0; i < cfg->port_count; i++)
		port_sentences(&x, cfg, &cfg->ports[i]);
	for (size_t i = 0; i < cfg->route_count; i++) {
		if (cfg->routes[i].is_allowed)
			continue;
		b = fresh(&x);
		sbuf_putf(&b, T("route: %s through %s", "định tuyến: %s qua %s"),
			  net_prefix_text(&cfg->routes[i].to, key),
			  net_addr_text(&cfg->routes[i].via, via));
		add(&x, "route", key, whole(&b), NULL);
	}
	add_ordered(&x, cfg);
	return x;
}

static void free_items(struct items *x)
{
	for (size_t i = 0; i < x->count; i++) {
		free((void *)(uintptr_t)x->v[i].key);
		free(x->v[i].text);
	}
	free(x->v);
	free(x->room);
}

static const struct item *find(const struct items *x, const char *key)
{
	for (size_t i = 0; i < x->count; i++) {
		if (strcmp(x->v[i].key, key) == 0)
			return &x->v[i];
	}
	return NULL;
}

/* Rules that both have, in another order: the first match decides, so this
 * matters even when no rule changed. */
static unsigned moved(const struct cfg *old, const struct cfg *now, FILE *f)
{
	size_t last = 0;

	for (size_t i = 0; i < now->rule_count; i++) {
		size_t k = 0;

		while (k < old->rule_count &&
		       strcmp(old->rules[k].id, now->rules[i].id) != 0)
			k++;
		if (k == old->rule_count)
			continue;
		if (k < last) {
			(void)fprintf(f,
				      T("  ~ the order of rules changes: %s comes later "
					"than before\n",
					"  ~ thứ tự luật thay đổi: %s đứng sau so với "
					"trước\n"),
				      now->rules[i].id);
			return 1;
		}
		last = k;
	}
	return 0;
}

/* Where the next word of a sentence begins, and how long it is. */
static size_t word(const char **at)
{
	*at += strspn(*at, " (),");
	return strcspn(*at, " (),");
}

static bool has_word(const char *text, const char *w, size_t n)
{
	for (size_t len = word(&text); len > 0; text += len, len = word(&text)) {
		if (len == n && memcmp(text, w, n) == 0)
			return true;
	}
	return false;
}

/* What stands in one sentence only: a new address among hundreds is overlooked. */
static void put_words(const char *text, const char *other, const char *title, FILE *f)
{
	bool has_any = false;

	for (size_t n = word(&text); n > 0; text += n, n = word(&text)) {
		if (has_word(other, text, n))
			continue;
		(void)fprintf(f, "%s%.*s", has_any ? " " : title, (int)n, text);
		has_any = true;
	}
	if (has_any)
		(void)fputc('\n', f);
}

static void put_change(const struct item *was, const struct item *is, FILE *f)
{
	(void)fprintf(f, T("  ~ before: %s\n", "  ~ trước: %s\n"), was->text);
	(void)fprintf(f, T("  ~ now:    %s", "  ~ nay:   %s"), is->text);
	(void)fprintf(f, "%s%s\n", is->warning ? "   ! " : "",
		      is->warning ? is->warning : "");
	if (strlen(is->text) < WORDS_SHOWN && strlen(was->text) < WORDS_SHOWN)
		return;
	put_words(was->text, is->text, T("    gone: ", "    bỏ: "), f);
	put_words(is->text, was->text, T("    new: ", "    thêm: "), f);
}

static void put_new(const struct item *is, bool has_old, FILE *f)
{
	(void)fprintf(f, "  + %s", is->text);
	if (has_old && is->is_ordered && is->before)
		(void)fprintf(f, T(" <before %s>", " <đứng trước %s>"), is->before);
	else if (has_old && is->is_ordered)
		(void)fprintf(f, "%s", T(" <at the end>", " <ở cuối>"));
	(void)fprintf(f, "%s%s\n", is->warning ? "   ! " : "",
		      is->warning ? is->warning : "");
}

/*
 * Write what changes from @old to @now, one line each: "+" new, "-" gone, "~"
 * changed; "!" marks what a signer must not overlook.
 *
 * @old  NULL when there was nothing before
 *
 * Returns the number of changes.
 */
unsigned diff_words(const struct cfg *old, const struct cfg *now, FILE *f)
{
	struct items a = sentences(old), b = sentences(now);
	unsigned changes = 0;

	for (size_t i = 0; i < a.count; i++) {
		if (find(&b, a.v[i].key))
			continue;
		(void)fprintf(f, "  - %s\n", a.v[i].text);
		changes++;
	}
	for (size_t i = 0; i < b.count; i++) {
		const struct item *was = find(&a, b.v[i].key);

		if (was && strcmp(was->text, b.v[i].text) == 0)
			continue;
		if (was)
			put_change(was, &b.v[i], f);
		else
			put_new(&b.v[i], old != NULL, f);
		changes++;
	}
	if (old)
		changes += moved(old, now, f) + nat_moved(old, now, f);
	(void)fprintf(f, T("  %u change(s)\n", "  %u thay đổi\n"), changes);
	free_items(&a);
	free_items(&b);
	return changes;
}
