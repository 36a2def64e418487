/*
 * From bytes to a policy in force: the one way in, at boot and from a peer;
 * and the trial of a new configuration until somebody confirms it.
 */
#ifndef LUYTRE_POL_INTAKE_H
#define LUYTRE_POL_INTAKE_H

#include "engine.h"
#include "pressure.h"
#include "sealed.h"
#include "selftest.h"
#include "span.h"
#include "trust.h"

#define INTAKE_TEXT_BYTES 1000

struct intake {
	struct engine engine;
	struct trust trust;
	bool trial_over; /* the policy has gone back, the store not yet */
	/* who got through before the configuration on trial was applied */
	struct selftest before;
	/* the last confirmed configuration while another is on trial: its addresses stay
	 */
	struct cfg old;
	struct table_load load;
	uint64_t retry_at_s;   /* trial_now_s() of the next try out of a shut box */
	uint64_t retry_wait_s; /* 0: the box is not shut by a failure */
	int64_t latest_s;      /* the latest time that temporary rules were judged by */
};

struct intake_result {
	int code; /* ERR_* */
	uint64_t version;
	char text[INTAKE_TEXT_BYTES]; /* for people, one line */
};

void intake_explain(const struct cfg_error *error, char *text, size_t max);
void intake_too_long(size_t n, size_t max, struct cfg_error *error);
void intake_boot(struct intake *in);
void intake_put(struct intake *in, int memfd, struct intake_result *out);
void intake_put_keyset(struct intake *in, int memfd, struct intake_result *out);
void intake_put_command(struct intake *in, int memfd, struct intake_result *out);
void intake_restore(struct intake *in);
void intake_end_rules(struct intake *in);
void intake_retry(struct intake *in);

/* trial.c */
uint64_t trial_now_s(void);
int trial_plan(struct store_index *next, const struct cfg *cfg) MUST_CHECK;
bool trial_is_on(const struct intake *in);
bool trial_is_of_this_boot(const struct intake *in);
uint64_t trial_left_s(const struct intake *in);
void trial_confirm(struct intake *in, struct span code, struct intake_result *out);
void trial_confirm_ordered(struct intake *in, const struct man *order, uint64_t serial,
			   struct span sha256, struct intake_result *out);
void trial_end(struct intake *in, const char *reason, struct intake_result *out);
void trial_tick(struct intake *in);

void intake_drop_old(struct intake *in);

/* For command.c: map what a peer sent. */
int intake_map(int memfd, size_t max, struct sealed *out,
	       struct intake_result *result) MUST_CHECK;

/* For trial.c: bring the configuration in a slot of the store into force. */
int intake_load_slot(struct intake *in, enum store_slot slot, struct cfg *cfg, char *why,
		     size_t max) MUST_CHECK;
void intake_say_enforced(const struct engine *e, const char *how);
void intake_say_state(const struct engine *e);
void intake_explain_engine(const struct engine *e, int code, char *text, size_t max);

#endif
