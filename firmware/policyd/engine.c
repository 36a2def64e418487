/*
 * DESIGN: the order of an apply is fixed. Interfaces that change their meaning
 * go down first, then the rules change in one transaction, then settings,
 * addresses and routes, then everything is read back and compared, and
 * forwarding comes last. What fails before the transaction changes nothing;
 * what fails after it brings the previous configuration back, and if that
 * fails too the box is shut: closed rules, forwarding off, all ports down.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "flows.h"
#include "sysctl.h"

/*
 * Name of a state, as status and console write it.
 */
const char *engine_state_name(enum engine_state state)
{
	switch (state) {
	case ENGINE_CLOSED:
		return "closed";
	case ENGINE_ENFORCED:
		return "enforced";
	case ENGINE_KEPT:
		return "kept";
	case ENGINE_BROKEN:
	default:
		return "broken";
	}
}

/*
 * Open the sockets; the kernel is not changed.
 *
 * Returns ERR_OK, or an error with e->why.
 */
int engine_open(struct engine *e)
{
	int r;

	memset(e, 0, sizeof(*e));
	e->state = ENGINE_BROKEN;
	r = nft_open(&e->nft);
	if (r == ERR_OK)
		r = rtnl_open(&e->rtnl);
	if (r != ERR_OK) {
		(void)snprintf(e->why, sizeof(e->why), "opening netlink: %s",
			       err_text(r));
		engine_close(e);
	}
	return r;
}

/*
 * Close the sockets and forget the configuration; the kernel keeps enforcing.
 */
void engine_close(struct engine *e)
{
	nft_close(&e->nft);
	rtnl_close(&e->rtnl);
	cfg_clear(&e->cfg);
}

static void because(struct engine *e, const char *part)
{
	(void)snprintf(e->why, sizeof(e->why), "%s", part);
}

/*
 * Whether our table is in the kernel: policyd was here before.
 *
 * Returns ERR_OK, or an error with e->why.
 */
int engine_has_table(struct engine *e, bool *has_table)
{
	struct prog have;
	int r = nft_read(&e->nft, &have);

	if (r != ERR_OK) {
		because(e, e->nft.why);
		return r;
	}
	*has_table = have.chain_count > 0;
	prog_clear(&have);
	return ERR_OK;
}

/* Compare the kernel's table with a program. */
static int compare(struct engine *e, const struct prog *want)
{
	char *want_text = NULL, *have_text = NULL;
	struct prog have;
	char line[300];
	int r = nft_read(&e->nft, &have);

	if (r != ERR_OK) {
		because(e, e->nft.why);
		return r;
	}
	r = prog_list(want, &want_text);
	if (r == ERR_OK)
		r = prog_list(&have, &have_text);
	if (r != ERR_OK) {
		because(e, "out of memory while comparing rules");
	} else {
		r = prog_diff(want_text, have_text, line, sizeof(line));
		if (r != ERR_OK)
			(void)snprintf(e->why, sizeof(e->why), "the kernel's rules: %s",
				       line);
	}
	free(want_text);
	free(have_text);
	prog_clear(&have);
	return r;
}

/* One transaction, read back. */
static int load(struct engine *e, const struct prog *p)
{
	int r = nft_replace(&e->nft, p);

	if (r != ERR_OK) {
		because(e, e->nft.why);
		return r;
	}
	r = compare(e, p);
	if (r == ERR_OK)
		r = nft_generation(&e->nft, &e->generation);
	if (r == ERR_OK)
		e->kernel_rules = p->rule_count;
	return r;
}

/*
 * Shut the box: forwarding off, closed rules, every port down, settings set.
 * All of it is tried even when a part fails.
 *
 * Returns ERR_OK when every part was done and read back, else the first error
 * with e->why. The state is then ENGINE_CLOSED or ENGINE_BROKEN.
 */
