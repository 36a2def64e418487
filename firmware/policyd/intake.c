#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hex.h"
#include "say.h"
#include "sig.h"

#define RETRY_FIRST_S 10
#define RETRY_MOST_S 600

/*
 * Write a refusal as key=value words in one line.
 */
void intake_explain(const struct cfg_error *error, char *text, size_t max)
{
	struct cfg_error e = *error;
	char place[48] = "";

	say_clean(e.path);
	say_clean(e.reason);
	say_clean(e.fix);
	if (e.line)
		(void)snprintf(place, sizeof(place), " line=%u column=%u", e.line,
			       e.column);
	(void)snprintf(text, max, "path=%s%s reason=\"%s\" fix=\"%s\"", e.path, place,
		       e.reason, e.fix);
}

/*
 * The refusal of a file that is too long to be read at all.
 *
 * @n    its size in bytes, 0 when unknown
 * @max  the limit
 */
void intake_too_long(size_t n, size_t max, struct cfg_error *error)
{
	memset(error, 0, sizeof(*error));
	(void)snprintf(error->path, sizeof(error->path), "$");
	(void)snprintf(error->reason, sizeof(error->reason),
		       "%zu bytes are over the limit of %zu", n, max);
	(void)snprintf(error->fix, sizeof(error->fix), "shorten it");
}

/*
 * A failure behind the document itself, as one line.
 */
void intake_explain_engine(const struct engine *e, int code, char *text, size_t max)
{
	struct cfg_error error = {.path = "$"};
	const char *fix = "send this line to support; in force is what the next line "
			  "says";

	if (code == ERR_NOENT || code == ERR_EXIST)
		fix = "correct \"match\" of this port, or plug the interface in";
	else if (code == ERR_TYPE)
		fix = "remove this port: this firmware cannot make it";
	(void)snprintf(error.reason, sizeof(error.reason), "%.250s", e->why);
	(void)snprintf(error.fix, sizeof(error.fix), "%s", fix);
	intake_explain(&error, text, max);
}

/* Now, as far as this device knows: never before what it has seen signed, and never
 * back: a rule that has ended stays ended when the clock jumps. */
static int64_t now_s(struct intake *in)
{
	int64_t now = (int64_t)time(NULL);

	if (in->trust.is_open && now < (int64_t)in->trust.store.index.clock_s)
		now = (int64_t)in->trust.store.index.clock_s;
	if (now > in->latest_s)
		in->latest_s = now;
	return in->latest_s;
}

/* The configuration of a verified artifact. On failure one line in @why. */
static int parse(struct intake *in, const struct man *m, struct cfg *cfg, char *why,
		 size_t max)
{
	struct cfg_error error;
	int r = cfg_parse(m->payload, cfg, &error);

	if (r != ERR_OK) {
		intake_explain(&error, why, max);
		return r;
	}
	memset(&error, 0, sizeof(error));
	/* the manifest says what was signed for whom; the document must agree */
	if (!span_eq_str(m->scope.name, cfg->device)) {
		(void)snprintf(error.path, sizeof(error.path), "$.device");
		(void)snprintf(error.reason, sizeof(error.reason),
			       "the signature is for device %.*s, the configuration for "
			       "%s",
			       (int)m->scope.name.n, (const char *)m->scope.name.p,
			       cfg->device);
		r = ERR_SCOPE;
	} else if (m->version != cfg->serial) {
		(void)snprintf(error.path, sizeof(error.path), "$.serial");
		(void)snprintf(error.reason, sizeof(error.reason),
			       "the signature is for version %llu, the configuration is "
			       "serial %llu",
			       (unsigned long long)m->version,
			       (unsigned long long)cfg->serial);
		r = ERR_FORMAT;
	}
	if (r == ERR_OK) {
		hex_encode(m->payload_sha256, SIG_SHA256_BYTES, cfg->sha256);
		cfg->issued_s = (int64_t)m->issued_s;
		cfg_judge(cfg, now_s(in));
		return r;
	}
	(void)snprintf(error.fix, sizeof(error.fix),
		       "make the artifact with `sign config`");
	intake_explain(&error, why, max);
	cfg_clear(cfg);
	return r;
}

