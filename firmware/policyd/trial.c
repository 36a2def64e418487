/*
 * DESIGN: a new configuration is in force at once, but on trial: the store says
 * so in the same index that names it, with a code and a deadline. Whoever can
 * bring the code back before the deadline has shown that the new policy did
 * not lock people out. Otherwise, and when the power goes off meanwhile, the
 * previous one returns in place. The floor stays where it is: the refused
 * configuration must be signed again with a higher serial.
 *
 * The deadline is in CLOCK_BOOTTIME, which no time signal can move.
 */
#include "intake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#define CODE_DIGITS 6
#define CODE_COUNT 1000000U

/*
 * Seconds since the device was switched on, sleep included.
 */
uint64_t trial_now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec;
}

static int read_boot_id(char id[STORE_ID_BYTES])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return ERR_SYS;
	n = read(fd, id, STORE_ID_BYTES - 1);
	(void)close(fd); /* read only */
	if (n != STORE_ID_BYTES - 1)
		return ERR_SYS;
	id[n] = '\0';
	return ERR_OK;
}

static int make_code(char code[STORE_CODE_BYTES])
{
	uint32_t v;

	do {
		if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
			return ERR_SYS;
	} while (v >= UINT32_MAX - UINT32_MAX % CODE_COUNT); /* no digit is likelier */
	(void)snprintf(code, STORE_CODE_BYTES, "%0*u", CODE_DIGITS, v % CODE_COUNT);
	return ERR_OK;
}

/*
 * Put a trial for @cfg into an index that is to be committed.
 *
 * Returns ERR_OK or ERR_SYS.
 */
int trial_plan(struct store_index *next, const struct cfg *cfg)
{
	struct store_trial *t = &next->trial;
	int r;

	memset(t, 0, sizeof(*t));
	t->is_on = true;
	t->deadline_s = trial_now_s() + cfg->confirm_window_s;
	r = read_boot_id(t->boot_id);
	return r == ERR_OK ? make_code(t->code) : r;
}

/* Whether the store says so; it may not have taken the end of a trial yet. */
static bool is_stored(const struct intake *in)
{
	return in->trust.is_open && in->trust.store.index.trial.is_on;
}

/*
 * Whether the configuration in force still waits for its confirmation.
 */
bool trial_is_on(const struct intake *in)
{
	return is_stored(in) && !in->trial_over;
}

/*
 * Whether the trial began since the power came on.
 */
bool trial_is_of_this_boot(const struct intake *in)
{
	char id[STORE_ID_BYTES];

	return read_boot_id(id) == ERR_OK &&
	       strcmp(id, in->trust.store.index.trial.boot_id) == 0;
}

/*
 * Seconds until the trial ends; 0 when it is over.
 */
uint64_t trial_left_s(const struct intake *in)
{
	uint64_t now = trial_now_s();
	uint64_t deadline = in->trust.store.index.trial.deadline_s;

	return deadline > now ? deadline - now : 0;
}

/* Compared in the same time whatever the digits are. */
static bool is_code(const struct store_trial *t, struct span code)
{
	uint8_t differs = 0;

	if (code.n != strlen(t->code))
		return false;
	for (size_t i = 0; i < code.n; i++)
		differs |= (uint8_t)(code.p[i] ^ (uint8_t)t->code[i]);
	return differs == 0;
}

static void refuse(struct intake_result *out, int code, const char *reason,
		   const char *fix)
{
	out->code = code;
	(void)snprintf(out->text, sizeof(out->text),
		       "path=confirm reason=\"%s\" fix=\"%s\"", reason, fix);
}

/* A configuration that cuts management or SOC off is not confirmed, whoever has
 * the code. */
static bool is_cut_off(struct intake *in, struct intake_result *out)
{
	struct selftest now;
	const char *loss;

	selftest_run(&in->engine.rtnl, &in->engine.cfg, &now);
	loss = selftest_loss(&in->before, &now);
	if (!loss)
		return false;
	refuse(out, ERR_REFUSED, loss,
	       "it was reachable before this configuration: mend the line and confirm "
	       "again, or let the previous configuration return");
	say("not-confirmed", "serial=%llu reason=\"self-test: %s\"",
	    (unsigned long long)in->engine.cfg.serial, loss);
	return true;
}

/* The trial is over for good: one commit, with the order's floor if there is one. */
static int commit_for_good(struct intake *in, const struct man *order)
{
	struct store *s = &in->trust.store;
	struct store_index *next = malloc(sizeof(*next));
	struct man_floor floor;
	int r = ERR_OK;

	if (!next) {
		(void)snprintf(s->why, sizeof(s->why), "out of memory");
		return ERR_NOMEM;
	}
	*next = s->index;
	memset(&next->trial, 0, sizeof(next->trial));
	if (order) {
		man_floor_of(&in->trust.keys, order, &floor);
		r = store_floor_set(next, man_floor_type(order->type), &order->scope,
				    &floor);
		if (r != ERR_OK)
			(void)snprintf(s->why, sizeof(s->why), "floor: %s", err_text(r));
	}
	if (r == ERR_OK)
		r = store_commit(s, next);
	free(next);
	return r;
}

static void take_for_good(struct intake *in, const struct man *order,
			  struct intake_result *out)
{
	int r;

	if (is_cut_off(in, out))
		return;
	r = commit_for_good(in, order);
	if (r != ERR_OK) {
		refuse(out, r, in->trust.store.why,
		       "check the data partition, then try again");
		return;
	}
	intake_drop_old(in);
	if (engine_settle(&in->engine) != ERR_OK)
		say("differs", "reason=\"%s\"", in->engine.why);
	(void)snprintf(out->text, sizeof(out->text), "serial=%llu",
		       (unsigned long long)in->engine.cfg.serial);
	say("confirmed", "serial=%llu by=%s", (unsigned long long)in->engine.cfg.serial,
	    order ? "order" : "code");
}