int engine_shut(struct engine *e)
{
	char why[200] = "";
	struct prog closed;
	int first, r;

	first = sysctl_forward(false, why, sizeof(why));
	r = compile_closed(&closed);
	if (r == ERR_OK)
		r = load(e, &closed);
	prog_clear(&closed);
	if (r != ERR_OK && first == ERR_OK)
		(void)snprintf(why, sizeof(why), "%.190s", e->why);
	if (first == ERR_OK)
		first = r;
	r = rtnl_isolate(&e->rtnl, NULL);
	if (r != ERR_OK && first == ERR_OK)
		(void)snprintf(why, sizeof(why), "%s", e->rtnl.why);
	if (first == ERR_OK)
		first = r;
	if (first == ERR_OK)
		first = sysctl_harden(NULL, why, sizeof(why));
	if (first == ERR_OK)
		first = sysctl_verify(NULL, false, why, sizeof(why));
	because(e, why);
	e->also = NULL;
	e->state = first == ERR_OK ? ENGINE_CLOSED : ENGINE_BROKEN;
	cfg_clear(&e->cfg);
	return first;
}

/* Everything but the rules, read back: ports, settings, forwarding. */
static int verify_rest(struct engine *e, const struct cfg *cfg)
{
	int r = rtnl_verify(&e->rtnl, cfg, e->also);

	if (r != ERR_OK) {
		because(e, e->rtnl.why);
		return r;
	}
	return sysctl_verify(cfg, true, e->why, sizeof(e->why));
}

/* Put a compiled configuration in force, in the fixed order. */
static int enforce(struct engine *e, const struct cfg *cfg, const struct cfg *also,
		   const struct prog *p)
{
	int r = rtnl_isolate(&e->rtnl, cfg);

	if (r != ERR_OK) {
		because(e, e->rtnl.why);
		return r;
	}
	r = load(e, p);
	if (r == ERR_OK)
		r = flows_cut(cfg, &e->cut, e->why, sizeof(e->why));
	if (r == ERR_OK)
		r = sysctl_harden(cfg, e->why, sizeof(e->why));
	if (r != ERR_OK)
		return r;
	r = rtnl_apply(&e->rtnl, cfg, also);
	if (r == ERR_OK)
		r = rtnl_verify(&e->rtnl, cfg, also);
	if (r != ERR_OK) {
		because(e, e->rtnl.why);
		return r;
	}
	r = sysctl_forward(true, e->why, sizeof(e->why));
	if (r == ERR_OK)
		r = sysctl_verify(cfg, true, e->why, sizeof(e->why));
	return r;
}

/* After a failed apply: the previous configuration, or shut. e->why still says
 * why the new one failed; what the return adds to it. */
static void go_back(struct engine *e)
{
	char why[sizeof(e->why)];
	struct prog p;
	int r = ERR_NOENT;

	memcpy(why, e->why, sizeof(why));
	if (e->state == ENGINE_ENFORCED) {
		r = compile_cfg(&e->cfg, &p);
		if (r == ERR_OK)
			r = enforce(e, &e->cfg, e->also, &p);
		prog_clear(&p);
	}
	if (r != ERR_OK)
		r = engine_shut(e);
	if (r != ERR_OK)
		(void)snprintf(e->why, sizeof(e->why),
			       "%.190s; and closing failed: %.150s", why,
			       "see the console");
	else
		memcpy(e->why, why, sizeof(why));
}

/*
 * Put a configuration in force.
 *
 * @cfg       checked by cfg_parse(); on ERR_OK it moves into the engine and @cfg
 *            is empty, on failure it stays the caller's
 * @also      a configuration whose addresses on ports of the same name stay as well,
 *            so that people find the appliance under both; NULL for none. The
 *            caller keeps it, and e->also is for him to set afterwards
 * @previous  on ERR_OK gets what was enforced before (empty when nothing was),
 *            the caller clears it; NULL to have it cleared here
 *
 * Returns ERR_OK when the kernel was changed, read back and found equal. On
 * failure e->why says why, and the previous configuration is in force, or the
 * box is shut when there was none or it could not be brought back.
 */
int engine_apply(struct engine *e, struct cfg *cfg, const struct cfg *also,
		 struct cfg *previous)
{
	struct prog p;
	int r = rtnl_check(&e->rtnl, cfg);