/*
 * Forget the configuration whose addresses stayed during a trial.
 */
void intake_drop_old(struct intake *in)
{
	in->engine.also = NULL;
	cfg_clear(&in->old);
}

/*
 * Say what is in force, on the console.
 */
void intake_say_enforced(const struct engine *e, const char *how)
{
	say("enforced",
	    "serial=%llu rules=%zu ports=%zu kernel-rules=%zu generation=%u cut=%zu "
	    "sha256=%.16s how=%s",
	    (unsigned long long)e->cfg.serial, e->cfg.rule_count, e->cfg.port_count,
	    e->kernel_rules, e->generation, e->cut, e->cfg.sha256, how);
}

/*
 * Say what is in force after something did not come into force.
 */
void intake_say_state(const struct engine *e)
{
	if (e->state == ENGINE_ENFORCED)
		intake_say_enforced(e, "unchanged");
	else if (e->state == ENGINE_BROKEN)
		say("broken", "reason=\"%s\"", e->why);
	else
		say(engine_state_name(e->state), "rules=%zu", e->kernel_rules);
}

/*
 * Read, verify and parse a stored configuration.
 *
 * @cfg  on ERR_OK the caller clears it
 * @why  on failure one line
 */
int intake_load_slot(struct intake *in, enum store_slot slot, struct cfg *cfg, char *why,
		     size_t max)
{
	struct store *s = &in->trust.store;
	const struct store_config *c = &s->index.config[slot];
	struct man_report rep;
	uint8_t *text = NULL;
	struct man m;
	int r;

	if (c->ref.n == 0) {
		(void)snprintf(why, max,
			       "path=$ reason=\"none is stored\" fix=\"apply a "
			       "configuration\"");
		return ERR_NOENT;
	}
	r = store_load(s, &c->ref, MAN_CONFIG_FILE_MAX, &text);
	if (r != ERR_OK) {
		(void)snprintf(why, max,
			       "path=$ reason=\"%s\" fix=\"check the data "
			       "partition, then apply a configuration\"",
			       s->why);
		return r == ERR_NOENT ? ERR_SYS : r;
	}
	r = trust_verify_stored(&in->trust, MAN_CONFIG, c->keyset,
				span_of(text, c->ref.n), &m, &rep);
	if (r == ERR_OK)
		r = parse(in, &m, cfg, why, max);
	else
		trust_explain(&rep, why, max);
	free(text);
	return r;
}

/* Bring a parsed configuration into force at boot. */
static void enforce_stored(struct engine *e, struct cfg *cfg, bool has_table)
{
	char why[INTAKE_TEXT_BYTES];
	int r = ERR_MISMATCH;

	if (has_table && e->state == ENGINE_KEPT) {
		r = engine_adopt(e, cfg);
		if (r == ERR_OK) {
			intake_say_enforced(e, "adopted");
			return;
		}
		say("differs", "reason=\"%s\"", e->why);
	}
	r = engine_apply(e, cfg, e->also, NULL);
	if (r == ERR_OK) {
		intake_say_enforced(e, "applied");
		return;
	}
	intake_explain_engine(e, r, why, sizeof(why));
	say("refused", "file=stored %s", why);
	cfg_clear(cfg);
	intake_say_state(e);
}

/* Shut the box unless an earlier run has left a table. False when it could be
 * neither read nor shut. */
static bool boot_closed(struct engine *e, bool *has_table)
{
	int r = engine_has_table(e, has_table);

	if (r == ERR_OK && *has_table) {
		engine_recognise(e);
		return true;
	}
	if (r != ERR_OK)
		say("unknown", "reason=\"%s\"", e->why);
	r = engine_shut(e);
	if (r != ERR_OK) {
		say("broken", "reason=\"%s\"", e->why);
		return false;
	}
	say("closed", "rules=%zu generation=%u", e->kernel_rules, e->generation);
	return true;
}

