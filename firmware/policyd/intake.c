#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "active.h"
#include "hex.h"
#include "say.h"
#include "sealed.h"
#include "sig.h"

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
 * @n  its size in bytes, 0 when unknown
 */
void intake_too_long(size_t n, struct cfg_error *error)
{
	memset(error, 0, sizeof(*error));
	(void)snprintf(error->path, sizeof(error->path), "$");
	(void)snprintf(error->reason, sizeof(error->reason),
		       "%zu bytes are over the limit CFG_MAX_BYTES = %u", n,
		       (unsigned)CONFIG_CFG_MAX_BYTES);
	(void)snprintf(error->fix, sizeof(error->fix), "shorten it");
}

/* A failure behind the document itself. */
static void explain_engine(const struct engine *e, int code, char *text, size_t max)
{
	struct cfg_error error = {.path = "$"};
	bool is_port = code == ERR_NOENT || code == ERR_EXIST;

	(void)snprintf(error.reason, sizeof(error.reason), "%.250s", e->why);
	(void)snprintf(
		error.fix, sizeof(error.fix), "%s",
		is_port ? "correct \"match\" of this port, or plug the interface in"
			: "send this line to support; in force is what the next "
			  "line says");
	intake_explain(&error, text, max);
}

/* Configurations without a signature exist in the development profile only. */
static int check_signature(struct cfg_error *error)
{
#if CONFIG_PROFILE_DEV
	(void)error;
	return ERR_OK;
#else
	memset(error, 0, sizeof(*error));
	(void)snprintf(error->path, sizeof(error->path), "$");
	(void)snprintf(error->reason, sizeof(error->reason),
		       "the configuration is not signed");
	(void)snprintf(error->fix, sizeof(error->fix),
		       "this firmware takes signed configurations only");
	return ERR_SIGNATURE;
#endif
}

static int parse(struct span text, struct cfg *cfg, char *why, size_t max)
{
	uint8_t digest[SIG_SHA256_BYTES];
	struct cfg_error error;
	int r = check_signature(&error);

	if (r == ERR_OK)
		r = cfg_parse(text, cfg, &error);
	if (r == ERR_OK && sig_sha256(text, digest) != ERR_OK) {
		(void)snprintf(error.path, sizeof(error.path), "$");
		(void)snprintf(error.reason, sizeof(error.reason), "SHA-256 failed");
		(void)snprintf(error.fix, sizeof(error.fix), "restart the device");
		cfg_clear(cfg);
		r = ERR_INTERNAL;
	}
	if (r == ERR_OK)
		hex_encode(digest, sizeof(digest), cfg->sha256);
	else
		intake_explain(&error, why, max);
	return r;
}

static void say_enforced(const struct engine *e, const char *how)
{
	say("enforced",
	    "serial=%llu rules=%zu ports=%zu kernel-rules=%zu generation=%u cut=%zu "
	    "sha256=%.16s how=%s",
	    (unsigned long long)e->cfg.serial, e->cfg.rule_count, e->cfg.port_count,
	    e->kernel_rules, e->generation, e->cut, e->cfg.sha256, how);
}

/* Say what is in force after something did not come into force. */
static void say_state(const struct engine *e)
{
	if (e->state == ENGINE_ENFORCED)
		say_enforced(e, "unchanged");
	else if (e->state == ENGINE_BROKEN)
		say("broken", "reason=\"%s\"", e->why);
	else
		say(engine_state_name(e->state), "rules=%zu", e->kernel_rules);
}

/* Read and parse the stored configuration. On failure one line in @why. */
static int load_stored(const char *path, struct cfg *cfg, char *why, size_t max)
{
	uint8_t *text = NULL;
	struct cfg_error error;
	size_t n = 0;
	int r = active_load(path, CONFIG_CFG_MAX_BYTES, &text, &n);

	if (r == ERR_LIMIT) {
		intake_too_long(n, &error);
		intake_explain(&error, why, max);
	} else if (r != ERR_OK) {
		(void)snprintf(why, max, "path=$ reason=\"%s\" fix=\"%s\"", err_text(r),
			       r == ERR_NOENT ? "apply a configuration"
					      : "check the data partition");
	} else {
		r = parse(span_of(text, n), cfg, why, max);
	}
	free(text);
	return r;
}