	if (r != ERR_OK) {
		because(e, e->rtnl.why);
		return r;
	}
	r = compile_cfg(cfg, &p);
	if (r != ERR_OK) {
		because(e, "the compiled policy is over the limits PROG_*_MAX");
		prog_clear(&p);
		return r;
	}
	r = enforce(e, cfg, also, &p);
	prog_clear(&p);
	if (r != ERR_OK) {
		go_back(e);
		return r;
	}
	if (previous)
		*previous = e->cfg;
	else
		cfg_clear(&e->cfg);
	e->cfg = *cfg;
	memset(cfg, 0, sizeof(*cfg));
	e->state = ENGINE_ENFORCED;
	return ERR_OK;
}

/*
 * Take away the addresses that stayed during a trial.
 *
 * Returns ERR_OK, or an error with e->why; the next check tries again.
 */
int engine_settle(struct engine *e)
{
	int r;

	e->also = NULL;
	if (e->state != ENGINE_ENFORCED)
		return ERR_OK;
	r = rtnl_apply(&e->rtnl, &e->cfg, NULL);
	if (r == ERR_OK)
		r = rtnl_verify(&e->rtnl, &e->cfg, NULL);
	if (r != ERR_OK) {
		because(e, e->rtnl.why);
		return r;
	}
	/* what was a flow with the appliance is now one that would cross it */
	return flows_cut(&e->cfg, &e->cut, e->why, sizeof(e->why));
}

/*
 * Take over what an earlier run of policyd left in the kernel, when it is
 * exactly @cfg; nothing is written.
 *
 * @cfg  moves into the engine on ERR_OK, as with engine_apply()
 *
 * Returns ERR_OK, ERR_MISMATCH with e->why, or another error.
 */
int engine_adopt(struct engine *e, struct cfg *cfg)
{
	struct prog p;
	int r = compile_cfg(cfg, &p);

	if (r == ERR_OK)
		r = compare(e, &p);
	if (r == ERR_OK)
		e->kernel_rules = p.rule_count;
	prog_clear(&p);
	if (r == ERR_OK)
		r = verify_rest(e, cfg);
	if (r == ERR_OK)
		r = nft_generation(&e->nft, &e->generation);
	if (r != ERR_OK)
		return r;
	e->cfg = *cfg;
	memset(cfg, 0, sizeof(*cfg));
	e->state = ENGINE_ENFORCED;
	return ERR_OK;
}

/*
 * Look what an earlier run of policyd left in the kernel: ENGINE_CLOSED when
 * it is the built-in closed rules, else ENGINE_KEPT. Nothing is written.
 */
void engine_recognise(struct engine *e)
{
	struct prog closed;
	int r = compile_closed(&closed);

	if (r == ERR_OK)
		r = compare(e, &closed);
	e->kernel_rules = r == ERR_OK ? closed.rule_count : 0;
	e->state = r == ERR_OK ? ENGINE_CLOSED : ENGINE_KEPT;
	prog_clear(&closed);
}

/*
 * Compare the kernel with what is to be enforced. The rules are read only when
 * somebody has changed nf_tables since our last look.
 *
 * Returns ERR_OK, ERR_MISMATCH with e->why, or another error.
 */
int engine_check(struct engine *e)
{
	uint32_t generation;
	struct prog p;
	int r;

	if (e->state != ENGINE_ENFORCED)
		return ERR_OK;
	r = nft_generation(&e->nft, &generation);
	if (r == ERR_OK && generation != e->generation) {
		r = compile_cfg(&e->cfg, &p);
		if (r == ERR_OK)
			r = compare(e, &p);
		prog_clear(&p);
		if (r == ERR_OK)
			e->generation = generation;
	}
	return r == ERR_OK ? verify_rest(e, &e->cfg) : r;
}

/*
 * Put what is enforced into the kernel again, in the fixed order.
 *
 * Returns ERR_OK, or an error with e->why: then the box is shut.
 */
int engine_repair(struct engine *e)
{
	struct prog p;
	int r = compile_cfg(&e->cfg, &p);

	if (r == ERR_OK)
		r = enforce(e, &e->cfg, e->also, &p);
	prog_clear(&p);
	if (r != ERR_OK) {
		int shut = engine_shut(e);

		(void)shut; /* e->state says how it ended */
	}
	return r;
}