/*
 * What policyd does when it starts. With no table of ours in the kernel the
 * machine has just booted: shut it, then bring the stored configuration into
 * force. With a table an earlier run has died: what the kernel enforces stays,
 * unless it differs from the stored configuration. A configuration that was
 * still on trial when the power went off gives way to the one before it.
 *
 * The outcome is on the console and in in->engine.state.
 */
void intake_boot(struct intake *in)
{
	struct engine *e = &in->engine;
	char why[INTAKE_TEXT_BYTES];
	bool has_table = false;
	struct cfg cfg;
	int r;

	if (!boot_closed(e, &has_table))
		return;
	if (trust_open(&in->trust) != ERR_OK) {
		say("no-trust",
		    "reason=\"%s\" fix=\"nothing can be accepted; see the "
		    "technician's guide\"",
		    in->trust.why);
		if (has_table)
			intake_say_state(e);
		return;
	}
	if (trial_is_on(in) &&
	    (!has_table || !trial_is_of_this_boot(in) || trial_left_s(in) == 0)) {
		trial_end(in,
			  has_table ? "not confirmed in time"
				    : "the power went off before it was confirmed",
			  NULL);
		return;
	}
	if (trial_is_on(in) &&
	    intake_load_slot(in, STORE_PREVIOUS, &in->old, why, sizeof(why)) == ERR_OK)
		e->also = &in->old;
	r = intake_load_slot(in, STORE_ACTIVE, &cfg, why, sizeof(why));
	if (r == ERR_OK) {
		enforce_stored(e, &cfg, has_table);
		return;
	}
	if (r != ERR_NOENT)
		say("refused", "file=stored %s", why);
	if (e->state == ENGINE_KEPT)
		say("kept", "reason=\"no valid stored configuration\"");
	else if (has_table)
		intake_say_state(e);
}

/* Keep the new configuration on flash, on trial, floor raised: one commit. */
static int save(struct intake *in, struct span file, const struct man *m, char *why,
		size_t max)
{
	struct store *s = &in->trust.store;
	struct store_index *next = malloc(sizeof(*next));
	struct man_floor floor;
	int r = ERR_NOMEM;

	if (!next) {
		(void)snprintf(s->why, sizeof(s->why), "out of memory");
		goto out;
	}
	*next = s->index;
	/* what was not confirmed is nothing to go back to */
	if (!next->trial.is_on)
		next->config[STORE_PREVIOUS] = next->config[STORE_ACTIVE];
	next->config[STORE_ACTIVE].keyset = in->trust.keys.version;
	man_floor_of(&in->trust.keys, m, &floor);
	r = store_floor_set(next, man_floor_type(m->type), &m->scope, &floor);
	if (r == ERR_OK)
		r = trial_plan(next, &in->engine.cfg);
	if (r == ERR_OK)
		r = store_add(s, file, &next->config[STORE_ACTIVE].ref);
	else
		(void)snprintf(s->why, sizeof(s->why), "floor or code: %s", err_text(r));
	if (r == ERR_OK)
		r = store_commit(s, next);
out:
	free(next);
	if (r == ERR_OK)
		return r;
	(void)snprintf(
		why, max,
		"path=$ reason=\"not stored: %s\" fix=\"check the data partition\"",
		s->why);
	say("not-stored", "serial=%llu %s", (unsigned long long)in->engine.cfg.serial,
	    why);
	return r;
}

/* Parse, enforce, store a verified artifact. @out->text is set on failure. */
static int take(struct intake *in, struct span file, const struct man *m,
		struct intake_result *out)
{
	struct engine *e = &in->engine;
	bool had = e->state == ENGINE_ENFORCED;
	bool was_on_trial = trial_is_on(in);
	const struct cfg *also = NULL;
	struct cfg cfg, previous;
	struct selftest before;
	int r = parse(in, m, &cfg, out->text, sizeof(out->text));