/* Bring a parsed configuration into force at boot. */
static void enforce_stored(struct engine *e, struct cfg *cfg, const char *path,
			   bool has_table)
{
	char why[INTAKE_TEXT_BYTES];
	int r = ERR_MISMATCH;

	if (has_table && e->state == ENGINE_KEPT) {
		r = engine_adopt(e, cfg);
		if (r == ERR_OK) {
			say_enforced(e, "adopted");
			return;
		}
		say("differs", "reason=\"%s\"", e->why);
	}
	r = engine_apply(e, cfg, NULL);
	if (r == ERR_OK) {
		say_enforced(e, "applied");
		return;
	}
	explain_engine(e, r, why, sizeof(why));
	say("refused", "file=%s %s", path, why);
	cfg_clear(cfg);
	say_state(e);
}

/*
 * What policyd does when it starts. With no table of ours in the kernel the
 * machine has just booted: shut it, then bring the stored configuration into
 * force. With a table an earlier run has died: what the kernel enforces stays,
 * unless it differs from the stored configuration.
 *
 * The outcome is on the console and in e->state.
 *
 * @path  the stored configuration
 */
void intake_boot(struct engine *e, const char *path)
{
	char why[INTAKE_TEXT_BYTES];
	bool has_table = false;
	struct cfg cfg;
	int r = engine_has_table(e, &has_table);

	if (r != ERR_OK || !has_table) {
		if (r != ERR_OK)
			say("unknown", "reason=\"%s\"", e->why);
		r = engine_shut(e);
		if (r != ERR_OK) {
			say("broken", "reason=\"%s\"", e->why);
			return;
		}
		say("closed", "rules=%zu generation=%u", e->kernel_rules, e->generation);
	} else {
		engine_recognise(e);
	}
	r = load_stored(path, &cfg, why, sizeof(why));
	if (r == ERR_OK) {
		enforce_stored(e, &cfg, path, has_table);
		return;
	}
	if (r != ERR_NOENT)
		say("refused", "file=%s %s", path, why);
	if (e->state == ENGINE_KEPT)
		say("kept", "reason=\"no valid stored configuration\"");
	else if (has_table)
		say_state(e);
}

/* Is the new serial acceptable against what is in force? */
static int check_serial(const struct engine *e, const struct cfg *cfg, char *why,
			size_t max)
{
	struct cfg_error error = {.path = "$.serial"};

	if (e->state != ENGINE_ENFORCED || cfg->serial > e->cfg.serial)
		return ERR_OK;
	(void)snprintf(error.reason, sizeof(error.reason),
		       "serial %llu is not above serial %llu in force",
		       (unsigned long long)cfg->serial,
		       (unsigned long long)e->cfg.serial);
	(void)snprintf(error.fix, sizeof(error.fix), "write %llu or more",
		       (unsigned long long)e->cfg.serial + 1);
	intake_explain(&error, why, max);
	return ERR_ROLLBACK;
}

/* The bytes that are in force already may be sent again. */
static bool is_same(const struct engine *e, const struct cfg *cfg, struct span text,
		    const char *dir)
{
	char path[128];
	uint8_t *old = NULL;
	size_t n = 0;
	bool same = false;

	if (e->state != ENGINE_ENFORCED || cfg->serial != e->cfg.serial)
		return false;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, ACTIVE_NAME);
	if (active_load(path, CONFIG_CFG_MAX_BYTES, &old, &n) == ERR_OK)
		same = span_eq(text, span_of(old, n));
	free(old);
	return same;
}