/*
 * End the trial for good: the configuration in force stays.
 *
 * @out  ERR_OK; ERR_NOENT: nothing waits; ERR_REFUSED: wrong code, or the
 *       self-test fails; other errors: it could not be stored, the trial goes on
 */
void trial_confirm(struct intake *in, struct span code, struct intake_result *out)
{
	memset(out, 0, sizeof(*out));
	if (!trial_is_on(in)) {
		refuse(out, ERR_NOENT, "no configuration waits for a confirmation",
		       "nothing to do");
		return;
	}
	if (!is_code(&in->trust.store.index.trial, code)) {
		refuse(out, ERR_REFUSED, "wrong code",
		       "use the code that the last apply printed");
		say("not-confirmed", "serial=%llu reason=\"wrong code\"",
		    (unsigned long long)in->engine.cfg.serial);
		return;
	}
	take_for_good(in, NULL, out);
}

/*
 * Confirm by a signed order of the SOC instead of a code. The order names the
 * configuration, so it needs no secret.
 *
 * @order   verified; its floor is raised in the same commit
 * @serial, @sha256  the configuration that is meant
 * @out     as with trial_confirm()
 */
void trial_confirm_ordered(struct intake *in, const struct man *order, uint64_t serial,
			   struct span sha256, struct intake_result *out)
{
	memset(out, 0, sizeof(*out));
	if (!trial_is_on(in))
		refuse(out, ERR_NOENT, "no configuration waits for a confirmation",
		       "nothing to do");
	else if (serial != in->engine.cfg.serial ||
		 !span_eq_str(sha256, in->engine.cfg.sha256))
		refuse(out, ERR_REFUSED,
		       "the order confirms another configuration than the one on trial",
		       "sign an order for the serial and sha256 of `status`");
	else
		take_for_good(in, order, out);
}

/* The store no longer holds what was on trial. */
static void forget(struct intake *in)
{
	struct store *s = &in->trust.store;
	struct store_index *next = malloc(sizeof(*next));
	int r = ERR_NOMEM;

	if (next) {
		*next = s->index;
		next->config[STORE_ACTIVE] = next->config[STORE_PREVIOUS];
		memset(&next->config[STORE_PREVIOUS], 0, sizeof(struct store_config));
		memset(&next->trial, 0, sizeof(next->trial));
		r = store_commit(s, next);
	}
	if (r == ERR_OK)
		in->trial_over = false;
	else if (!in->trial_over)
		say("not-stored", "reason=\"%s\" fix=\"check the data partition\"",
		    next ? s->why : "out of memory");
	/* the index still says "trial": the next start goes back as well */
	in->trial_over = r != ERR_OK;
	free(next);
}

/* The configuration to go back to: from the store, or when that fails, the one
 * whose addresses stayed, which is the same. */
static int load_previous(struct intake *in, struct cfg *cfg, char *why, size_t max)
{
	int r = intake_load_slot(in, STORE_PREVIOUS, cfg, why, max);

	if (r == ERR_OK || in->old.port_count == 0)
		return r;
	say("kept", "file=previous %s", why);
	*cfg = in->old;
	memset(&in->old, 0, sizeof(in->old));
	in->engine.also = NULL;
	return ERR_OK;
}

/*
 * Bring the previous configuration back; without one the box is shut.
 *
 * @reason  for the console
 * @out     ERR_OK: the previous one, or closed, is in force; may be NULL
 */
void trial_end(struct intake *in, const char *reason, struct intake_result *out)
{
	struct engine *e = &in->engine;
	char why[INTAKE_TEXT_BYTES] = "";
	unsigned long long bad = e->cfg.serial;
	struct cfg cfg;
	int r = ERR_NOENT;

	if (out)
		memset(out, 0, sizeof(*out));
	if (!trial_is_on(in)) {
		if (out)
			refuse(out, ERR_NOENT, "no configuration is on trial",
			       "sign and apply the older one with a new serial");
		return;
	}
	if (in->trust.store.index.config[STORE_PREVIOUS].ref.n) {
		r = load_previous(in, &cfg, why, sizeof(why));
		if (r == ERR_OK) {
			r = engine_apply(e, &cfg, NULL, NULL);
			if (r != ERR_OK) {
				intake_explain_engine(e, r, why, sizeof(why));
				cfg_clear(&cfg);
			}
		}
		if (r != ERR_OK)
			say("refused", "file=previous %s", why);
	}
	if (r != ERR_OK) {
		int shut = engine_shut(e);

		(void)shut; /* e->state says how it ended */
	}
	intake_drop_old(in);
	forget(in);
	say("rolled-back", "from=%llu to=%llu reason=\"%s\"", bad,
	    (unsigned long long)e->cfg.serial, reason);
	if (e->state == ENGINE_ENFORCED)
		intake_say_enforced(e, "rolled-back");
	else
		intake_say_state(e);
	if (out)
		(void)snprintf(out->text, sizeof(out->text), "serial=%llu state=%s",
			       (unsigned long long)e->cfg.serial,
			       engine_state_name(e->state));
}

/*
 * To be called at least once a second while a trial is on.
 */
void trial_tick(struct intake *in)
{
	if (!is_stored(in))
		return;
	if (in->trial_over)
		forget(in); /* the policy has returned, the store did not take it yet */
	else if (trial_left_s(in) == 0)
		trial_end(in, "not confirmed in time", NULL);
}