	if (r != ERR_OK)
		return r;
	selftest_before(&e->rtnl, &e->cfg, &before);
	if (had)
		also = was_on_trial ? e->also : &e->cfg;
	r = engine_apply(e, &cfg, also, &previous);
	if (r != ERR_OK) {
		intake_explain_engine(e, r, out->text, sizeof(out->text));
		cfg_clear(&cfg);
		return r;
	}
	r = save(in, file, m, out->text, sizeof(out->text));
	if (r == ERR_OK)
		in->trial_over = false; /* the store now tells of this one's trial */
	if (r != ERR_OK &&
	    (!had || engine_apply(e, &previous, e->also, NULL) != ERR_OK)) {
		int shut = engine_shut(e);

		(void)shut; /* e->state says how it ended */
	} else if (r == ERR_OK && !was_on_trial) {
		/* while it is on trial, "before" is what was confirmed */
		in->before = before;
		in->old = previous;
		memset(&previous, 0, sizeof(previous));
		e->also = had ? &in->old : NULL;
	}
	cfg_clear(&previous);
	return r;
}

static size_t fd_bytes(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size : 0;
}

/*
 * Map what a peer sent, for intake_put_*().
 *
 * @max     bytes
 * @result  on failure its text says why
 */
int intake_map(int memfd, size_t max, struct sealed *out, struct intake_result *result)
{
	struct cfg_error error = {.path = "$"};
	int r = sealed_map(memfd, max, out);

	if (r == ERR_OK)
		return r;
	if (r == ERR_LIMIT)
		intake_too_long(fd_bytes(memfd), max, &error);
	else
		(void)snprintf(error.reason, sizeof(error.reason), "%s",
			       r == ERR_SHORT ? "the file is empty" : err_text(r));
	if (r != ERR_LIMIT)
		(void)snprintf(error.fix, sizeof(error.fix), "%s",
			       r == ERR_SHORT ? "send the artifact"
					      : "send it as a sealed memfd");
	intake_explain(&error, result->text, sizeof(result->text));
	return r;
}

/* What is said about a configuration that is in force. */
static void say_accepted(struct intake *in, struct intake_result *out)
{
	const struct engine *e = &in->engine;
	const struct store_trial *t = &in->trust.store.index.trial;
	char trial[160] = "", ways[80];
	struct selftest now;

	if (trial_is_on(in)) {
		selftest_run(&in->engine.rtnl, &e->cfg, &now);
		selftest_text(&now, ' ', ways, sizeof(ways));
		(void)snprintf(trial, sizeof(trial), " confirm=%s within=%llu %s",
			       t->code, (unsigned long long)trial_left_s(in), ways);
	}
	(void)snprintf(out->text, sizeof(out->text), "rules=%zu ports=%zu%s%s",
		       e->cfg.rule_count, e->cfg.port_count,
		       out->code == ERR_OK ? "" : " accepted before", trial);
	intake_say_enforced(e, out->code == ERR_OK ? "applied" : "unchanged");
	if (trial_is_on(in))
		say("on-trial", "serial=%llu within=%llu %s",
		    (unsigned long long)e->cfg.serial,
		    (unsigned long long)trial_left_s(in), ways);
}

/*
 * Take one configuration from a peer: check the memfd, verify, parse, enforce,
 * store. It is on trial afterwards.
 *
 * @memfd  stays the caller's
 * @out    code ERR_OK: in force and stored; ERR_ALREADY: this very artifact was
 *         accepted before and is in force; anything else: what was in force
 *         stays, @out->text says why and what to do
 *
 * The outcome is on the console too.
 */
void intake_put(struct intake *in, int memfd, struct intake_result *out)
{
	struct engine *e = &in->engine;
	struct sealed map_of = {.data = {NULL, 0}};
	struct man_report rep;
	struct man m;

	memset(out, 0, sizeof(*out));
	out->code = intake_map(memfd, MAN_CONFIG_FILE_MAX, &map_of, out);
	if (out->code == ERR_OK) {
		out->code = trust_verify_new(&in->trust, MAN_CONFIG, true, map_of.data,
					     &m, &rep);
		if (out->code == ERR_OK) {
			out->version = m.version;
			out->code = take(in, map_of.data, &m, out);
		} else {
			out->version = e->cfg.serial;
			trust_explain(&rep, out->text, sizeof(out->text));
			/* accepted before, but not (any more) what is enforced */
			if (out->code == ERR_ALREADY &&
			    (e->state != ENGINE_ENFORCED || m.version != e->cfg.serial))
				out->code = ERR_ROLLBACK;
		}
		sealed_unmap(&map_of);
	}
	if (out->code == ERR_OK || out->code == ERR_ALREADY) {
		say_accepted(in, out);
		return;
	}
	say("refused", "file=upload %s", out->text);
	intake_say_state(e);
}

