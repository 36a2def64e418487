/*
 * From bytes to a policy in force: the one way in, at boot and from a peer.
 */
#ifndef LUYTRE_POL_INTAKE_H
#define LUYTRE_POL_INTAKE_H

#include "engine.h"
#include "span.h"

#define INTAKE_TEXT_BYTES 1000

struct intake_result {
	int code; /* ERR_* */
	uint64_t serial;
	char text[INTAKE_TEXT_BYTES]; /* for people, one line */
};

void intake_explain(const struct cfg_error *error, char *text, size_t max);
void intake_too_long(size_t n, struct cfg_error *error);
void intake_boot(struct engine *e, const char *path);
void intake_put(struct engine *e, int memfd, const char *dir, struct intake_result *out);
void intake_restore(struct engine *e);

#endif