/* Keep the new configuration on flash; without that it must not stay. */
static int save(struct engine *e, const char *dir, struct span text, char *why,
		size_t max)
{
	struct cfg_error error = {.path = "$"};
	char reason[200];
	int r = active_save(dir, text, reason, sizeof(reason));

	if (r == ERR_OK)
		return r;
	(void)snprintf(error.reason, sizeof(error.reason), "not stored: %.200s", reason);
	(void)snprintf(error.fix, sizeof(error.fix), "check the data partition");
	intake_explain(&error, why, max);
	say("not-stored", "serial=%llu %s", (unsigned long long)e->cfg.serial, why);
	return r;
}

/* Parse, check, enforce, store. @out->text is set on failure. */
static int take(struct engine *e, struct span text, const char *dir,
		struct intake_result *out)
{
	struct cfg cfg, previous;
	bool had = e->state == ENGINE_ENFORCED;
	int r = parse(text, &cfg, out->text, sizeof(out->text));

	if (r != ERR_OK)
		return r;
	out->serial = cfg.serial;
	if (is_same(e, &cfg, text, dir)) {
		cfg_clear(&cfg);
		return ERR_ALREADY;
	}
	r = check_serial(e, &cfg, out->text, sizeof(out->text));
	if (r != ERR_OK) {
		cfg_clear(&cfg);
		return r;
	}
	r = engine_apply(e, &cfg, &previous);
	if (r != ERR_OK) {
		explain_engine(e, r, out->text, sizeof(out->text));
		cfg_clear(&cfg);
		return r;
	}
	r = save(e, dir, text, out->text, sizeof(out->text));
	if (r != ERR_OK && (!had || engine_apply(e, &previous, NULL) != ERR_OK)) {
		int shut = engine_shut(e);

		(void)shut; /* e->state says how it ended */
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
 * Take one configuration from a peer: check the memfd, parse, enforce, store.
 *
 * @memfd  stays the caller's
 * @dir    where configurations are stored
 * @out    code ERR_OK or ERR_ALREADY: in force and stored; anything else: what
 *         was in force stays, @out->text says why and what to do
 *
 * The outcome is on the console too.
 */
void intake_put(struct engine *e, int memfd, const char *dir, struct intake_result *out)
{
	struct cfg_error error = {.path = "$"};
	struct sealed map = {.data = {NULL, 0}};

	memset(out, 0, sizeof(*out));
	out->code = sealed_map(memfd, CONFIG_CFG_MAX_BYTES, &map);
	if (out->code == ERR_OK) {
		out->code = take(e, map.data, dir, out);
		sealed_unmap(&map);
	} else {
		if (out->code == ERR_LIMIT)
			intake_too_long(fd_bytes(memfd), &error);
		else
			(void)snprintf(error.reason, sizeof(error.reason), "%s",
				       out->code == ERR_SHORT ? "the file is empty"
							      : err_text(out->code));
		if (out->code != ERR_LIMIT)
			(void)snprintf(error.fix, sizeof(error.fix), "%s",
				       out->code == ERR_SHORT
					       ? "send the configuration"
					       : "send it as a sealed memfd");
		intake_explain(&error, out->text, sizeof(out->text));
	}
	if (out->code == ERR_OK || out->code == ERR_ALREADY) {
		(void)snprintf(out->text, sizeof(out->text), "rules=%zu ports=%zu%s",
			       e->cfg.rule_count, e->cfg.port_count,
			       out->code == ERR_OK ? "" : " in force already");
		say_enforced(e, out->code == ERR_OK ? "applied" : "unchanged");
		return;
	}
	say("refused", "file=upload %s", out->text);
	say_state(e);
}

/*
 * Look whether the kernel still has what it should; put it back if not.
 */
void intake_restore(struct engine *e)
{
	int r = engine_check(e);

	if (r == ERR_OK)
		return;
	say("differs", "reason=\"%s\"", e->why);
	r = engine_repair(e);
	if (r == ERR_OK)
		say_enforced(e, "repaired");
	else
		say_state(e);
}