/*
 * Take the next keyset from a peer.
 *
 * @out  as with intake_put()
 */
void intake_put_keyset(struct intake *in, int memfd, struct intake_result *out)
{
	struct sealed map_of = {.data = {NULL, 0}};
	struct man_report rep = {.why = MAN_WHY_OK, .field = ""};

	memset(out, 0, sizeof(*out));
	out->code = intake_map(memfd, MAN_TEXT_MAX, &map_of, out);
	if (out->code == ERR_OK) {
		out->code =
			trust_take_keyset(&in->trust, map_of.data, &rep, &out->version);
		sealed_unmap(&map_of);
		if (out->code != ERR_OK && rep.why != MAN_WHY_OK)
			trust_explain(&rep, out->text, sizeof(out->text));
		else if (out->code != ERR_OK)
			(void)snprintf(out->text, sizeof(out->text),
				       "path=keyset reason=\"%s\" fix=\"check the data "
				       "partition\"",
				       in->trust.why);
	}
	if (out->code == ERR_OK)
		say("keyset", "version=%llu", (unsigned long long)out->version);
	else if (out->code != ERR_ALREADY)
		say("refused", "file=upload %s", out->text);
}

/*
 * Look whether the kernel still has what it should; put it back if not.
 */
void intake_restore(struct intake *in)
{
	struct engine *e = &in->engine;
	int r = engine_check(e);

	if (r == ERR_OK)
		return;
	say("differs", "reason=\"%s\"", e->why);
	r = engine_repair(e);
	if (r == ERR_OK)
		intake_say_enforced(e, "repaired");
	else
		intake_say_state(e);
}

/*
 * Take temporary rules out whose time has come, and cut what they permitted. To
 * be called every few seconds; the kernel lets nothing new through such a rule
 * in the meantime.
 */
void intake_end_rules(struct intake *in)
{
	struct engine *e = &in->engine;
	int64_t now = now_s(in);

	if (e->state != ENGINE_ENFORCED || !cfg_is_outdated(&e->cfg, now))
		return;
	cfg_judge(&e->cfg, now);
	say("rules-ended", "serial=%llu", (unsigned long long)e->cfg.serial);
	if (engine_repair(e) == ERR_OK)
		intake_say_enforced(e, "rules-ended");
	else
		intake_say_state(e);
}

/*
 * Try the stored configuration again when a failure has shut the box: hardware that
 * was away comes back, the kernel has memory again. To be called every few seconds;
 * the time between two tries grows.
 */
void intake_retry(struct intake *in)
{
	struct engine *e = &in->engine;
	char why[INTAKE_TEXT_BYTES];
	struct cfg cfg;

	if ((e->state != ENGINE_CLOSED && e->state != ENGINE_BROKEN) ||
	    !in->trust.is_open || in->trust.store.index.trial.is_on ||
	    in->trust.store.index.config[STORE_ACTIVE].ref.n == 0) {
		in->retry_wait_s = 0;
		return;
	}
	if (in->retry_wait_s != 0 && trial_now_s() < in->retry_at_s)
		return;
	if (in->retry_wait_s != 0) {
		say("retry", "waited=%llu", (unsigned long long)in->retry_wait_s);
		if (intake_load_slot(in, STORE_ACTIVE, &cfg, why, sizeof(why)) == ERR_OK)
			enforce_stored(e, &cfg, false);
		else
			say("refused", "file=stored %s", why);
	}
	in->retry_wait_s = in->retry_wait_s ? in->retry_wait_s * 2 : RETRY_FIRST_S;
	if (in->retry_wait_s > RETRY_MOST_S)
		in->retry_wait_s = RETRY_MOST_S;
	in->retry_at_s = trial_now_s() + in->retry_wait_s;
}
